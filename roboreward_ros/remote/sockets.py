# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What both ends ask of their sockets and loggers."""

from __future__ import annotations

import logging
import socket

WIRE_LOG = logging.getLogger("roboreward_ros.remote.wire")
"""Of the WebSocket library. Never below INFO: its debug lines hold headers, the token's too."""
WIRE_LOG.setLevel(logging.WARNING)


def give_up_after(sock: socket.socket, dead_s: float) -> None:
    """A peer that takes nothing for ``dead_s`` is gone: no send hangs longer than that."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        sock.setsockopt(socket.IPPROTO_TCP, option, max(round(dead_s * 1000), 1))
