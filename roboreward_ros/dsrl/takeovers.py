# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which episodes a person took over, and in which of their control periods nothing moved."""

from __future__ import annotations

import numpy as np

from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.types import FloatArray, StepFlag

TAINT = ("takeover",)
STILL = np.array([5e-4] * 3 + [5e-3] * 3)
"""Deltas below which a control period is a pause, m and rad."""
STILL_GRIPPER = 0.02


def taken_over(episode: EpisodeReader) -> bool:
    """Whether a person moved the arm in it and nothing else was wrong.

    A person who stopped the arm in the middle of a motion has held it, not moved it.
    """
    if episode.summary.taint != TAINT:
        return False
    held = int(StepFlag.TAKEOVER | StepFlag.HOLD)
    return any(int(flag) & held == StepFlag.TAKEOVER for flag in episode.flags())


def is_pause(actions: FloatArray, step: int, ran: int) -> bool:
    """Whether nothing moved in ``ran`` control periods of ``actions [T, 7]`` from ``step`` on."""
    own = actions[step : step + ran]
    widths = actions[max(step - 1, 0) : step + ran, 6]
    still = bool(np.all(np.abs(own[:, :6]) <= STILL))
    return still and float(np.ptp(widths)) <= STILL_GRIPPER
