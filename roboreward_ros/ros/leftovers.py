# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a session that was killed left running: dropped once, before the next one moves anything.

Lives on one :class:`Loop`, as the driver does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from action_msgs.srv import CancelGoal

from roboreward_ros.action import RecordEpisode, RunPolicy
from roboreward_ros.ros.calls import Message, call_service
from roboreward_ros.ros.convert import end_cause_to_code
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.loop import Loop
from roboreward_ros.srv import EndEpisode
from roboreward_ros.types import EndCause

NAME = "the episode of an earlier session"
UNKNOWN = frozenset({NAME})
"""What is missing before anybody has looked."""
SERVICE_S = 5.0
RESULT_S = 60.0
"""Limit of a goal's end after its cancel; an episode that was being committed still is."""


class Leftovers:
    """See the module's text.

    Args:
        node: makes the clients; relative names.
        loop: where everything happens.
        committed: ids of the episodes on disk.
        adopt: gets these once nothing of an earlier session runs any more; its last episode may
            have been committed meanwhile.
    """

    def __init__(
        self,
        node: HostNode,  # type: ignore[type-arg]
        loop: Loop,
        committed: Callable[[], Sequence[str]],
        adopt: Callable[[Sequence[str]], None],
    ) -> None:
        self._log = node.get_logger()
        self._loop = loop
        self._committed = committed
        self._adopt = adopt
        # The recorder first: an episode that is cut short by this must not be committed.
        self._actions = [
            (
                node.create_client(CancelGoal, f"{name}/_action/cancel_goal"),
                node.create_client(action.Impl.GetResultService, f"{name}/_action/get_result"),
                action.Impl.GetResultService.Request,
            )
            for name, action in (("record_episode", RecordEpisode), ("run_policy", RunPolicy))
        ]
        self._end = node.create_client(EndEpisode, "end_episode")
        self._clients = [self._end, *(client for pair in self._actions for client in pair[:2])]
        self._asked = False
        self._open = 1  # answers still to come; the first is that of the arm

    def block(self, missing: frozenset[str], episode_id: str) -> frozenset[str]:
        """What the session has to wait for.

        Args:
            missing: nodes that are not there.
            episode_id: the next one's, which an earlier session may have left running.
        """
        if missing or not self._open:
            return missing
        if not self._asked and all(client.service_is_ready() for client in self._clients):
            self._asked = True
            self._cancel(0, episode_id)
        return UNKNOWN

    def _cancel(self, k: int, episode_id: str) -> None:
        """Cancel every goal of action ``k``: a request without id and time means all of them."""
        if k == len(self._actions):
            self._end_motion(episode_id)
            return

        def told(answer: Message) -> None:
            for goal in answer.goals_canceling:
                self._await_end(k, goal.goal_id)
            self._cancel(k + 1, episode_id)

        # Where nobody answers, the reset that follows says what is wrong.
        client = self._actions[k][0]
        call_service(
            self._loop,
            client,
            CancelGoal.Request(),
            SERVICE_S,
            told,
            lambda _: self._cancel(k + 1, episode_id),
        )

    def _await_end(self, k: int, goal_id: Message) -> None:
        """Whether its episode is on disk is known once the goal is over, and not before."""
        _, client, request = self._actions[k]
        self._open += 1
        call_service(
            self._loop,
            client,
            request(goal_id=goal_id),
            RESULT_S,
            lambda _: self._ended(""),
            self._ended,
        )

    def _end_motion(self, episode_id: str) -> None:
        request = EndEpisode.Request(
            episode_id=episode_id, end_cause=end_cause_to_code(EndCause.OPERATOR)
        )
        call_service(
            self._loop, self._end, request, SERVICE_S, lambda _: self._ended(""), self._ended
        )

    def _ended(self, problem: str) -> None:
        if problem:
            self._log.warning(f"{NAME} may still be running: {problem}")
        self._open -= 1
        if not self._open:
            self._adopt(self._committed())
