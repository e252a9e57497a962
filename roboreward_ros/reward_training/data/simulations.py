# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Simulated demonstrations in robomimic's HDF5 files: LIBERO and RoboCasa (and robomimic's own).

``data/<demo>/obs/<camera>`` is ``[T, H, W, 3]`` uint8. LIBERO keeps its sentence in
``problem_info`` of ``data`` and its pictures upside down, as OpenGL draws them; RoboCasa keeps the
sentence in each demonstration's ``ep_meta``. All are successes, so their key frames are labelled by
time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from roboreward_ros.episodes.exchange.labelled_layout import Fault, OnProblem, Problem
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.reward_training.data.clip import SUCCESS, Clip
from roboreward_ros.reward_training.data.options import Options
from roboreward_ros.types import ImageU8


@dataclass(frozen=True, slots=True)
class SimulationRecipe:
    """How one simulator writes.

    Attributes:
        name: of the data set.
        camera: under ``obs``.
        upside_down: whether rows run from below.
        fps: rate of the steps, Hz.
    """

    name: str
    camera: str
    upside_down: bool
    fps: float


LIBERO = SimulationRecipe("libero", "agentview_rgb", upside_down=True, fps=20.0)
ROBOCASA = SimulationRecipe("robocasa", "robot0_agentview_left_image", upside_down=False, fps=20.0)


class SimulationSource:
    """Every demonstration in every ``*.hdf5`` below a folder (or in one file).

    Args:
        options: ``camera``, ``upside_down``, ``fps``, ``name``.
        recipe: what is usual.

    Raises:
        ConfigError: no such files.
    """

    def __init__(self, options: Options, recipe: SimulationRecipe) -> None:
        self.root = options.path
        self.name = options.text("name", recipe.name)
        self.camera = options.text("camera", recipe.camera)
        self.upside_down = options.switch("upside_down", recipe.upside_down)
        self.fps = options.number("fps", recipe.fps)
        options.finish()
        self.files = [self.root] if self.root.is_file() else sorted(self.root.glob("**/*.hdf5"))
        if not self.files:
            raise ConfigError("no *.hdf5 in this folder", got=str(self.root))

    def describe(self) -> str:
        flipped = ", turned upright" if self.upside_down else ""
        return (
            f"{self.name}: HDF5 demonstrations, {self.camera} at {self.fps:g} Hz{flipped}, "
            "successes, progress by time"
        )

    def clips(self, on_problem: OnProblem) -> Iterator[Clip]:
        import h5py

        for path in self.files:
            label = path.name if path == self.root else str(path.relative_to(self.root))
            try:
                with h5py.File(path, "r") as file:
                    demos = sorted(file["data"], key=_number)
                    common = _sentence(file["data"].attrs, "problem_info", "language_instruction")
                    sentences = {
                        demo: _sentence(file["data"][demo].attrs, "ep_meta", "lang") or common
                        for demo in demos
                    }
                    there = {demo: list(file["data"][demo].get("obs", ())) for demo in demos}
            except (OSError, KeyError, ValueError) as error:
                on_problem(Problem(Fault.DAMAGED, label, str(error)))
                continue
            for demo in demos:
                place = f"{label}/{demo}"
                if not sentences[demo]:
                    on_problem(Problem(Fault.MALFORMED, place, "no sentence"))
                elif self.camera not in there[demo]:
                    detail = f"no camera {self.camera}, there are {', '.join(there[demo])}"
                    on_problem(Problem(Fault.MISSING, place, detail))
                else:
                    yield Clip(
                        id=place,
                        task=sentences[demo],
                        reward=SUCCESS,
                        fps=self.fps,
                        frames=partial(self._frames, path, demo),
                    )

    def _frames(self, path: Path, demo: str) -> Iterator[ImageU8]:
        import h5py

        try:
            with h5py.File(path, "r") as file:
                images = file["data"][demo]["obs"][self.camera]
                if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
                    raise FormatError(
                        f"{path}, {demo}: {self.camera} holds no pictures",
                        got=f"{images.dtype} {images.shape}",
                        allowed="uint8 [T, H, W, 3]",
                    )
                for step in range(len(images)):
                    image = np.asarray(images[step])
                    yield np.ascontiguousarray(image[::-1]) if self.upside_down else image
        except (OSError, KeyError) as error:
            raise FormatError(f"{path}, {demo} cannot be read", got=str(error)) from None


def _number(demo: str) -> tuple[int, str]:
    digits = "".join(filter(str.isdigit, demo))
    return int(digits or 0), demo


def _sentence(attributes: object, holder: str, key: str) -> str:
    """A sentence inside a JSON attribute; "" if there is none."""
    value = attributes.get(holder) if hasattr(attributes, "get") else None
    if value is None:
        return ""
    content = json.loads(value.decode("utf-8") if isinstance(value, bytes) else str(value))
    text = content.get(key) if isinstance(content, dict) else None
    words = "".join(text) if isinstance(text, list) else str(text or "")
    return words.strip().strip('"').strip()
