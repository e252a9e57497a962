# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When a node that ended is started again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roboreward_ros.errors import ConfigError


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When a node that ended is started again.

    Attributes:
        limit: restarts allowed within ``window_s``.
        window_s: length of the sliding window, s.
        backoff_s: waits before the first, second, ... restart in a window, s; the last repeats.
    """

    limit: int = 3
    window_s: float = 60.0
    backoff_s: tuple[float, ...] = (0.5, 2.0, 5.0)

    def __post_init__(self) -> None:
        if self.limit < 0 or self.window_s <= 0 or not self.backoff_s:
            raise ConfigError("a restart policy needs limit >= 0, window_s > 0 and a wait")

    def wait_s(self, restarts_s: Sequence[float], now_s: float) -> float | None:
        """Seconds to wait before the next start, or None to leave the node down.

        Args:
            restarts_s: steady times of the restarts so far, s.
            now_s: steady time of the exit, s.
        """
        recent = sum(1 for moment in restarts_s if now_s - moment < self.window_s)
        if recent >= self.limit:
            return None
        return self.backoff_s[min(recent, len(self.backoff_s) - 1)]

    def spent(self, name: str) -> str:
        """What is said of a node that has used up its restarts."""
        return f"{name} died {self.limit + 1} times"
