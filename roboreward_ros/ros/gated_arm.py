# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An arm's loop whose next step can be made to wait for a person who is a program.

In lock-step an episode is over in a moment. Where a script presses a key at a step, the policy's
answer for that step waits until the key has had its effect, so that a rehearsal is the same at any
speed of the machine.
"""

from __future__ import annotations

import threading

from roboreward_ros.ros.arm_loop import ArmLoop
from roboreward_ros.types import StepAction


class GatedLoop(ArmLoop):
    """See the module's text; the gate is open at first. For any thread."""

    _gate: threading.Lock
    _shut: bool
    _kept: StepAction | None

    def start(self, timeout_s: float) -> None:
        self._gate, self._shut, self._kept = threading.Lock(), False, None
        super().start(timeout_s)

    def shut(self) -> None:
        """Keep the next action until the gate opens."""
        with self._gate:
            self._shut, self._kept = True, None

    def open(self) -> None:
        """Let the action that was kept, if any, and those that follow, through; idempotent."""
        with self._gate:
            kept, self._kept, self._shut = self._kept, None, False
        if kept is not None:
            super().offer(kept)

    def offer(self, action: StepAction) -> bool:
        with self._gate:
            if self._shut:
                self._kept = action
                return True
        return super().offer(action)

    def hand_over(self, *, to_person: bool) -> str:
        problem = super().hand_over(to_person=to_person)
        self.open()
        return problem
