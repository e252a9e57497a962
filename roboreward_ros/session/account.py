# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the time of a session went: every nanosecond of steady time belongs to one cause.

Knows nothing about ROS; the owner tells it each change of cause.
"""

from __future__ import annotations

from enum import StrEnum

from roboreward_ros.clock import Clock
from roboreward_ros.types import IdleAccount


class Cause(StrEnum):
    """What the robot did or waited for; values are the fields of IdleAccount without ``_s``."""

    MOTION = "motion"
    RESET = "reset"
    REWARD = "reward"
    LEARNER = "learner"
    OPERATOR = "operator"
    FAULT = "fault"


class Account:
    """Integer nanoseconds by cause; not thread-safe, one thread owns it.

    Args:
        clock: its steady clock is read, never its wall time.
        before: seconds already spent, of an earlier part of the same run.
    """

    def __init__(self, clock: Clock, before: IdleAccount | None = None) -> None:
        self._clock = clock
        self._spent = dict.fromkeys(Cause, 0)
        if before is not None:
            for cause in Cause:
                self._spent[cause] = round(getattr(before, f"{cause}_s") * 1e9)
        self._cause: Cause | None = None
        self._since_ns = 0

    def switch(self, cause: Cause | None) -> None:
        """From now on time belongs to ``cause``; None stops the account."""
        now = self._clock.steady_ns()
        if self._cause is not None:
            self._spent[self._cause] += now - self._since_ns
        self._cause, self._since_ns = cause, now

    def total_ns(self) -> int:
        """Nanoseconds on the account until now."""
        running = self._clock.steady_ns() - self._since_ns if self._cause is not None else 0
        return sum(self._spent.values()) + running

    def snapshot(self) -> IdleAccount:
        """Seconds by cause until now."""
        self.switch(self._cause)
        return IdleAccount(**{f"{cause}_s": ns / 1e9 for cause, ns in self._spent.items()})
