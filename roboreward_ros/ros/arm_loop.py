# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one thread that moves an arm: resets, episodes step by step, hold at the end of everything.

The arm and all that is bound to its thread (an OpenGL context) are made, used and closed here.
In lock-step the next step waits for its action; at real time the steady clock ticks and a missing
action is a hold. Knows nothing about rclpy.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError, RoboRewardError, RobotError
from roboreward_ros.protocols import Robot
from roboreward_ros.ros.arm_beat import ArmLoopConfig, ArmStatus, BeatSink, PeriodClock, Refusal
from roboreward_ros.ros.rates import TickStatistics
from roboreward_ros.types import (
    Beat,
    EndCause,
    FloatArray,
    RobotState,
    StepAction,
    StepFlag,
    StepReport,
)

T = TypeVar("T")


@dataclass(slots=True)
class _Episode:
    episode_id: str
    max_steps: int
    step: int = 0
    end: EndCause | None = None
    heard_ns: int = 0  # steady time of the last action


class ArmLoop:
    """See the module's text. All methods but ``run`` may be called from any thread.

    Args:
        make_robot: makes the arm, on the loop's thread; gets the clock for its driver.
        sink: takes the beat.
        config: see ArmLoopConfig.
        clock: source of time.
        log: takes warnings for people.
        judge: reasons why a measured state is a fault; empty when all is well.
    """

    def __init__(
        self,
        make_robot: Callable[[Clock], Robot],
        sink: BeatSink,
        config: ArmLoopConfig,
        clock: Clock,
        log: Callable[[str], None],
        judge: Callable[[RobotState], str] = lambda _: "",
    ) -> None:
        self.ticks = TickStatistics(config.period_ns)
        self._make_robot = make_robot
        self._sink = sink
        self._config = config
        self._clock = clock
        self._driver_clock = PeriodClock(clock)
        self._log = log
        self._judge = judge
        self._changed = threading.Condition()
        self._status = ArmStatus()
        self._jobs: deque[Callable[[Robot], None]] = deque()
        self._episode: _Episode | None = None
        self._action: StepAction | None = None
        self._stopping = False
        self._due_ns = 0
        self._linked: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="arm worker", daemon=True)

    @property
    def status(self) -> ArmStatus:
        with self._changed:
            return self._status

    def start(self, timeout_s: float) -> None:
        """Make and connect the arm; raises what that raises, and RobotError when it takes long."""
        self._thread.start()
        try:
            self._linked.result(timeout_s)
        except TimeoutError:
            raise RobotError("the arm did not connect", got=f"nothing in {timeout_s:g} s") from None

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the episode, hold, close the arm; False when the thread did not end in time."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def reset(self, task: str, seed: int) -> Future[RobotState]:
        """Go to the start pose; the twin lays out the scene.

        The future raises ConfigError for an unknown task and RobotError when the arm cannot.
        """

        def job(robot: Robot) -> RobotState:
            self._update(ready=False)
            try:
                state = robot.reset(task, seed)
            except ConfigError:
                raise  # the request was wrong, not the arm
            except RoboRewardError as error:
                self._update(fault=str(error))
                raise
            self._update(ready=True, fault="")
            return state

        return self._submit(job)

    def begin(self, episode_id: str, max_steps: int) -> Refusal | None:
        """Publish step 0 soon and expect actions; or why not.

        Raises:
            ConfigError: no id, or no steps.
        """
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
            self._episode = _Episode(episode_id, max_steps, heard_ns=self._clock.steady_ns())
            self._status = replace(self._status, episode_id=episode_id, step=0, ready=False)
            self._action = None
            self._changed.notify_all()
            return None

    def end(self, episode_id: str, cause: EndCause) -> bool:
        """Hold and publish the last state; False when that episode is not running."""
        with self._changed:
            if self._episode is None or self._episode.episode_id != episode_id:
                return False
            self._episode.end = self._episode.end or cause
            self._changed.notify_all()
            return True

    def offer(self, action: StepAction) -> bool:
        """An action came; False when it is for another step or episode and was dropped."""
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

    # On the loop's thread.

    def _run(self) -> None:
        try:
            robot = self._make_robot(self._driver_clock)
            robot.connect()
        except Exception as error:
            self._linked.set_exception(error)
            return
        self._linked.set_result(None)
        try:
            self._serve(robot)
        finally:
            self._hold_last(robot)

    def _serve(self, robot: Robot) -> None:
        while True:
            with self._changed:
                if not self._jobs and self._episode is None and not self._stopping:
                    timeout = None if self._config.lock_step else self._until_due_s()
                    self._changed.wait(timeout)
                if self._stopping:
                    break
                job = self._jobs.popleft() if self._jobs else None
                episode = self._episode
            if job is not None:
                job(robot)
            elif episode is not None:
                self._run_episode(robot, episode)
            elif not self._config.lock_step and self._until_due_s() <= 0.0:
                self._idle(robot)

    def _idle(self, robot: Robot) -> None:
        self._due_ns = self._clock.steady_ns() + self._config.period_ns
        try:
            self._sink.idle(robot.state())
        except RobotError:
            return  # not reset yet: there is nothing to show
        except Exception as error:
            # Pictures or transport failed. The thread must live: it is the one that can hold.
            if self.status.fault != str(error):
                self._fault(str(error))

    def _run_episode(self, robot: Robot, episode: _Episode) -> None:
        """One episode, from step 0 to the state after which no action is wanted."""
        self._due_ns = self._clock.steady_ns() + self._config.period_ns
        self.ticks.restart()
        try:
            state = robot.state()
            self._publish(Beat(episode.episode_id, 0, state))
            while True:
                report, cause = self._step(robot, episode, state)
                state = report.state
                with self._changed:
                    episode.step += 1
                    self._action = None
                    self._status = replace(self._status, step=episode.step)
                if cause is None and episode.step >= episode.max_steps:
                    cause = EndCause.TIME
                if cause is not None and not report.flags & StepFlag.HOLD:
                    self._rest(robot)
                self._publish(Beat(episode.episode_id, episode.step, state, report, cause))
                if cause is not None:
                    return
        except Exception as error:
            # Rendering or transport failed: there is no state that could be published.
            self._rest(robot)
            self._fault(f"episode {episode.episode_id} broke off: {error}")
        finally:
            self._driver_clock.end_ns = None
            with self._changed:
                self._episode = None
                self._action = None
                self._status = replace(self._status, episode_id="", step=0)

    def _rest(self, robot: Robot) -> None:
        """Hold at once: an arm would go on to the target of its last action, however it ended.

        The twin's time stands still between episodes.
        """
        if not self._config.paced:
            return
        self._driver_clock.end_ns = self._clock.steady_ns()
        try:
            robot.hold()
        except RoboRewardError as error:
            self._log(f"the arm could not hold: {error}")

    def _publish(self, beat: Beat) -> None:
        self.ticks.tick(self._clock.steady_ns())
        self._sink.publish(beat)

    def _step(
        self, robot: Robot, episode: _Episode, before: RobotState
    ) -> tuple[StepReport, EndCause | None]:
        """One control period: the report of its action or hold, and why the episode ends."""
        action, cause = self._await_action(episode)
        extra = StepFlag.NONE
        self._driver_clock.end_ns = None if self._config.lock_step else self._due_ns
        try:
            if not self._config.paced:
                self._sleep_to_period_end()
            if action is not None:
                report = robot.step(action.action)
            else:
                extra = StepFlag.HOLD if cause is not None else StepFlag.HOLD | StepFlag.LATE
                report = robot.hold()
            self._sleep_to_period_end()
        except RoboRewardError as error:  # refused, link lost, physics diverged
            self._fault(str(error))
            raw = action.action if action is not None else np.zeros(7)
            return _held(robot, before, raw), EndCause.FAULT
        self._next_due()
        if fault := self._judge(report.state):
            self._fault(fault)
            cause, extra = EndCause.FAULT, extra | StepFlag.FAULT
        elif cause is EndCause.FAULT:
            extra |= StepFlag.FAULT
        return replace(report, flags=report.flags | extra), cause

    def _await_action(self, episode: _Episode) -> tuple[StepAction | None, EndCause | None]:
        """The action of the present step, or None and why the episode ends (None: a hold)."""
        limit_ns = episode.heard_ns + round(self._config.action_timeout_s * 1e9)
        due_ns = limit_ns if self._config.lock_step else min(self._due_ns, limit_ns)
        with self._changed:
            while True:
                if self._stopping:
                    return None, EndCause.OPERATOR
                if episode.end is not None:
                    return None, episode.end
                if self._action is not None:
                    return self._action, None
                left_ns = due_ns - self._clock.steady_ns()
                if left_ns <= 0:
                    break
                self._changed.wait(left_ns * 1e-9)
            self._status = replace(self._status, late=self._status.late + 1)
        if self._clock.steady_ns() < limit_ns:
            return None, None
        self._fault(
            f"no action for step {episode.step} of {episode.episode_id} within "
            f"{self._config.action_timeout_s:g} s; is policy_node alive?"
        )
        return None, EndCause.FAULT

    def _sleep_to_period_end(self) -> None:
        if not self._config.lock_step:
            self._driver_clock.sleep(0.0)

    def _until_due_s(self) -> float:
        return max(self._due_ns - self._clock.steady_ns(), 0) * 1e-9

    def _next_due(self) -> None:
        """The next tick; ticks that were missed are left out, not caught up."""
        if self._config.lock_step:
            return
        now_ns = self._clock.steady_ns()
        self._due_ns += self._config.period_ns
        if self._due_ns <= now_ns:
            self.ticks.overrun()
            self._due_ns = now_ns + self._config.period_ns

    def _hold_last(self, robot: Robot) -> None:
        try:
            robot.hold()
        except RoboRewardError as error:
            self._log(f"the arm could not hold: {error}")
        finally:
            robot.close()
            with self._changed:
                self._jobs.clear()

    def _fault(self, message: str) -> None:
        self._log(message)
        self._update(fault=message)

    def _update(self, *, ready: bool | None = None, fault: str | None = None) -> None:
        with self._changed:
            status = self._status
            self._status = replace(
                status,
                ready=status.ready if ready is None else ready,
                fault=status.fault if fault is None else fault,
            )

    def _submit(self, work: Callable[[Robot], T]) -> Future[T]:
        future: Future[T] = Future()

        def job(robot: Robot) -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work(robot))
                except Exception as error:
                    future.set_exception(error)

        with self._changed:
            if self._stopping:
                future.set_exception(RobotError("the arm is shutting down"))
            else:
                self._jobs.append(job)
                self._changed.notify_all()
        return future


def _held(robot: Robot, before: RobotState, raw: FloatArray) -> StepReport:
    """Report of a period whose action was refused: the driver has commanded a hold."""
    try:
        state = robot.state()
    except RoboRewardError:
        state = before
    executed = np.zeros(7)
    executed[6] = state.gripper
    return StepReport(
        action_raw=raw,
        action_executed=executed,
        target_pose=state.ee_pose,
        q_command=state.q,
        flags=StepFlag.HOLD | StepFlag.FAULT,
        state=state,
    )
