# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What both ends ask of their sockets and loggers."""

from __future__ import annotations

import logging
import socket

WIRE_LOG = logging.getLogger("roboreward_ros.remote.wire")
"""Of the WebSocket library. Its debug lines hold headers, the token's too, and a lost connection is
an error with a traceback to it: both ends say in a line of their own what happened."""
WIRE_LOG.setLevel(logging.CRITICAL)


def give_up_after(sock: socket.socket, dead_s: float) -> None:
    """A peer that takes nothing for ``dead_s`` is gone: no send hangs longer than that."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        sock.setsockopt(socket.IPPROTO_TCP, option, max(round(dead_s * 1000), 1))
