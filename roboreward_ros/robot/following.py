# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Notices joints that do not do what they are told, also where no effort is measured."""

from __future__ import annotations

import numpy as np

from roboreward_ros.robot.safety import ArmFaultError, Fault, FaultKind
from roboreward_ros.types import FloatArray

DECAY = 0.85  # a step counts for about seven
ASKED_RAD = 0.25
SHARE = 0.1


class FollowingWatch:
    """Compares, joint by joint, how far commands asked it to go with how far it went.

    Args:
        joints: their names, ``[6]``.
    """

    def __init__(self, joints: tuple[str, ...]) -> None:
        self._joints = joints
        self.restart()

    def restart(self) -> None:
        """Forget: after a reset."""
        self._asked, self._moved = np.zeros(6), np.zeros(6)

    def step(self, before: FloatArray, command: FloatArray, after: FloatArray) -> None:
        """One control period: joints ``[6]`` measured before, commanded, measured after, rad.

        Raises:
            ArmFaultError: a joint was asked to go far and went less than a tenth of that.
        """
        self._asked = DECAY * self._asked + np.abs(command - before)
        self._moved = DECAY * self._moved + np.abs(after - before)
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
