# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The noise of a decision as a pure function of the episode's seed and the decision's number.

A resumed episode, the same episode run in process and the one run over ROS therefore draw the
same latents, whatever ran before them.
"""

from __future__ import annotations

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.types import ACTION_DIM, Float32Array


def _check(seed: int, chunk: int) -> None:
    if seed < 0 or chunk < 0:
        raise ConfigError(
            "seed and chunk index of a decision must not be negative",
            got=f"seed {seed}, chunk {chunk}",
            allowed="0 or more",
        )


def prior_noise(seed: int, chunk: int, horizon: int) -> Float32Array:
    """The prior's latent ``[horizon, 7]`` float32 ~ N(0, I) of decision ``chunk``.

    Args:
        seed: seed of the episode.
        chunk: number of the decision in its episode, from 0.
        horizon: prediction horizon P of the policy.

    Raises:
        ConfigError: negative seed or chunk, or an empty horizon.
    """
    _check(seed, chunk)
    if horizon < 1:
        raise ConfigError("prediction horizon is empty", got=horizon, allowed="1 or more")
    draws = np.random.default_rng((seed, chunk)).standard_normal((horizon, ACTION_DIM))
    return draws.astype(np.float32)


def actor_rng(seed: int, chunk: int) -> np.random.Generator:
    """The generator of the steering actor's own sampling at decision ``chunk``."""
    _check(seed, chunk)
    return np.random.default_rng((seed, chunk, 1))
