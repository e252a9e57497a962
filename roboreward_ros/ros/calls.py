# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calls of actions and services that tell a :class:`Loop`, and always end.

For components that live on one loop; ``client`` has the same for threads that may block. The server
may be missing, refuse, die or hang: the caller hears one sentence that names it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.task import Future

from roboreward_ros.ros.client import GoalCall, send_goal
from roboreward_ros.ros.loop import Loop

if TYPE_CHECKING:
    from roboreward_ros.ros.lifecycle import HostNode

# Generated messages have no types, so their fields cannot be checked anyway.
Message = Any  # type: ignore[explicit-any,unused-ignore]
OnResult = Callable[[str, Message], None]
OnMessage = Callable[[Message], None]
OnFailure = Callable[[str], None]

_STATUS = {
    GoalStatus.STATUS_SUCCEEDED: "succeeded",
    GoalStatus.STATUS_CANCELED: "canceled",
    GoalStatus.STATUS_ABORTED: "aborted",
}


ACCEPT_S = 5.0
"""A server answers at once whether it takes a goal, whatever it is doing."""


def ignore(_: object) -> None:
    """For callers that want no feedback."""


class ActionCall:
    """One goal, from sending to its result. Created and used on the loop's thread.

    Args:
        node: whose executor is spun in another thread.
        loop: where callbacks run.
        client: of the action.
        goal: the goal message.
        timeout_s: without a result or ``renew`` for that long it fails, steady seconds.
        on_result: (status "succeeded" | "canceled" | "aborted", result message).
        on_failure: the reason why there is no result.
        on_feedback: every feedback message.
    """

    def __init__(
        self,
        node: HostNode,  # type: ignore[type-arg]
        loop: Loop,
        client: ActionClient,
        goal: object,
        timeout_s: float,
        on_result: OnResult,
        on_failure: OnFailure,
        on_feedback: OnMessage = ignore,
    ) -> None:
        self._loop = loop
        self._name = client._action_name
        self._on_result = on_result
        self._on_failure = on_failure
        self._on_feedback = on_feedback
        self._open = True
        self._call: GoalCall[Message] | None = None
        self._timer = loop.after(timeout_s, lambda: self._fail(f"no answer in {timeout_s:g} s"))
        loop.after(ACCEPT_S, self._require_accepted)
        if not client.server_is_ready():
            loop.post(lambda: self._fail("nobody offers it"))
            return
        self._call = send_goal(
            node,
            client,
            goal,
            on_feedback=lambda message: loop.post(lambda: self._heard(message)),
            on_done=lambda status, result: loop.post(lambda: self._finished(status, result)),
        )

    @property
    def open(self) -> bool:
        """Whether the caller has not heard of its end."""
        return self._open

    def cancel(self, on_told: Callable[[], None] | None = None) -> None:
        """Ask the server to end; its result still comes.

        Args:
            on_told: run on the loop once the server has answered the request, if it does.
        """
        if self._call is not None:
            told = on_told
            self._call.cancel(None if told is None else lambda: self._loop.post(told))

    def renew(self, timeout_s: float) -> None:
        """The server lives: wait anew, from now on at most ``timeout_s``."""
        if self._open:
            self._timer.cancel()
            self._timer = self._loop.after(
                timeout_s, lambda: self._fail(f"no answer in {timeout_s:g} s")
            )

    def drop(self) -> None:
        """Cancel and hear nothing more of it."""
        self.cancel()
        self._close()

    def _require_accepted(self) -> None:
        """A server that was killed stays visible for a while; goals sent to it are lost."""
        if self._open and (self._call is None or self._call.accepted is None):
            self._fail(f"it did not take the goal within {ACCEPT_S:g} s")

    def _heard(self, feedback: Message) -> None:
        if self._open:
            self._on_feedback(feedback)

    def _finished(self, status: int | None, result: Message | None) -> None:
        if not self._open:
            return
        if status is None:
            self._fail("it refused the goal: it is busy or not active (its log says which)")
        elif status not in _STATUS:
            self._fail("its server forgot the goal")
        else:
            self._close()
            self._on_result(_STATUS[status], result)

    def _fail(self, reason: str) -> None:
        if self._open:
            self.cancel()
            self._close()
            self._on_failure(f"{self._name}: {reason}")

    def _close(self) -> None:
        self._open = False
        self._timer.cancel()


def call_service(
    loop: Loop,
    client: Client,
    request: object,
    timeout_s: float,
    on_answer: OnMessage,
    on_failure: OnFailure,
) -> None:
    """Call a service; exactly one of the two callbacks is run, on the loop.

    Args:
        loop: where callbacks run; call this on its thread.
        client: of the service.
        request: its request message.
        timeout_s: steady seconds.
        on_answer: the response message.
        on_failure: the reason why there is none.
    """
    done = False

    def end(job: Callable[[], None]) -> None:
        nonlocal done
        if not done:
            done = True
            timer.cancel()
            job()

    def answered(future: Future) -> None:
        error = future.exception()
        if error is not None:
            end(lambda: on_failure(f"{client.srv_name}: {error}"))
        else:
            end(lambda: on_answer(future.result()))

    def late() -> None:
        end(lambda: on_failure(f"{client.srv_name}: no answer in {timeout_s:g} s"))

    timer = loop.after(timeout_s, late)
    if not client.service_is_ready():
        loop.post(lambda: end(lambda: on_failure(f"{client.srv_name}: nobody offers it")))
        return
    client.call_async(request).add_done_callback(lambda future: loop.post(lambda: answered(future)))
