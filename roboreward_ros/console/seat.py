# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who may press keys: many people can look, one at a time acts, and everybody can stop the arm."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from roboreward_ros.clock import Clock
from roboreward_ros.errors import SessionError

LEASE_S = 15.0
"""A holder whose page is gone for so long has left."""


@dataclass(slots=True)
class _Holder:
    viewer: str
    name: str
    seen_ns: int


class Seat:
    """The operator's seat; safe to use from threads.

    A free seat is taken by whoever presses first. A taken one changes hands only when somebody
    says so.

    Args:
        clock: steady time of the lease.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._mutex = threading.Lock()
        self._holder: _Holder | None = None

    def alive(self, viewer: str) -> None:
        """The viewer's page is open."""
        with self._mutex:
            if self._holder is not None and self._holder.viewer == viewer:
                self._holder.seen_ns = self._clock.steady_ns()

    def take(self, viewer: str, name: str) -> None:
        """From now on this viewer acts."""
        with self._mutex:
            self._holder = _Holder(viewer, name, self._clock.steady_ns())

    def leave(self, viewer: str) -> None:
        """The viewer's page is closed or cut off: others need not wait for the lease."""
        with self._mutex:
            if self._holder is not None and self._holder.viewer == viewer:
                self._holder = None

    def holder(self) -> tuple[str, str]:
        """Viewer and name of who acts; ("", "") for nobody."""
        with self._mutex:
            self._expire()
            return (self._holder.viewer, self._holder.name) if self._holder else ("", "")

    def require(self, viewer: str, name: str, *, stops: bool) -> None:
        """Let a viewer press a key.

        Args:
            viewer: whose page.
            name: shown to the others.
            stops: the key only stops or holds: everybody may.

        Raises:
            SessionError: somebody else has the seat.
        """
        with self._mutex:
            self._expire()
            if self._holder is None and not stops:
                self._holder = _Holder(viewer, name, self._clock.steady_ns())
            if stops or self._holder is None or self._holder.viewer == viewer:
                return
            other = self._holder.name
        raise SessionError(
            f"{other} has the controls",
            next_step="Press 'Take the controls' to act from here; hold works for everybody.",
        )

    def _expire(self) -> None:
        if self._holder is not None:
            gone_s = (self._clock.steady_ns() - self._holder.seen_ns) / 1e9
            if gone_s > LEASE_S:
                self._holder = None
