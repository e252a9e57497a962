# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Notices that commands have stopped coming."""

from __future__ import annotations

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError


class CommandWatchdog:
    """Expires when no command came for a number of control periods, by the steady clock.

    Args:
        clock: source of time.
        period_s: control period, s.
        periods: silent periods after which the arm must hold.
    """

    def __init__(self, clock: Clock, period_s: float, periods: float = 2.0) -> None:
        if not 0.0 < period_s <= 10.0:
            raise ConfigError("period_s out of range", got=period_s, allowed="above 0, at most 10")
        if periods < 1.0:
            raise ConfigError("periods out of range", got=periods, allowed="1 or more")
        self._clock = clock
        self._limit_ns = round(period_s * periods * 1e9)
        self._fed_ns: int | None = None

    @property
    def armed(self) -> bool:
        """Whether silence counts."""
        return self._fed_ns is not None

    def feed(self) -> None:
        """A command came, or an episode began: silence counts from now on."""
        self._fed_ns = self._clock.steady_ns()

    def disarm(self) -> None:
        """No commands are expected."""
        self._fed_ns = None

    @property
    def silent_s(self) -> float:
        """Seconds since the last command; 0 while disarmed."""
        return 0.0 if self._fed_ns is None else (self._clock.steady_ns() - self._fed_ns) * 1e-9

    @property
    def expired(self) -> bool:
        """Whether the arm must hold; stays so until fed or disarmed."""
        return self._fed_ns is not None and self._clock.steady_ns() - self._fed_ns > self._limit_ns
