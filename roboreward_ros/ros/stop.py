# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one way in which a node's process is asked to end."""

from __future__ import annotations

import threading


class StopSignal:
    """Set once, by a signal, the launcher's death or the node itself; keeps the first reason.

    Attributes:
        reason: for people.
        code: exit code of the process.
        orphaned: nobody asked: the process that started this one is gone.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self.reason = ""
        self.code = 0
        self.orphaned = False

    def __bool__(self) -> bool:
        return self._event.is_set()

    def set(self, reason: str, code: int = 0, *, orphaned: bool = False) -> None:
        """Ask for the stop; also from a signal handler."""
        if not self._event.is_set():
            self.reason, self.code, self.orphaned = reason, code, orphaned
            self._event.set()

    def wait(self, timeout_s: float) -> bool:
        return self._event.wait(timeout_s)
