# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames that came, by their content; the one that nobody needed longest goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.remote.dialect import name_of


class FrameShelf:
    """Thread-safe.

    Args:
        limit: bytes in all.

    Attributes:
        size: bytes that lie there.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1 << 20:
            raise ConfigError("the shelf is too small", got=limit, allowed=f">= {1 << 20} bytes")
        self._limit = limit
        self._lock = threading.Lock()
        self._frames: OrderedDict[str, bytes] = OrderedDict()
        self.size = 0

    def put(self, jpeg: bytes) -> None:
        """Keep a frame; raises ConfigError for one that is larger than everything."""
        if len(jpeg) > self._limit:
            raise ConfigError("a frame is too large", got=len(jpeg), allowed=f"<= {self._limit}")
        name = name_of(jpeg)
        with self._lock:
            if name in self._frames:
                self._frames.move_to_end(name)
                return
            self._frames[name] = jpeg
            self.size += len(jpeg)
            while self.size > self._limit:
                _, old = self._frames.popitem(last=False)
                self.size -= len(old)

    def take(self, names: Sequence[str]) -> list[bytes] | list[int]:
        """The frames in order where all are there, else the places of those that are not."""
        with self._lock:
            missing = [k for k, name in enumerate(names) if name not in self._frames]
            for name in names:
                if name in self._frames:
                    self._frames.move_to_end(name)
            return missing or [self._frames[name] for name in names]
