# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who publishes what an episode is made of, and whether they are still the same processes."""

from __future__ import annotations

from collections.abc import Iterable

from rclpy.node import Node
from rclpy.subscription import Subscription

NAMELESS = "_NODE_NAME_UNKNOWN_"
"""What the middleware calls a node whose name it has not heard yet."""


def one_publisher(node: Node, *topics: str) -> bool:
    """Whether the same nodes publish each of these topics; not while their names are not known.

    An endpoint may be matched, and even heard, before the graph tells whose it is.
    """
    found = [
        {
            (info.node_namespace, info.node_name)
            for info in node.get_publishers_info_by_topic(node.resolve_topic_name(topic))
        }
        for topic in topics
    ]
    known = all(names and NAMELESS not in {name for _, name in names} for names in found)
    return known and all(names == found[0] for names in found)


class SourceWatch:
    """Looks at the graph when asked; one thread asks.

    Args:
        node: whose view of the graph.
        sources: subscriptions, each to something that is needed.
    """

    def __init__(self, node: Node, sources: Iterable[Subscription]) -> None:
        self._node = node
        self._sources = tuple(sources)
        self._first: dict[str, frozenset[bytes]] = {}

    def matched(self) -> bool:
        """Whether somebody publishes each; who they are is remembered the first time."""
        if self.silent():
            return False
        self._first = self._first or self._now()
        return True

    def silent(self) -> list[str]:
        """Topics that nobody publishes."""
        return [s.topic_name for s in self._sources if not s.get_publisher_count()]

    def lost(self) -> list[str]:
        """Topics whose publishers are not those of the beginning: ended, killed, started anew."""
        now = self._now()
        return [name for name, first in self._first.items() if now[name] != first]

    def _now(self) -> dict[str, frozenset[bytes]]:
        look = self._node.get_publishers_info_by_topic
        return {
            s.topic_name: frozenset(bytes(info.endpoint_gid) for info in look(s.topic_name))
            for s in self._sources
        }
