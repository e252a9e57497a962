# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who is let in: the token, the word of the service, and how many at a time."""

from __future__ import annotations

import hmac
import logging
import threading
from collections import OrderedDict

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from roboreward_ros.clock import Clock

_LOG = logging.getLogger(__name__)

WRONG_TOKENS = 5
"""Wrong tokens an address may show in ``FORGET_S`` before it hears nothing else but 429."""
FORGET_S = 60.0
_REMEMBERED = 1024


class Gate:
    """Judges handshakes; thread-safe.

    Args:
        token: that must be shown; "" lets everybody in who reaches the address.
        service: the path that must be asked for.
        limit: askers at a time.
        clock: of the wrong tokens.
    """

    def __init__(self, token: str, service: str, limit: int, clock: Clock) -> None:
        self._token = token.encode()
        self._path = f"/{service}"
        self._service = service
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: OrderedDict[str, list[int]] = OrderedDict()
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
        if self._token and not self._fits(shown):
            return self._wrong_token(address)
        if request.path != self._path:
            return _refusal(404, "Not Found", f"this host serves {self._service}, nothing else")
        if self.inside >= self._limit:
            return _refusal(503, "Service Unavailable", f"{self._limit} askers are here already")
        return None

    def _fits(self, shown: list[str]) -> bool:
        given = shown[0].encode() if len(shown) == 1 else b""
        return hmac.compare_digest(given, b"Bearer " + self._token)

    def _wrong_token(self, address: str) -> Response:
        now_ns = self._clock.steady_ns()
        with self._lock:
            past = self._wrong.pop(address, [])
            past = [then for then in past if now_ns - then < FORGET_S * 1e9]
            if len(past) < WRONG_TOKENS:
                past.append(now_ns)
                _LOG.warning("%s showed no valid token", address)
                answer = _refusal(401, "Unauthorized", "no valid token")
            else:
                answer = _refusal(429, "Too Many Requests", "too many wrong tokens")
            self._wrong[address] = past
            while len(self._wrong) > _REMEMBERED:
                self._wrong.popitem(last=False)
        return answer


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
