# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a session that was killed left running: dropped once, before the next one moves anything.

Lives on one :class:`Loop`, as the driver does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from action_msgs.srv import CancelGoal

from roboreward_ros.ros.calls import call_service
from roboreward_ros.ros.convert import end_cause_to_code
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.loop import Loop
from roboreward_ros.srv import EndEpisode
from roboreward_ros.types import EndCause

NAME = "the episode of an earlier session"
UNKNOWN = frozenset({NAME})
"""What is missing before anybody has looked."""
SERVICE_S = 5.0
SETTLE_S = 0.2
"""An episode that was being committed when its cancel came becomes visible meanwhile."""


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
        self._loop = loop
        self._committed = committed
        self._adopt = adopt
        # The recorder first: an episode that is cut short by this must not be committed.
        self._cancels = [
            node.create_client(CancelGoal, f"{action}/_action/cancel_goal")
            for action in ("record_episode", "run_policy")
        ]
        self._end = node.create_client(EndEpisode, "end_episode")
        self._asked = False
        self._gone = False

    def block(self, missing: frozenset[str], episode_id: str) -> frozenset[str]:
        """What the session has to wait for.

        Args:
            missing: nodes that are not there.
            episode_id: the next one's, which an earlier session may have left running.
        """
        if missing or self._gone:
            return missing
        if not self._asked:
            self._asked = True
            self._cancel(0, episode_id)
        return UNKNOWN

    def _cancel(self, k: int, episode_id: str) -> None:
        """Cancel every goal of action ``k``: a request without id and time means all of them."""

        def after(_: object) -> None:
            if k + 1 < len(self._cancels):
                self._cancel(k + 1, episode_id)
            else:
                self._end_motion(episode_id)

        # Where nobody answers, the reset that follows says what is wrong.
        call_service(self._loop, self._cancels[k], CancelGoal.Request(), SERVICE_S, after, after)

    def _end_motion(self, episode_id: str) -> None:
        def ended(_: object) -> None:
            self._loop.after(SETTLE_S, self._finish)

        request = EndEpisode.Request(
            episode_id=episode_id, end_cause=end_cause_to_code(EndCause.OPERATOR)
        )
        call_service(self._loop, self._end, request, SERVICE_S, ended, ended)

    def _finish(self) -> None:
        self._gone = True
        self._adopt(self._committed())
