# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One thread on which everything of a component happens, so that it needs no locks.

Callbacks of rclpy ``post`` what they heard and return at once; timers run on the same thread.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import TypeVar

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import StackError

_LOG = logging.getLogger(__name__)
Job = Callable[[], None]
T = TypeVar("T")


class Timer:
    """A job that will run once; ``cancel`` is for the loop's own thread."""

    def __init__(self, due_ns: int, job: Job) -> None:
        self.due_ns = due_ns
        self.job = job
        self.cancelled = False

    def cancel(self) -> None:
        """The job will not run; idempotent."""
        self.cancelled = True


class Loop:
    """Runs jobs in the order they were posted.

    Args:
        name: of the thread.
        on_error: told of an exception that a job raised; the loop goes on.
        clock: its steady clock times the timers.
    """

    def __init__(
        self,
        name: str,
        on_error: Callable[[BaseException], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._on_error = on_error
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._timers: list[tuple[int, int, Timer]] = []
        self._numbers = itertools.count()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to run jobs."""
        self._thread.start()

    def post(self, job: Job) -> None:
        """Run ``job`` soon; from any thread."""
        self._jobs.put(job)

    def after(self, delay_s: float, job: Job) -> Timer:
        """Run ``job`` once after ``delay_s`` steady seconds; from the loop's own thread."""
        timer = Timer(self._clock.steady_ns() + round(delay_s * 1e9), job)
        heapq.heappush(self._timers, (timer.due_ns, next(self._numbers), timer))
        return timer

    def ask(self, job: Callable[[], T], timeout_s: float = 5.0) -> T:
        """Run ``job`` on the loop and wait for what it returns or raises; from other threads.

        Raises:
            StackError: the loop is busy or closed for that long.
        """
        answer: Future[T] = Future()

        def work() -> None:
            try:
                answer.set_result(job())
            except Exception as error:
                answer.set_exception(error)

        self.post(work)
        try:
            return answer.result(timeout_s)
        except TimeoutError:
            raise StackError("no answer", got=f"nothing within {timeout_s:g} s") from None

    def close(self, timeout_s: float = 5.0) -> bool:
        """Run what was posted so far, then end; timers are dropped. Returns whether it ended."""
        if not self._thread.is_alive():
            return True
        self._jobs.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            job = self._due()
            if job is None:
                try:
                    job = self._jobs.get(timeout=self._wait_s())
                except queue.Empty:
                    continue
                if job is None:
                    return
            self._call(job)

    def _wait_s(self) -> float | None:
        if not self._timers:
            return None
        return max((self._timers[0][0] - self._clock.steady_ns()) / 1e9, 0.0)

    def _due(self) -> Job | None:
        while self._timers and self._timers[0][0] <= self._clock.steady_ns():
            timer = heapq.heappop(self._timers)[2]
            if not timer.cancelled:
                return timer.job
        return None

    def _call(self, job: Job) -> None:
        try:
            job()
        except Exception as error:
            if self._on_error is None:
                _LOG.exception("a job of the loop failed")
            else:
                self._on_error(error)


class _Tick:
    def __await__(self) -> Generator[None, None, None]:
        yield


async def until(ready: Callable[[], bool], poll_s: float = 0.02) -> None:
    """Await in a service callback while a thread works; other callbacks run in between.

    rclpy resumes a waiting coroutine at once, again and again, so each turn sleeps a little.
    """
    clock = SystemClock()
    while not ready():
        clock.sleep(poll_s)
        await _Tick()
