# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calls to other nodes from a worker thread, always with a deadline.

The executor must spin in another thread. Everything that touches an action client's tables runs in
the executor's thread, because rclpy does not lock them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.task import Future

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import StackError

if TYPE_CHECKING:
    from roboreward_ros.ros.lifecycle import HostNode

POLL_S = 0.02

ResponseT = TypeVar("ResponseT")
ResultT = TypeVar("ResultT")
Abandon = Callable[[], bool]


def _never() -> bool:
    return False


class _Ready(Protocol):
    def __call__(self) -> bool: ...


def wait_until(
    ready: _Ready, timeout_s: float, abandon: Abandon = _never, clock: Clock | None = None
) -> bool:
    """Poll ``ready`` every 20 ms; False after ``timeout_s`` or when ``abandon`` says so."""
    clock = clock if clock is not None else SystemClock()
    end_ns = clock.steady_ns() + round(timeout_s * 1e9)
    while not ready():
        if abandon() or clock.steady_ns() >= end_ns:
            return False
        clock.sleep(POLL_S)
    return True


def call(
    client: Client,
    request: object,
    timeout_s: float,
    abandon: Abandon = _never,
) -> object:
    """Call a service and wait for the response.

    Args:
        client: of any thread's node that is being spun.
        request: request message.
        timeout_s: for finding the server and the answer together, steady clock.
        abandon: polled; True gives up early.

    Raises:
        StackError: no server, no answer in time, or given up.
    """
    clock = SystemClock()
    end_ns = clock.steady_ns() + round(timeout_s * 1e9)
    if not wait_until(client.service_is_ready, timeout_s, abandon):
        raise StackError(
            f"service {client.srv_name} is not there",
            got=f"nothing within {timeout_s:g} s",
            next_step="Is its node running and active?",
        )
    done = threading.Event()
    future = client.call_async(request)
    future.add_done_callback(lambda _: done.set())
    while not done.wait(POLL_S):
        if abandon() or clock.steady_ns() >= end_ns:
            client.remove_pending_request(future)
            raise StackError(
                f"service {client.srv_name} did not answer", got=f"nothing within {timeout_s:g} s"
            )
    return future.result()


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
        self._status: int | None = None
        self._result: ResultT | None = None
        node.post(self._send)

    @property
    def name(self) -> str:
        """Name of the action."""
        return str(self._client._action_name)

    @property
    def accepted(self) -> bool | None:
        """None until the server has answered."""
        return self._handle is not None if self._answered.is_set() else None

    @property
    def over(self) -> bool:
        """Whether the result is there, or the goal was refused."""
        return self._over.is_set()

    def wait_accepted(self, timeout_s: float, abandon: Abandon = _never) -> None:
        """Raises StackError when the goal was refused or not answered in time."""
        answered = wait_until(self._answered.is_set, timeout_s, abandon)
        if not answered or self._handle is None:
            raise StackError(
                f"{self.name} did not accept the goal",
                got="refused" if answered else f"no answer within {timeout_s:g} s",
                next_step="Its node is busy, not active or gone; its log says which.",
            )

    def wait_result(self, timeout_s: float, abandon: Abandon = _never) -> tuple[int, ResultT]:
        """Status (action_msgs GoalStatus) and result; raises StackError when late or refused."""
        if not wait_until(self._over.is_set, timeout_s, abandon):
            self.cancel()
            raise StackError(f"{self.name} gave no result", got=f"nothing in {timeout_s:g} s")
        if self._status is None or self._result is None:
            raise StackError(f"{self.name} refused the goal", next_step="Its log says why.")
        return self._status, self._result

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
        if self._handle is not None and not self._over.is_set():
            told = self._handle.cancel_goal_async()  # type: ignore[attr-defined]
            told.add_done_callback(lambda _: self._on_told() if self._on_told else None)

    def _finish(self, status: int | None, result: ResultT | None) -> None:
        self._status, self._result = status, result
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


def succeeded(status: int | None) -> bool:
    """Whether a goal's status is SUCCEEDED."""
    return bool(status == GoalStatus.STATUS_SUCCEEDED)
