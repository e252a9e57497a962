# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An arm's loop whose next step can be made to wait: for a person who is a program, or for time.

In lock-step an episode is over in a moment. Where a script presses a key at a step, the policy's
answer for that step waits until the key has had its effect, so that a rehearsal is the same at any
speed of the machine. Answers can also be held back as if the policy took longer.
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
    _due_ns: int
    _held: list[threading.Timer]

    def start(self, timeout_s: float) -> None:
        self._gate, self._shut, self._kept = threading.Lock(), False, None
        self._due_ns, self._held = 0, []
        super().start(timeout_s)

    def answer_after(self, delay_s: float) -> None:
        """The answer to the state that is told next comes in so many seconds, or later."""
        with self._gate:
            due_ns = self._clock.steady_ns() + round(delay_s * 1e9)
            self._due_ns = max(self._due_ns, due_ns)

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
            left_s = (self._due_ns - self._clock.steady_ns()) * 1e-9
            if left_s > 0.0:
                held = threading.Timer(left_s, super().offer, (action,))
                self._held = [timer for timer in self._held if timer.is_alive()] + [held]
                held.start()
                return True
        return super().offer(action)

    def stop(self, timeout_s: float = 5.0) -> bool:
        with self._gate:
            self._due_ns, held = 0, self._held
        for timer in held:
            timer.cancel()
        return super().stop(timeout_s)

    def hand_over(self, *, to_person: bool) -> str:
        problem = super().hand_over(to_person=to_person)
        self.open()
        return problem
