# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sliding figures of rates and ages, for diagnostics and benches. Thread-safe."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

WINDOW = 512


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of the last samples, ms; NaN while there are none."""

    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class Samples:
    """The last durations."""

    def __init__(self, window: int = WINDOW) -> None:
        self._lock = threading.Lock()
        self._values: deque[float] = deque(maxlen=window)

    def add_ns(self, duration_ns: int) -> None:
        """One more sample."""
        with self._lock:
            self._values.append(duration_ns * 1e-6)

    def summary(self) -> Percentiles:
        """Percentiles of what is in the window."""
        with self._lock:
            values = np.array(self._values)
        if values.size == 0:
            nan = float("nan")
            return Percentiles(0, nan, nan, nan)
        p50, p99 = (float(value) for value in np.percentile(values, (50, 99)))
        return Percentiles(int(values.size), p50, p99, float(values.max()))


class TickStatistics:
    """How evenly a beat comes.

    Args:
        period_ns: nominal distance of ticks.
    """

    def __init__(self, period_ns: int) -> None:
        self._period_ns = period_ns
        self._last_ns: int | None = None
        self._jitter = Samples()
        self._interval = Samples()
        self.overruns = 0

    def tick(self, steady_ns: int) -> None:
        """A tick happened."""
        if self._last_ns is not None:
            interval_ns = steady_ns - self._last_ns
            self._interval.add_ns(interval_ns)
            self._jitter.add_ns(abs(interval_ns - self._period_ns))
        self._last_ns = steady_ns

    def restart(self) -> None:
        """The next tick follows a pause: it has no interval."""
        self._last_ns = None

    def overrun(self) -> None:
        """A tick was missed."""
        self.overruns += 1

    @property
    def jitter(self) -> Percentiles:
        """Deviation of the intervals from the period."""
        return self._jitter.summary()

    @property
    def interval(self) -> Percentiles:
        """Distance of ticks."""
        return self._interval.summary()
