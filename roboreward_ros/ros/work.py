# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Action servers whose goals run on one worker thread, in order, at most so many at a time.

The executor only accepts, cancels and answers; the worker never touches rcl except to publish
feedback. A coroutine as execute callback would make the executor poll at full speed, and a
blocking one would stop it.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.logging import LoggingSeverity

from roboreward_ros import memory
from roboreward_ros.errors import RoboRewardError

if TYPE_CHECKING:
    from roboreward_ros.ros.lifecycle import HostNode

UNEXPECTED = 65535
"""error_code of a goal whose work raised something that nobody expected."""

REPEAT_S = 0.5
CANCELED = "canceled"
STOPPING = "stopping"


class Result(Protocol):
    """Every result of ours says how the request went, apart from what came of it."""

    error_code: int
    error_msg: str


RequestT = TypeVar("RequestT")
ResultT = TypeVar("ResultT", bound=Result)


class Goal(Generic[RequestT]):
    """One goal as its worker sees it. Thread-safe.

    Attributes:
        request: the goal message.
        afterwards: what its worker does once the result is out and before the next goal; an error
            is logged and changes nothing.
    """

    def __init__(self, handle: ServerGoalHandle) -> None:
        self._handle = handle
        self._lock = threading.Condition()
        self._reason: str | None = None
        self._closed_as_canceled = False
        self.request: RequestT = handle.request
        self.afterwards: Callable[[], None] | None = None
        self.key = bytes(handle.goal_id.uuid)

    @property
    def cancel_reason(self) -> str | None:
        """Why the work should end: ``canceled`` by a client, ``stopping`` node; None: go on."""
        with self._lock:
            return self._reason

    def wait_cancel(self, timeout_s: float) -> bool:
        """Sleep up to ``timeout_s``; True as soon as the work should end."""
        with self._lock:
            return self._lock.wait_for(lambda: self._reason is not None, timeout_s)

    def feedback(self, message: object) -> None:
        """Publish feedback; of a goal that is over it goes nowhere."""
        if self._handle.is_active:
            self._handle.publish_feedback(message)

    def feedback_until(
        self, message: object, answered: Callable[[float], bool], limit_s: float
    ) -> None:
        """Publish feedback again and again, since a client that is new may not hear the first.

        Args:
            message: the feedback; hearing it twice must do no harm.
            answered: waits so many seconds for what the client does about it; whether it came.
            limit_s: after which nothing is said any more, s; at most ten times REPEAT_S.
        """
        limit_s = min(limit_s, 10 * REPEAT_S)
        pause_s = min(REPEAT_S, limit_s)
        for _ in range(max(round(limit_s / pause_s), 1)):
            self.feedback(message)
            if answered(pause_s):
                return

    def canceled(self, result: ResultT) -> ResultT:
        """Mark the goal as ended by its cancel; ``return goal.canceled(result)``."""
        self._closed_as_canceled = True
        return result

    def end(self, reason: str) -> None:
        """Ask the worker to end; the first reason stays."""
        with self._lock:
            self._reason = self._reason or reason
            self._lock.notify_all()

    def conclude(self, result: Result) -> None:
        """Set the terminal state; in the executor's thread."""
        if self._closed_as_canceled and self._handle.is_cancel_requested:
            self._handle.canceled()
        elif result.error_code == 0 and not self._closed_as_canceled:
            self._handle.succeed()
        else:
            self._handle.abort()

    def execute(self) -> None:
        """Go from ACCEPTED to EXECUTING and hand over to the server's worker."""
        self._handle.execute()


class _DeferredServer(ActionServer):  # type: ignore[misc]
    """Lets the slot decide when a goal's result is fetched, by rclpy's own hook."""

    begin: Callable[[ServerGoalHandle], None]

    def notify_execute(
        self,
        goal_handle: ServerGoalHandle,
        execute_callback: Callable[[ServerGoalHandle], object] | None,
    ) -> None:
        if execute_callback is None:
            self.begin(goal_handle)
        else:
            super().notify_execute(goal_handle, execute_callback)


@dataclass(frozen=True, slots=True)
class _Job(Generic[RequestT]):
    goal: Goal[RequestT]
    handle: ServerGoalHandle


