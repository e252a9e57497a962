# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What session_node tells everybody: its state, labels of the operator, discarded episodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roboreward_ros import msg
from roboreward_ros.ros import convert
from roboreward_ros.ros.qos import EVENT, LATCHED
from roboreward_ros.types import EpisodeSummary, LabelRecord, SessionView

if TYPE_CHECKING:
    from roboreward_ros.ros.lifecycle import HostNode

PUBLISH_S = 0.5


class SessionBoard:
    """Publishers of ``session``, ``episode`` and ``reward``; used on the session's loop.

    Args:
        node: makes the publishers.
    """

    def __init__(self, node: HostNode) -> None:  # type: ignore[type-arg]
        self._clock = node.clock
        self._state = node.create_publisher(msg.SessionState, "session", LATCHED)
        self._events = node.create_publisher(msg.EpisodeEvent, "episode", EVENT)
        self._rewards = node.create_publisher(msg.Reward, "reward", EVENT)
        self._sent, self._sent_ns = ("", ""), 0

    def due(self, phase: str, message: str) -> bool:
        """Whether the state is to be shown: at once when these changed, else twice a second."""
        old = self._clock.steady_ns() - self._sent_ns >= PUBLISH_S * 1e9
        return (phase, message) != self._sent or old

    def show(self, view: SessionView) -> None:
        """Publish the state."""
        self._sent, self._sent_ns = (view.phase, view.message), self._clock.steady_ns()
        self._state.publish(convert.session_to_msg(view, self._clock.now_ns()))

    def labelled(self, record: LabelRecord) -> None:
        """A key of the operator is in the ledger."""
        self._rewards.publish(convert.record_to_msg(record))

    def discarded(self, summary: EpisodeSummary, uri: str) -> None:
        """A committed episode is marked."""
        self._events.publish(convert.discard_to_event(summary, uri, self._clock.now_ns()))
