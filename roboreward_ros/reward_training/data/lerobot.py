# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of a LeRobot data set, 2.x or 3.0."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from roboreward_ros.episodes.exchange.labelled_layout import Fault, OnProblem, Problem
from roboreward_ros.episodes.exchange.lerobot_read import LeRobotDataset
from roboreward_ros.errors import ConfigError
from roboreward_ros.reward_training.data.clip import SUCCESS, Clip
from roboreward_ros.reward_training.data.options import Options


class LeRobotSource:
    """Every episode with a sentence, all with one label.

    Args:
        options: ``camera``, ``reward``, ``name``.

    Raises:
        ConfigError: no such data set or camera.
        FormatError: a damaged header.
    """

    def __init__(self, options: Options) -> None:
        self.dataset = LeRobotDataset(options.path)
        self.name = options.text("name", options.path.resolve().name)
        self.reward = options.level("reward", SUCCESS)
        cameras = self.dataset.info.cameras
        self.camera = options.text("camera", cameras[0] if len(cameras) == 1 else "")
        options.finish()
        if self.camera not in cameras:
            raise ConfigError(
                f"{self.name}: which camera?", got=self.camera or "none", allowed=cameras
            )

    def describe(self) -> str:
        return (
            f"{self.name}: LeRobot {self.dataset.info.major}.x, {self.camera} at "
            f"{self.dataset.info.fps:g} Hz, every episode with reward {self.reward}"
        )

    def clips(self, on_problem: OnProblem) -> Iterator[Clip]:
        for episode in self.dataset.episodes:
            key = f"{self.name}/{episode.index:06d}"
            task = next(filter(None, (text.strip() for text in episode.tasks)), "")
            if not task:
                on_problem(Problem(Fault.MALFORMED, key, "no sentence"))
                continue
            yield Clip(
                id=key,
                task=task,
                reward=self.reward,
                fps=self.dataset.info.fps,
                frames=partial(self.dataset.frames, episode, self.camera),
            )
