# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How another thread ends a motion that the arm's own thread is waiting for."""

from __future__ import annotations

import threading

from roboreward_ros.errors import RobotError


class MotionInterruptedError(RobotError):
    """Somebody ended the motion; the arm is to hold."""


class Interrupt:
    """Set by any thread, looked at by the arm's in every wait. The first reason stays.

    Shutting down is final; a latched stop is cleared by the arm's owner once it holds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reason = ""
        self._final = False

    @property
    def reason(self) -> str:
        """Why motion must end; empty while it may go on."""
        with self._lock:
            return self._reason

    def set(self, reason: str, *, final: bool = False) -> None:
        """End the present motion and refuse further ones."""
        with self._lock:
            self._reason = self._reason or reason
            self._final = self._final or final

    def clear(self) -> None:
        """The arm holds and its owner knows why; without effect when shutting down."""
        with self._lock:
            if not self._final:
                self._reason = ""

    def check(self) -> None:
        """Raise MotionInterruptedError when motion must end."""
        if reason := self.reason:
            raise MotionInterruptedError(f"the motion was interrupted: {reason}")
