# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Between the callbacks of an arm's node and the thread that moves the arm: requests and status."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TypeVar

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError, RobotError
from roboreward_ros.protocols import Robot
from roboreward_ros.ros.arm_beat import ArmStatus, Refusal
from roboreward_ros.types import EndCause, StepAction

T = TypeVar("T")
SHUTTING_DOWN = "the arm is shutting down"


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do on the arm's thread.

    Attributes:
        run: does it and answers whoever asked.
        refuse: answers that it will not be done.
    """

    run: Callable[[Robot], None]
    refuse: Callable[[RobotError], None]


@dataclass(slots=True)
class Episode:
    """The running episode, as far as the exchange knows.

    Attributes:
        episode_id: its name.
        max_steps: time limit.
        step: the present one.
        end: why it is to end; None while it goes on.
        heard_ns: steady time of the last action.
    """

    episode_id: str
    max_steps: int
    step: int = 0
    end: EndCause | None = None
    heard_ns: int = 0


class Exchange:
    """Every method may be called from any thread.

    Args:
        clock: source of time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._status = ArmStatus()
        self._jobs: deque[Job] = deque()
        self._episode: Episode | None = None
        self._action: StepAction | None = None
        self._stopping = False

    # For the node's callbacks.

    @property
    def status(self) -> ArmStatus:
        with self._changed:
            return self._status

    def submit(self, work: Callable[[Robot], T]) -> Future[T]:
        """Have ``work`` done on the arm's thread, between episodes."""
        future: Future[T] = Future()

        def run(robot: Robot) -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work(robot))
                except Exception as error:
                    future.set_exception(error)

        def refuse(error: RobotError) -> None:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)

        with self._changed:
            if not self._stopping:
                self._jobs.append(Job(run, refuse))
                self._changed.notify_all()
                return future
        refuse(RobotError(SHUTTING_DOWN))
        return future

    def begin(self, episode_id: str, max_steps: int) -> Refusal | None:
        """See ArmLoop.begin."""
        if not episode_id or max_steps < 1:
            raise ConfigError(
                "an episode needs an id and steps",
                got=f"'{episode_id}', {max_steps} steps",
                allowed="a name and 1 or more",
            )
        with self._changed:
            if self._episode is not None:
                return Refusal.BUSY
            if self._status.fault:
                return Refusal.FAULT
            if not self._status.ready or self._stopping:
                return Refusal.NOT_RESET
            self._episode = Episode(episode_id, max_steps, heard_ns=self._clock.steady_ns())
            self._status = replace(self._status, episode_id=episode_id, step=0, ready=False)
            self._action = None
            self._changed.notify_all()
            return None

    def end(self, episode_id: str, cause: EndCause) -> bool:
        """See ArmLoop.end."""
        with self._changed:
            if self._episode is None or self._episode.episode_id != episode_id:
                return False
            self._episode.end = self._episode.end or cause
            self._status = replace(self._status, ending=True)
            self._changed.notify_all()
            return True

    def offer(self, action: StepAction) -> bool:
        """See ArmLoop.offer."""
        with self._changed:
            episode = self._episode
            if (
                episode is None
                or episode.episode_id != action.episode_id
                or episode.step != action.step
                or self._action is not None
            ):
                self._status = replace(self._status, dropped=self._status.dropped + 1)
                return False
            self._action = action
            episode.heard_ns = self._clock.steady_ns()
            self._changed.notify_all()
            return True

    def wake(self) -> None:
        """Who acts may have changed."""
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """The arm's thread is to end."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    # For the arm's thread.

    def next(self, timeout_s: float | None) -> tuple[bool, Job | None, Episode | None]:
        """Wait for something to do: (go on, a job, the episode to run)."""
        with self._changed:
            if not self._jobs and self._episode is None and not self._stopping:
                self._changed.wait(timeout_s)
            if self._stopping:
                return False, None, None
            return True, self._jobs.popleft() if self._jobs else None, self._episode

    def await_action(
        self, episode: Episode, due_ns: int, instead: Callable[[], bool] = lambda: False
    ) -> tuple[StepAction | None, EndCause | None]:
        """The action of the present step, or why the episode ends; neither: it did not come.

        Where ``instead`` says that a person acts, nobody waits for the policy and none is late.
        """
        with self._changed:
            while True:
                if self._stopping:
                    return None, EndCause.OPERATOR
                if episode.end is not None:
                    return None, episode.end
                if self._action is not None:
                    return self._action, None
                if instead():
                    episode.heard_ns = self._clock.steady_ns()
                    return None, None
                left_ns = due_ns - self._clock.steady_ns()
                if left_ns <= 0:
                    break
                self._changed.wait(left_ns * 1e-9)
            self._status = replace(self._status, late=self._status.late + 1)
            return None, None

    def advance(self, episode: Episode) -> None:
        """A step is done; from now on actions are for the next."""
        with self._changed:
            episode.step += 1
            self._action = None
            self._status = replace(self._status, step=episode.step)

    def last(self) -> None:
        """The state that is about to be told is the episode's last: who hears it may go on."""
        with self._changed:
            self._status = replace(self._status, ending=True)

    def finish(self) -> None:
        """The episode is over."""
        with self._changed:
            self._episode = self._action = None
            self._status = replace(self._status, episode_id="", step=0, ending=False)

    def close(self) -> None:
        """Nobody does jobs any more; those that wait are refused."""
        with self._changed:
            self._stopping = True
            left, self._jobs = self._jobs, deque()
        for job in left:
            job.refuse(RobotError(SHUTTING_DOWN))

    def update(self, *, ready: bool | None = None, fault: str | None = None) -> None:
        """Change the status; None leaves a field."""
        with self._changed:
            status = self._status
            self._status = replace(
                status,
                ready=status.ready if ready is None else ready,
                fault=status.fault if fault is None else fault,
            )
