# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Goals to other nodes' actions, sent from any thread.

Everything that touches an action client's tables runs in the executor's thread, because rclpy does
not lock them: an answer that overtakes its own entry would be dropped and the caller wait for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from rclpy.action import ActionClient
from rclpy.task import Future

if TYPE_CHECKING:
    from roboreward_ros.ros.lifecycle import HostNode

ResultT = TypeVar("ResultT")


class GoalCall(Generic[ResultT]):
    """One goal sent to an action server; made by ``send_goal``.

    Attributes:
        on_done: called in the executor's thread with (status, result) when the goal is over, with
            (None, None) when it was refused.
    """

    def __init__(
        self,
        node: HostNode,  # type: ignore[type-arg]
        client: ActionClient,
        goal: object,
        on_feedback: Callable[[object], None] | None,
        on_done: Callable[[int | None, ResultT | None], None] | None,
    ) -> None:
        self._node = node
        self._client = client
        self._goal = goal
        self._on_feedback = on_feedback
        self._on_done = on_done
        self._handle: object | None = None
        self._answered = threading.Event()
        self._over = threading.Event()
        self._cancel = False
        self._on_told: Callable[[], None] | None = None
        node.post(self._send)

    @property
    def accepted(self) -> bool | None:
        """None until the server has answered."""
        return self._handle is not None if self._answered.is_set() else None

    def cancel(self, on_told: Callable[[], None] | None = None) -> None:
        """Ask the server to cancel, as soon as it has accepted; the result still comes.

        Args:
            on_told: called in the executor's thread once the server has answered the request.
        """
        self._cancel = True
        if on_told is not None:
            self._on_told = on_told
        self._node.post(self._forward_cancel)

    # In the executor's thread.

    def _send(self) -> None:
        listen = self._on_feedback
        forward = None if listen is None else (lambda message: listen(message.feedback))
        future = self._client.send_goal_async(self._goal, feedback_callback=forward)
        future.add_done_callback(self._on_answer)

    def _on_answer(self, future: Future) -> None:
        handle = future.result()
        if handle is None or not handle.accepted:
            self._finish(None, None)
            return
        self._handle = handle
        self._answered.set()
        handle.get_result_async().add_done_callback(self._on_result)
        if self._cancel:
            self._forward_cancel()

    def _on_result(self, future: Future) -> None:
        answer = future.result()
        self._finish(int(answer.status), answer.result)

    def _forward_cancel(self) -> None:
        # A node that winds down closes its clients before what was posted gets its turn.
        open_still = any(waitable is self._client for waitable in self._node.waitables)
        if self._handle is not None and open_still and not self._over.is_set():
            told = self._handle.cancel_goal_async()  # type: ignore[attr-defined]
            told.add_done_callback(lambda _: self._on_told() if self._on_told else None)

    def _finish(self, status: int | None, result: ResultT | None) -> None:
        self._answered.set()
        self._over.set()
        if self._on_done is not None:
            self._on_done(status, result)


def send_goal(
    node: HostNode,  # type: ignore[type-arg]
    client: ActionClient,
    goal: object,
    *,
    on_feedback: Callable[[object], None] | None = None,
    on_done: Callable[[int | None, ResultT | None], None] | None = None,
) -> GoalCall[ResultT]:
    """Send a goal from any thread; returns at once.

    Args:
        node: whose executor is spun.
        client: action client of that node; check ``server_is_ready()`` first.
        goal: goal message.
        on_feedback: gets feedback messages in the executor's thread.
        on_done: see GoalCall.
    """
    return GoalCall(node, client, goal, on_feedback, on_done)
