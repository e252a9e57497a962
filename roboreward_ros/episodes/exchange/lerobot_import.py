# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of a LeRobot data set of a WidowX under BridgeData's conventions, for a store."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from roboreward_ros.episodes.exchange.importing import Arrival, ImportConfig
from roboreward_ros.episodes.exchange.lerobot_layout import ACTION, STATE
from roboreward_ros.episodes.exchange.lerobot_read import LeRobotDataset, LeRobotEpisode
from roboreward_ros.errors import ConfigError
from roboreward_ros.types import FloatArray


def lerobot_arrivals(dataset: LeRobotDataset, config: ImportConfig) -> Iterator[Arrival]:
    """Every episode, read when it is needed.

    Raises:
        ConfigError: it is not said which camera.
    """
    cameras = dataset.info.cameras
    if not config.camera and len(cameras) != 1:
        raise ConfigError(
            "which camera shall be imported?", got="several or none", allowed=cameras or "none"
        )
    camera = config.camera or cameras[0]
    state, action = config.state or STATE, config.action or ACTION

    def numbers(episode: LeRobotEpisode) -> tuple[FloatArray, FloatArray]:
        columns = dataset.columns(episode, list(dict.fromkeys((state, action))))
        return columns[state], columns[action]

    for episode in dataset.episodes:
        yield Arrival(
            index=episode.index,
            task=episode.tasks[0] if episode.tasks else "",
            rows=episode.length,
            fps=dataset.info.fps,
            numbers=partial(numbers, episode),
            frames=partial(dataset.frames, episode, camera),
        )