class WorkServer(Generic[RequestT, ResultT]):
    """An action server over one worker thread.

    Args:
        node: host; goals are refused while it is not active.
        action: action type.
        name: relative name.
        work: does one goal in the worker thread, looks at ``goal.cancel_reason`` often, returns the
            result message, or a future of it where another thread goes on with the goal; the
            worker then takes the next. What either raises becomes a result of ``failed``.
        failed: makes the result of an exception; None: UNEXPECTED and the message.
        capacity: goals accepted at a time; 1 is exclusive, more wait in order.
        on_cancel: called in the executor's thread when a goal should end, to wake its worker.
    """

    def __init__(
        self,
        node: HostNode,  # type: ignore[type-arg]
        action: type,
        name: str,
        work: Callable[[Goal[RequestT]], ResultT | Future[ResultT]],
        *,
        failed: Callable[[Exception], ResultT] | None = None,
        capacity: int = 1,
        on_cancel: Callable[[Goal[RequestT]], None] | None = None,
    ) -> None:
        self._node = node
        self._action = action
        self._name = name
        self._work = work
        self._failed = failed
        self._capacity = capacity
        self._on_cancel = on_cancel
        self._goals: dict[bytes, Goal[RequestT]] = {}
        self._lock = threading.Lock()
        self._unfinished = 0
        self._idle = threading.Event()
        self._idle.set()
        self._closed = False
        self._clients_log = node.get_logger().get_child("action_server")
        self._clients_log.set_level(LoggingSeverity.UNSET)
        self._jobs: SimpleQueue[_Job[RequestT] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name=f"{name} worker", daemon=True)
        self._thread.start()
        self._server = _DeferredServer(
            node,
            action,
            name,
            execute_callback=lambda _: None,
            goal_callback=self._admit,
            handle_accepted_callback=self._accepted,
            cancel_callback=self._cancel,
        )
        self._server.begin = self._begin

    @property
    def busy(self) -> bool:
        """Whether a goal is accepted and not yet answered."""
        with self._lock:
            return bool(self._goals)

    @property
    def waiting(self) -> int:
        """Goals that are accepted and not yet answered."""
        with self._lock:
            return len(self._goals)

    def end_all(self, reason: str = STOPPING, timeout_s: float = 5.0) -> bool:
        """Ask every goal to end and wait for the worker; False when it did not end in time.

        New goals are refused as long as the node is not active.
        """
        if reason == STOPPING:
            # A terminal's Ctrl-C stops clients too: that nobody takes the result is no news then.
            self._clients_log.set_level(LoggingSeverity.ERROR)
        with self._lock:
            goals = list(self._goals.values())
        for goal in goals:
            goal.end(reason)
            if self._on_cancel is not None:
                self._on_cancel(goal)
        ended = self._idle.wait(timeout_s)
        if not ended:
            self._node.get_logger().error(f"{self._name}: work did not end in {timeout_s:g} s")
        return ended

    def close(self, timeout_s: float = 5.0) -> None:
        """End goals and the worker thread; idempotent. The node destroys the server."""
        if self._closed:
            return
        self._closed = True
        self.end_all(STOPPING, timeout_s)
        self._jobs.put(None)
        self._thread.join(timeout_s)

    # In the executor's thread.

    def _admit(self, request: object) -> GoalResponse:
        del request
        why = None
        with self._lock:
            if self._closed or not self._node.active:
                why = "the node is not active"
            elif len(self._goals) >= self._capacity:
                running = ", ".join(key.hex()[:8] for key in self._goals)
                why = f"busy with goal {running}; {self._capacity} at a time"
        if why is None:
            return GoalResponse.ACCEPT
        self._node.get_logger().warning(f"{self._name}: goal refused: {why}")
        return GoalResponse.REJECT

    def _accepted(self, handle: ServerGoalHandle) -> None:
        goal: Goal[RequestT] = Goal(handle)
        with self._lock:
            self._goals[goal.key] = goal
            self._unfinished += 1
            self._idle.clear()
        goal.execute()

    def _begin(self, handle: ServerGoalHandle) -> None:
        with self._lock:
            goal = self._goals[bytes(handle.goal_id.uuid)]
        self._jobs.put(_Job(goal, handle))

    def _cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        with self._lock:
            goal = self._goals.get(bytes(handle.goal_id.uuid))
        if goal is None:
            return CancelResponse.REJECT
        goal.end(CANCELED)
        if self._on_cancel is not None:
            self._on_cancel(goal)
        return CancelResponse.ACCEPT

    def _answer(
        self, goal: Goal[RequestT], result: ResultT
    ) -> Callable[[ServerGoalHandle], ResultT]:
        """What the server calls in the executor's thread to fetch the result."""

        def conclude(handle: ServerGoalHandle) -> ResultT:
            del handle
            # The slot is free before the client hears of it, so that its next goal is accepted.
            with self._lock:
                self._goals.pop(goal.key, None)
            goal.conclude(result)
            return result

        return conclude

    # In the worker's thread.

    def _loop(self) -> None:
        while (job := self._jobs.get()) is not None:
            work = partial(self._work, job.goal)
            result = self._run(work)
            if isinstance(result, Future):
                result.add_done_callback(partial(self._finish_later, job))
            else:
                self._finish(job, result)
                self._follow_up(job.goal)
            del job, work, result

    def _follow_up(self, goal: Goal[RequestT]) -> None:
        if goal.afterwards is None:
            return
        try:
            goal.afterwards()
        except Exception as error:
            self._of_error(error)
            if memory.ran_out(error):
                memory.release()

    def _finish_later(self, job: _Job[RequestT], future: Future[ResultT]) -> None:
        result = self._run(future.result)
        assert not isinstance(result, Future)
        self._finish(job, result)

    def _finish(self, job: _Job[RequestT], result: ResultT) -> None:
        self._server.notify_execute(job.handle, self._answer(job.goal, result))
        with self._lock:
            self._unfinished -= 1
            if self._unfinished == 0:
                self._idle.set()

    def _run(self, work: Callable[[], ResultT | Future[ResultT]]) -> ResultT | Future[ResultT]:
        try:
            return work()
        except Exception as error:
            result, no_room = self._of_error(error), memory.ran_out(error)
        if no_room:
            memory.release()
        return result

    def _of_error(self, error: Exception) -> ResultT:
        log, text = self._node.get_logger(), memory.explained(error)
        log.error(f"{self._name}: {text}")
        if not isinstance(error, RoboRewardError) and not memory.ran_out(error):
            log.error(traceback.format_exc())
        if self._failed is not None:
            return self._failed(error)
        result: ResultT = self._action.Result()  # type: ignore[attr-defined]
        result.error_code = UNEXPECTED
        result.error_msg = text
        return result
