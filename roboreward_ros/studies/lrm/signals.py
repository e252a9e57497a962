# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rewards of an iteration: ground-truth stand-ins for the three signals, held between queries.

The learned heads answer in the same units: r_prog one of eleven values, r_comp 0 or 1, r_cont -1 or
+1 against the frame of the query before (0 where nothing changed). Their mix is the mean of r_prog,
r_comp and (r_cont + 1) / 2.
"""

from __future__ import annotations

import numpy as np

from roboreward_ros.studies.lrm.config import Arm
from roboreward_ros.studies.lrm.lanes import Batch
from roboreward_ros.types import FloatArray

MOVED = 0.005  # progress that a comparison of two frames can tell


def rewards(arm: Arm, batch: Batch, every: int) -> FloatArray:
    """Reward of each decision ``[T, N]``, by the state it leads to.

    Args:
        arm: which.
        batch: episodes.
        every: decisions between two queries of a dense signal; those in between repeat the last
            answer, and before the first there is none (0). The sparse reward and the
            simulator's own are not queried but known.
    """
    progress, success = batch.progress, batch.success.astype(np.float64)
    if arm is Arm.SPARSE:
        paid = np.zeros_like(progress[1:])
        paid[-1] = success[-1]
        return paid
    if arm in (Arm.TRUTH, Arm.NOISE):
        dense: FloatArray = 0.5 * (progress[1:] + success[1:])
        return dense
    if arm is Arm.PROGRESS:
        return held(np.round(10 * progress) / 10, every)
    if arm is Arm.COMPLETION:
        return held(success, every)
    if arm is Arm.CONTRAST:
        return held(contrast(progress, every), every)
    parts = (np.round(10 * progress) / 10, success, 0.5 * (contrast(progress, every) + 1))
    return held(np.mean(parts, axis=0), every)


def contrast(progress: FloatArray, every: int) -> FloatArray:
    """Whether each state ``[T + 1, N]`` is ahead of (+1) or behind (-1) the one queried before."""
    before = np.concatenate([np.repeat(progress[:1], every, axis=0), progress])[: len(progress)]
    change = progress - before
    return np.where(np.abs(change) < MOVED, 0.0, np.sign(change))


def held(answers: FloatArray, every: int) -> FloatArray:
    """Answers at states ``[T + 1, N]`` as rewards of decisions ``[T, N]``: the last one queried."""
    states = np.arange(1, len(answers))
    queried = states - states % every
    paid: FloatArray = np.where((queried > 0)[:, None], answers[queried], 0.0)
    return paid
