# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who is let in: the token, the word of the service, and how many at a time."""

from __future__ import annotations

import logging
import threading

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from roboreward_ros.clock import Clock
from roboreward_ros.remote.throttle import Throttle

_LOG = logging.getLogger(__name__)

WRONG_TOKENS = 5
"""Different wrong tokens an address may show in a minute before it is not listened to: 429."""


class Gate:
    """Judges handshakes; thread-safe.

    Args:
        token: that must be shown; "" lets everybody in who reaches the address.
        service: the path that must be asked for.
        limit: askers at a time.
        clock: of the wrong tokens.
    """

    def __init__(self, token: str, service: str, limit: int, clock: Clock) -> None:
        self._token = token
        self._throttle = Throttle(f"Bearer {token}".encode(), WRONG_TOKENS, clock)
        self._path = f"/{service}"
        self._service = service
        self._limit = limit
        self._lock = threading.Lock()
        self.inside = 0

    def enter(self) -> bool:
        """Count an asker in; False: there are too many."""
        with self._lock:
            if self.inside >= self._limit:
                return False
            self.inside += 1
            return True

    def leave(self) -> None:
        """Count an asker out."""
        with self._lock:
            self.inside -= 1

    def judge(self, connection: ServerConnection, request: Request) -> Response | None:
        """The refusal of a handshake; None lets it go on."""
        address = str(connection.remote_address[0])
        shown = request.headers.get_all("Authorization")
        given = shown[0].encode() if len(shown) == 1 else b""
        if self._token and not (right := self._throttle.check(address, given)):
            if right is None:
                return _refusal(429, "Too Many Requests", "too many wrong tokens")
            _LOG.warning("%s showed no valid token", address)
            return _refusal(401, "Unauthorized", "no valid token")
        if request.path != self._path:
            return _refusal(404, "Not Found", f"this host serves {self._service}, nothing else")
        if self.inside >= self._limit:
            return _refusal(503, "Service Unavailable", f"{self._limit} askers are here already")
        return None


def _refusal(status: int, reason: str, text: str) -> Response:
    body = f"{text}\n".encode()
    headers = Headers(
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
    )
    return Response(status, reason, headers, body)
