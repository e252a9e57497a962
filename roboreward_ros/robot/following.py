# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Notices joints that do not do what they are told, also where no effort is measured."""

from __future__ import annotations

import numpy as np

from roboreward_ros.robot.safety import ArmFaultError, Fault, FaultKind
from roboreward_ros.types import FloatArray, RobotState

DECAY = 0.85  # a step counts for about seven
ASKED_RAD = 0.25
SHARE = 0.1


class FollowingWatch:
    """Compares, joint by joint, how far commands asked it to go with how far it went.

    A step in which no state came says nothing, and a motion that is told late counts when it is
    told: silence is for ``StateWatch`` to judge.

    Args:
        joints: their names, ``[6]``.
    """

    def __init__(self, joints: tuple[str, ...]) -> None:
        self._joints = joints
        self.restart()

    def restart(self) -> None:
        """Forget: after a reset."""
        self._asked, self._moved = np.zeros(6), np.zeros(6)
        self._seen: RobotState | None = None

    def step(self, before: RobotState, command: FloatArray, after: RobotState) -> None:
        """One control period: measured before, joints ``[6]`` commanded (rad), measured after.

        Raises:
            ArmFaultError: a joint was asked to go far and went less than a tenth of that.
        """
        since = self._seen = self._seen or before
        if after.stamp_ns == since.stamp_ns:
            return
        self._seen = after
        self._asked = DECAY * self._asked + np.abs(command - before.q)
        self._moved = DECAY * self._moved + np.abs(after.q - since.q)
        stuck = (self._asked > ASKED_RAD) & (self._moved < SHARE * self._asked)
        if stuck.any():
            texts = [
                f"{self._joints[j]} did not follow: asked for {self._asked[j]:.2f} rad in the last "
                f"steps, moved {self._moved[j]:.2f}"
                for j in np.flatnonzero(stuck)
            ]
            self.restart()
            raise ArmFaultError(
                *(Fault(FaultKind.JAM, text) for text in texts),
                next_step="Look for an obstacle, and for motors without torque.",
            )
