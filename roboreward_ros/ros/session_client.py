# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The session and the reward desk from a console's point of view: calls that block and end.

Callable from any thread but the executor's own, which carries the answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rclpy.client import Client
from std_srvs.srv import Trigger

from roboreward_ros import msg
from roboreward_ros.errors import RewardSourceError, SessionError
from roboreward_ros.ros.convert import session_from_msg
from roboreward_ros.ros.qos import LATCHED
from roboreward_ros.srv import SetRewardSource, Verb
from roboreward_ros.types import SessionView, VerbAnswer, VerbRequest

if TYPE_CHECKING:
    from roboreward_ros.ros.lifecycle import HostNode

Message = Any  # type: ignore[explicit-any,unused-ignore]
ANSWER_S = 10.0
WARM_UP_S = 320.0
"""A source may load its weights before it takes over."""
SILENT_S = 3.0
NOBODY = SessionView("IDLE", "waiting for session_node", (), "", "", 0, 0, 0, 0, 0)
GONE = "no word of session_node: it has ended, or its machine cannot be reached (see its log)"


def call(node: HostNode, client: Client, request: object, timeout_s: float) -> Message | None:  # type: ignore[type-arg]
    """The answer of a service; None where nobody gives one in time."""
    if not client.service_is_ready():
        return None
    done = threading.Event()
    answers: list[Message] = []

    def heard(future: Message) -> None:
        if future.exception() is None:
            answers.append(future.result())
        done.set()

    node.post(lambda: client.call_async(request).add_done_callback(heard))
    done.wait(timeout_s)
    return answers[0] if answers else None


class RosSession:
    """Protocol ``SessionClient`` over ``session`` and ``session_node/verb``.

    Args:
        node: host, whose executor is spun in another thread.
        on_view: told of each new state, in the executor's thread.
    """

    def __init__(
        self,
        node: HostNode,  # type: ignore[type-arg]
        on_view: Callable[[SessionView], None] | None = None,
    ) -> None:
        self._node = node
        self._on_view = on_view
        self._view, self._heard_ns = NOBODY, 0
        self._verbs = node.create_client(Verb, "session_node/verb")
        node.create_subscription(msg.SessionState, "session", self._heard, LATCHED)

    def _heard(self, state: msg.SessionState) -> None:
        self._view, self._heard_ns = session_from_msg(state), self._node.clock.steady_ns()
        if self._on_view is not None:
            self._on_view(self._view)

    def view(self) -> SessionView:
        """The newest state; one that allows nothing where the session has fallen silent."""
        view = self._view
        silent_s = (self._node.clock.steady_ns() - self._heard_ns) / 1e9
        if view is NOBODY or silent_s < SILENT_S:
            return view
        return SessionView("GONE", GONE, (), view.task, "", 0, view.committed, 0, 0, 0, view.idle)

    def send(self, request: VerbRequest) -> VerbAnswer:
        """See the protocol."""
        words = Verb.Request(
            verb=request.verb,
            text=request.text,
            episode_id=request.episode_id,
            phase=request.phase,
            operator_name=request.operator,
        )
        answer = call(self._node, self._verbs, words, ANSWER_S)
        if answer is None:
            raise SessionError(
                "session_node does not answer", next_step="Look whether it runs; see its log."
            )
        if answer.error_code:
            raise SessionError(answer.error_msg)
        return VerbAnswer(answer.message, int(answer.seq))


class RosRewardDesk:
    """Protocol ``RewardDesk`` over reward_node's services.

    Args:
        node: host, as above.
        names: what can be chosen.
    """

    def __init__(self, node: HostNode, names: tuple[str, ...]) -> None:  # type: ignore[type-arg]
        self._node = node
        self._names = names
        self._set = node.create_client(SetRewardSource, "reward_node/set_reward_source")
        self._promote = node.create_client(Trigger, "reward_node/promote_shadow")

    def sources(self) -> tuple[str, ...]:
        return self._names

    def set_source(self, source: str, *, shadow: bool = False) -> str:
        """See the protocol."""
        request = SetRewardSource.Request(source=source, options_json="", shadow=shadow)
        answer = call(self._node, self._set, request, WARM_UP_S)
        if answer is None:
            raise RewardSourceError("reward_node does not answer", next_step="See its log.")
        if answer.error_code:
            raise RewardSourceError(answer.error_msg)
        return str(answer.active)

    def promote_shadow(self) -> str:
        """See the protocol."""
        answer = call(self._node, self._promote, Trigger.Request(), WARM_UP_S)
        if answer is None:
            raise RewardSourceError("reward_node does not promote", next_step="See its log.")
        if not answer.success:
            raise RewardSourceError(answer.message)
        return str(answer.message)
