# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a stored episode to the request that a reward source gets: stored bytes, walled truth."""

from __future__ import annotations

from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.types import RewardRequest, RewardSpec


def reward_request(episode: EpisodeReader, spec: RewardSpec) -> RewardRequest:
    """All frames of ``episode``; ground truth is opened only for a source that declares it.

    Args:
        episode: a committed episode.
        spec: the source that will score it.

    Raises:
        FormatError: the episode is damaged.
    """
    meta = episode.summary.meta
    return RewardRequest(
        episode_id=meta.episode_id,
        task=meta.task,
        frames=episode.frames(),
        stamps_ns=episode.stamps_ns(),
        control_hz=meta.control_hz,
        truth=episode.truth() if spec.needs_truth else None,
        seed=meta.seed,
    )
