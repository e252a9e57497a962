# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Open X-Embodiment: successes of many robots, RLDS episodes in TFDS folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from roboreward_ros.episodes.exchange.labelled_layout import Fault, OnProblem, Problem
from roboreward_ros.episodes.exchange.rlds_layout import STEPS
from roboreward_ros.episodes.exchange.rlds_read import RldsDataset, RldsEpisode
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.files import config_folders, read_yaml
from roboreward_ros.reward_training.data.clip import SUCCESS, Clip
from roboreward_ros.reward_training.data.options import Options

TABLE = "open_x.yaml"
INSTRUCTIONS = (
    "language_instruction",
    "observation/natural_language_instruction",
    "natural_language_instruction",
    "observation/language_instruction",
    "observation/instruction",
    "observation/structured_language_instruction",
    "language_instruction_2",
    "language_instruction_3",
)
"""Where the data sets keep their sentence; the first that is not empty is taken."""
FILE_PATHS = ("episode_metadata/file_path", "episode_metadata/recording_folderpath")


@dataclass(frozen=True, slots=True)
class OpenXEntry:
    """What a data set does not say of itself.

    Attributes:
        camera: step feature with the pictures of the scene.
        fps: rate of its steps, Hz.
        failures: part of a recording's path that marks a failure; "" where all are successes.
    """

    camera: str
    fps: float
    failures: str = ""


def known_entry(name: str) -> OpenXEntry | None:
    """The shipped entry of a data set; a longer name may follow an entry's with ``_``.

    Raises:
        ConfigError: the shipped table is damaged.
    """
    for folder in config_folders("reward_data"):
        path = folder / TABLE
        if not path.is_file():
            continue
        table = read_yaml(path)
        try:
            entries = {str(key): OpenXEntry(**value) for key, value in table.items()}
        except (AttributeError, TypeError) as error:
            raise ConfigError(f"{path} is damaged", got=str(error)) from None
        fitting = [key for key in entries if name == key or name.startswith(f"{key}_")]
        if fitting:
            return entries[max(fitting, key=len)]
    return None


class OpenXSource:
    """Episodes of one data set.

    Args:
        options: ``camera``, ``fps``, ``reward``, ``split`` (of the data set), ``name``.

    Raises:
        ConfigError: no such data set or camera, or a rate that is not known.
        FormatError: a damaged header.
    """

    def __init__(self, options: Options) -> None:
        self.dataset = RldsDataset(options.path)
        about = self.dataset.description
        entry = known_entry(about.name)
        self.name = options.text("name", about.name)
        self.split = options.text("split", "train")
        self.reward = options.level("reward", SUCCESS)
        self.failures = entry.failures if entry else ""
        self.fps = options.number("fps", entry.fps if entry else 0.0)
        self.camera = options.text("camera", entry.camera if entry else "")
        options.finish()
        if not self.camera and len(about.cameras) == 1:
            self.camera = about.cameras[0]
        if self.camera not in about.cameras:
            raise ConfigError(
                f"{about.name}: which camera?", got=self.camera or "none", allowed=about.cameras
            )
        if not self.fps > 0:
            raise ConfigError(
                f"{about.name}: its rate is not known",
                got="no fps",
                next_step=f"Say it: rlds:{options.path}?fps=10 (or add it to {TABLE}).",
            )
        self.dataset.count(self.split)

    def describe(self) -> str:
        return (
            f"{self.name}: RLDS, split {self.split}, {self.camera} at {self.fps:g} Hz, every "
            f"episode a success with reward {self.reward}"
            + (f" but those with '{self.failures}' in their path" if self.failures else "")
        )

    def clips(self, on_problem: OnProblem) -> Iterator[Clip]:
        def damaged(error: FormatError) -> None:
            on_problem(Problem(Fault.UNREADABLE, self.name, str(error)))

        for episode in self.dataset.episodes(self.split, damaged):
            clip = self._clip(episode, on_problem)
            if clip is not None:
                yield clip

    def _clip(self, episode: RldsEpisode, on_problem: OnProblem) -> Clip | None:
        task = episode.text(*INSTRUCTIONS)
        origin = next(filter(None, map(episode.episode_text, FILE_PATHS)), "")
        if self.failures and self.failures in origin:
            on_problem(
                Problem(Fault.UNLABELLED, episode.id, f"a failure without a score: {origin}")
            )
            return None
        if not task:
            on_problem(Problem(Fault.MALFORMED, episode.id, "no instruction"))
            return None
        if f"{STEPS}/{self.camera}" not in episode.data:
            on_problem(Problem(Fault.MISSING, episode.id, f"no pictures of {self.camera}"))
            return None
        return Clip(
            id=episode.id,
            task=task,
            reward=self.reward,
            fps=self.fps,
            frames=partial(episode.frames, self.camera),
            columns={"origin": origin} if origin else {},
        )
