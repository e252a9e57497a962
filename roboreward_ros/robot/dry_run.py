# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A slow visit to the corners of the workspace box, so that a person sees what the box lets happen.

Plans single actions only: every limit of the arm stays in force, and what the arm refuses is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.robot.profile import Workspace
from roboreward_ros.types import ACTION_DIM, FloatArray, StepFlag

REFUSALS = StepFlag.CLIPPED_BOX | StepFlag.IK_FAILED
STUCK_STEPS, STUCK_M = 10, 2e-3


@dataclass(frozen=True, slots=True)
class DryRunConfig:
    """How the corners are visited.

    Attributes:
        step_m: motion of a control period; at 5 Hz 0.01 is 5 cm/s.
        reached_m: that near to a corner is there.
        inset_m: corners are taken this far inside the box.
    """

    step_m: float = 0.01
    reached_m: float = 0.015
    inset_m: float = 0.01

    def __post_init__(self) -> None:
        if not 0.001 <= self.step_m <= 0.02:
            raise ConfigError("step_m of a dry run", got=self.step_m, allowed="0.001..0.02 m")
        if not 0.002 <= self.reached_m <= 0.05 or not 0.0 <= self.inset_m <= 0.05:
            raise ConfigError(
                "tolerances of a dry run",
                got=f"reached {self.reached_m}, inset {self.inset_m}",
                allowed="0.002..0.05 and 0..0.05 m",
            )


def corners(box: Workspace, inset_m: float) -> list[FloatArray]:
    """The eight corners ``[3]``, the upper four first: the table is met last."""
    low, high = box.low + inset_m, box.high - inset_m
    if not (low < high).all():
        raise ConfigError("the box is too small for its corners", got=f"{box.low} .. {box.high}")
    flat = [(low[0], low[1]), (low[0], high[1]), (high[0], high[1]), (high[0], low[1])]
    return [np.array([x, y, z]) for z in (high[2], low[2]) for x, y in flat]


class CornerVisit:
    """Actions towards one corner. One thread uses it.

    Args:
        corner: ``[3]``, base frame, m.
        config: see ``DryRunConfig``.

    Attributes:
        distance_m: newest, from the measured gripper to the corner.
        refused: what the arm's limits changed on the way.
    """

    def __init__(self, corner: FloatArray, config: DryRunConfig) -> None:
        self.corner = corner
        self.distance_m = float("inf")
        self.refused = StepFlag.NONE
        self._config = config
        self._best_m, self._since = float("inf"), 0

    def act(self, ee_pose: FloatArray, gripper: float, flags: StepFlag) -> FloatArray | None:
        """The next action ``[7]``, or None: it is there, or does not come nearer any more.

        Args:
            ee_pose: measured ``[4, 4]``.
            gripper: measured opening, which is kept.
            flags: of the step before.
        """
        self.refused |= flags & REFUSALS
        away = self.corner - ee_pose[:3, 3]
        self.distance_m = float(np.linalg.norm(away))
        if self.distance_m < self._best_m - STUCK_M:
            self._best_m, self._since = self.distance_m, 0
        if not flags & StepFlag.LATE:  # else the arm held because this process was busy
            self._since += 1
        if self.distance_m <= self._config.reached_m or self._since > STUCK_STEPS:
            return None
        action = np.zeros(ACTION_DIM)
        action[:3] = away * min(self._config.step_m / self.distance_m, 1.0)
        action[6] = min(max(gripper, 0.0), 1.0)
        return action

    @property
    def reached(self) -> bool:
        """Whether the arm came there."""
        return self.distance_m <= self._config.reached_m
