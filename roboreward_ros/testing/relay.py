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


@dataclass(frozen=True, slots=True)
class Wire:
    """How it is now.

    Attributes:
        cut: connections end, and no new one lasts.
        late_s: every piece takes so much longer, each way.
    """

    cut: bool = False
    late_s: float = 0.0


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
            if self._wire().cut:
                near.close()
                continue
            thread = threading.Thread(target=self._carry, args=(near,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, near: socket.socket) -> None:
        """One connection, until an end closes it or the wire is cut."""
        with near, contextlib.suppress(OSError):
            far = socket.create_connection(self._server, 10.0)
            with far:
                far.settimeout(None)
                other = {near: far, far: near}
                while not self._closed.is_set() and not self._wire().cut:
                    for end in select.select([near, far], [], [], _LOOK_S)[0]:
                        piece = end.recv(_PIECE)
                        if not piece or self._wire().cut:
                            return
                        time.sleep(self._wire().late_s)
                        other[end].sendall(piece)
