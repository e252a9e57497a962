# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rests of the motors: so long at work, so long lying down."""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError


@dataclass(frozen=True, slots=True)
class DutyLimits:
    """When the arm must rest.

    Attributes:
        work_s: time with motions after which it lies down, s; 0: never.
        rest_s: how long, s. Time without motions counts as rest in the same proportion.
    """

    work_s: float = 5400.0
    rest_s: float = 600.0

    def __post_init__(self) -> None:
        if self.work_s < 0.0 or self.rest_s <= 0.0:
            raise ConfigError(
                "duty limits out of range",
                got=f"work {self.work_s:g} s, rest {self.rest_s:g} s",
                allowed="work 0 or more, rest above 0",
            )


class DutyCycle:
    """Keeps the account of work and rest. One thread uses it.

    Args:
        limits: see ``DutyLimits``.
        clock: source of time.
    """

    def __init__(self, limits: DutyLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._worked_s = 0.0
        self._seen_ns = clock.steady_ns()
        self._rest_until_ns: int | None = None

    def moved(self, duration_s: float) -> None:
        """A motion of so long has just ended."""
        self._account(duration_s)

    def must_rest(self) -> bool:
        """Whether work is up; the rest begins with ``begin_rest``."""
        self._account(0.0)
        return 0.0 < self._limits.work_s <= self._worked_s

    def begin_rest(self) -> None:
        """The arm lies down."""
        if self._rest_until_ns is None:
            self._rest_until_ns = self._clock.steady_ns() + round(self._limits.rest_s * 1e9)

    @property
    def rest_left_s(self) -> float:
        """Seconds of a rest that are left; 0 when none is due."""
        if self._rest_until_ns is None:
            return 0.0
        left_s = (self._rest_until_ns - self._clock.steady_ns()) * 1e-9
        if left_s <= 0.0:
            self._rest_until_ns, self._worked_s = None, 0.0
            return 0.0
        return left_s

    def _account(self, moved_s: float) -> None:
        now_ns = self._clock.steady_ns()
        idle_s = max((now_ns - self._seen_ns) * 1e-9 - moved_s, 0.0)
        self._seen_ns = now_ns
        ratio = self._limits.work_s / self._limits.rest_s
        self._worked_s = max(self._worked_s - idle_s * ratio, 0.0) + moved_s
