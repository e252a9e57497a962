# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""BridgeData's RLDS episodes for a store, in either form that is published.

Its own conversion keeps the action in one feature; Open X-Embodiment's keeps it in three: a
translation, a rotation and whether the gripper opens.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from roboreward_ros.episodes.exchange.importing import Arrival, ImportConfig
from roboreward_ros.episodes.exchange.rlds_read import RldsDataset, RldsEpisode
from roboreward_ros.errors import ConfigError
from roboreward_ros.types import FloatArray

STATE, ACTION = "observation/state", "action"
PARTS = ("action/world_vector", "action/rotation_delta", "action/open_gripper")
INSTRUCTIONS = ("language_instruction", "observation/natural_language_instruction")
BRIDGE_HZ = 5.0


def rlds_arrivals(
    dataset: RldsDataset, config: ImportConfig, split: str = "train", fps: float = BRIDGE_HZ
) -> Iterator[Arrival]:
    """Every episode of a split, read when it is needed.

    Args:
        dataset: where from.
        config: see ``ImportConfig``.
        split: of the data set.
        fps: rate of its steps, which it does not say, Hz.

    Raises:
        ConfigError: it is not said which camera, or the actions are in neither form.
        FormatError: a damaged data set.
    """
    about = dataset.description
    camera = config.camera or (about.cameras[0] if len(about.cameras) == 1 else "")
    if camera not in about.cameras:
        raise ConfigError(
            "which camera shall be imported?", got=camera or "several or none",
            allowed=about.cameras,
        )  # fmt: skip
    action = config.action or ACTION
    if action not in about.steps and not all(part in about.steps for part in PARTS):
        raise ConfigError(
            "no action under BridgeData's conventions",
            got=action,
            allowed=f"{ACTION}, or {', '.join(PARTS)}",
        )

    def numbers(episode: RldsEpisode) -> tuple[FloatArray, FloatArray]:
        state = episode.array(config.state or STATE).astype(np.float64)
        if action in about.steps:
            return state, episode.array(action).astype(np.float64)
        parts = [episode.array(part).astype(np.float64) for part in PARTS]
        joined = [part.reshape(episode.length, -1) for part in parts]
        return state, np.concatenate(joined, axis=1)

    for episode in dataset.episodes(split):
        yield Arrival(
            index=episode.index,
            task=episode.text(*INSTRUCTIONS),
            rows=episode.length,
            fps=fps,
            numbers=partial(numbers, episode),
            frames=partial(episode.frames, camera),
        )
