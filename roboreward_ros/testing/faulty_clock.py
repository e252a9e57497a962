# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A wall clock that is set while things run, as time servers and people do."""

from __future__ import annotations

from roboreward_ros.clock import Clock, SystemClock


class JumpingClock:
    """Protocol ``Clock`` over another; its wall time is moved, its steady time never. Thread-safe.

    Args:
        clock: what it shows without a jump.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._offset_ns = 0

    def jump(self, seconds: float) -> None:
        """Set the wall clock forwards or, below zero, back; jumps add up."""
        self._offset_ns += round(seconds * 1e9)

    def steady_ns(self) -> int:
        return self._clock.steady_ns()

    def now_ns(self) -> int:
        return self._clock.now_ns() + self._offset_ns

    def sleep(self, duration_s: float) -> None:
        self._clock.sleep(duration_s)
