# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two clocks behind one protocol: time-outs and latencies use the steady one, stamps the other."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Source of time; the core never calls ``time`` itself."""

    def steady_ns(self) -> int:
        """Monotonic nanoseconds: for time-outs, latencies and the account of time."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch: for stamping data at acquisition only."""

    def sleep(self, duration_s: float) -> None:
        """Block the calling thread for ``duration_s`` seconds."""


class SystemClock:
    """The machine's clocks."""

    def steady_ns(self) -> int:
        return time.monotonic_ns()

    def now_ns(self) -> int:
        return time.time_ns()

    def sleep(self, duration_s: float) -> None:
        time.sleep(duration_s)


class FakeClock:
    """A clock that moves only when told to; for tests.

    Attributes:
        steady: present steady time in ns.
        offset: wall time minus steady time in ns.
    """

    def __init__(self, steady: int = 0, offset: int = 1_700_000_000_000_000_000) -> None:
        self.steady = steady
        self.offset = offset

    def steady_ns(self) -> int:
        return self.steady

    def now_ns(self) -> int:
        return self.steady + self.offset

    def sleep(self, duration_s: float) -> None:
        self.advance(duration_s)

    def advance(self, duration_s: float) -> None:
        """Move both clocks forward by ``duration_s`` seconds."""
        self.steady += round(duration_s * 1e9)
