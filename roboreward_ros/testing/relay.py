# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A wire to a server, on this machine, that can be cut and slowed down; encryption goes through it.

Unlike ``testing.network`` it needs no rights, and knows bytes instead of packets.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_PIECE = 1 << 18
_LOOK_S = 0.05
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>proxy</body></html>"
_ANSWER = (
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nConnection: close\r\n"
    + b"Content-Length: %d\r\n\r\n" % len(_PAGE)
    + _PAGE
)


@dataclass(frozen=True, slots=True)
class Wire:
    """How it is now.

    Attributes:
        cut: connections end, and no new one lasts.
        late_s: every piece takes so much longer, each way.
        doubled: what goes to the server arrives a second time, on a connection of its own whose
            answers nobody hears, as from a proxy that sends again.
        html: nothing reaches the server; a proxy's error page comes back instead.
        flapping: every second connection ends as it begins, the others behind their first answer.
    """

    cut: bool = False
    late_s: float = 0.0
    doubled: bool = False
    html: bool = False
    flapping: bool = False


class Relay:
    """See the module's text; a context manager.

    Args:
        host: of the server.
        port: likewise.
        wire: how the wire is; asked often, from threads.

    Attributes:
        address: where to connect to instead, HOST:PORT.
    """

    def __init__(self, host: str, port: int, wire: Callable[[], Wire]) -> None:
        self._server = (host, port)
        self._wire = wire
        self._closed = threading.Event()
        self._accepted = 0
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._door.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, name="relay", daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed.set()
        for thread in tuple(self._threads):
            thread.join()
        self._door.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            if not select.select([self._door], [], [], _LOOK_S)[0]:
                continue
            near, _ = self._door.accept()
            wire = self._wire()
            self._accepted += wire.flapping
            if wire.cut or (wire.flapping and self._accepted % 2):
                near.close()
                continue
            thread = threading.Thread(target=self._carry, args=(near,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, near: socket.socket) -> None:
        """One connection, until an end closes it or the wire is cut."""
        with (
            near,
            contextlib.suppress(OSError),
            self._connect() as far,
            contextlib.ExitStack() as opened,
        ):
            other = {near: far, far: near}
            again: list[socket.socket] = []
            answered = False
            while not self._closed.is_set() and not self._wire().cut:
                for end in select.select([near, far, *again], [], [], _LOOK_S)[0]:
                    if end in again:
                        again = again if _unheard(end) else []
                        continue
                    piece, wire = end.recv(_PIECE), self._wire()
                    if not piece or wire.cut:
                        return
                    if wire.html:
                        _refuse(near, piece)
                        return
                    if wire.flapping and answered and end is near:
                        return
                    answered = answered or end is far
                    time.sleep(wire.late_s)
                    other[end].sendall(piece)
                    if end is near and wire.doubled:
                        with contextlib.suppress(OSError):
                            again = again or [opened.enter_context(self._connect())]
                            again[0].sendall(piece)

    def _connect(self) -> socket.socket:
        far = socket.create_connection(self._server, 10.0)
        far.settimeout(None)
        return far


def _refuse(near: socket.socket, said: bytes) -> None:
    """Answer with the page, once the question is over: an early answer is lost with a reset."""
    near.sendall(_ANSWER)
    near.shutdown(socket.SHUT_WR)
    while said and select.select([near], [], [], 1.0)[0]:
        said = near.recv(_PIECE)


def _unheard(end: socket.socket) -> bool:
    """Throw away what came; False where the other side has closed."""
    with contextlib.suppress(OSError):
        return bool(end.recv(_PIECE))
    return False
