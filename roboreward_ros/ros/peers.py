# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which of the needed nodes are there, and which were started again in the meantime.

The middleware forgets a killed process only after its lease; by then its successor may already be
there under the same name, without the goals that the first had accepted. So a peer is known by the
identity of one of its own publishers, and one whose successor appears counts as missing once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rclpy.node import Node


@dataclass(frozen=True, slots=True)
class Peer:
    """How a node is recognised.

    Attributes:
        topic: that nobody but this node publishes, relative to the watcher's namespace.
        ready: whether what it serves can be used.
    """

    topic: str
    ready: Callable[[], bool]


class PeerWatch:
    """Looks at the graph when asked.

    Args:
        node: whose view of the graph.
        peers: node name -> how it is recognised.
    """

    def __init__(self, node: Node, peers: Mapping[str, Peer]) -> None:
        self._node = node
        self._peers = dict(peers)
        self._known: dict[str, set[bytes]] = {}

    def missing(self) -> frozenset[str]:
        """Names of peers that are not there, or were started again since the last call."""
        return frozenset(name for name, peer in self._peers.items() if not self._there(name, peer))

    def _there(self, name: str, peer: Peer) -> bool:
        now = {
            bytes(info.endpoint_gid) for info in self._node.get_publishers_info_by_topic(peer.topic)
        }
        before = self._known.get(name, set())
        self._known[name] = now
        restarted = bool(before) and bool(now - before)
        return bool(now) and not restarted and peer.ready()
