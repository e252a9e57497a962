# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one thread that moves an arm: resets, episodes step by step, hold at the end of everything.

The arm and all that is bound to its thread (an OpenGL context) are made, used and closed here.
In lock-step the next step waits for its action; at real time the steady clock ticks and a missing
action is a hold. Knows nothing about rclpy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError, RoboRewardError, RobotError
from roboreward_ros.protocols import Robot
from roboreward_ros.ros.arm_beat import ArmLoopConfig, ArmStatus, BeatSink, PeriodClock, Refusal
from roboreward_ros.ros.arm_episode import EpisodeRunner
from roboreward_ros.ros.arm_exchange import Exchange
from roboreward_ros.ros.arm_takeover import TakeOver
from roboreward_ros.types import EndCause, FloatArray, RobotState, StepAction


class ArmLoop:
    """See the module's text. All methods but ``run`` may be called from any thread.

    Args:
        make_robot: makes the arm, on the loop's thread; gets the clock for its driver.
        sink: takes the beat.
        config: see ArmLoopConfig.
        clock: source of time.
        log: takes warnings for people.
        judge: reasons why a measured state is a fault; empty when all is well.
        interrupt: ends a motion that the loop's thread is waiting for, for good; for ``stop``.
        cancel: ends such a motion once; for ``cancel_reset``.
    """

    def __init__(
        self,
        make_robot: Callable[[PeriodClock], Robot],
        sink: BeatSink,
        config: ArmLoopConfig,
        clock: Clock,
        log: Callable[[str], None],
        judge: Callable[[RobotState], str] = lambda _: "",
        interrupt: Callable[[], None] = lambda: None,
        cancel: Callable[[], None] = lambda: None,
    ) -> None:
        self._make_robot = make_robot
        self._sink = sink
        self._config = config
        self._clock = clock
        self._driver_clock = PeriodClock(clock)
        self._log = log
        self._interrupt = interrupt
        self._cancel = cancel
        self._resetting = threading.Event()
        self._exchange = Exchange(clock)
        self._person = TakeOver(clock, config.period_ns * 1e-9)
        self._runner = EpisodeRunner(
            self._exchange, sink, config, clock, self._driver_clock, self._person, judge, log
        )
        self.ticks = self._runner.ticks
        self._idle_ns = 0
        self._linked: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="arm worker", daemon=True)

    @property
    def status(self) -> ArmStatus:
        return self._exchange.status

    def start(self, timeout_s: float) -> None:
        """Make and connect the arm; raises what that raises, and RobotError when it takes long."""
        self._thread.start()
        try:
            self._linked.result(timeout_s)
        except TimeoutError:
            raise RobotError("the arm did not connect", got=f"nothing in {timeout_s:g} s") from None

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the episode or motion, hold, close the arm; False when that took too long."""
        self._exchange.stop()
        if self._config.paced:
            self._interrupt()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def reset(self, task: str, seed: int) -> Future[RobotState]:
        """Go to the start pose; the twin lays out the scene.

        The future raises ConfigError for an unknown task and RobotError when the arm cannot.
        """

        def job(robot: Robot) -> RobotState:
            self._exchange.update(ready=False)
            self._resetting.set()
            try:
                state = robot.reset(task, seed)
            except ConfigError:
                raise  # the request was wrong, not the arm
            except RoboRewardError as error:
                self._exchange.update(fault=str(error))
                raise
            finally:
                self._resetting.clear()
            self._exchange.update(ready=True, fault="")
            return state

        return self._exchange.submit(job)

    def cancel_reset(self) -> None:
        """End a reset that is under way; the arm holds."""
        if self._resetting.is_set():
            self._cancel()

    def begin(self, episode_id: str, max_steps: int) -> Refusal | None:
        """Publish step 0 soon and expect actions; or why not.

        Raises:
            ConfigError: no id, or no steps.
        """
        return self._exchange.begin(episode_id, max_steps)

    def end(self, episode_id: str, cause: EndCause) -> bool:
        """Hold and publish the last state; False when that episode is not running."""
        return self._exchange.end(episode_id, cause)

    def offer(self, action: StepAction) -> bool:
        """An action came; False when it is for another step or episode and was dropped."""
        return self._exchange.offer(action)

    def hand_over(self, *, to_person: bool) -> str:
        """Who moves the arm in the running episode; why not, "" where it is done."""
        if not self.status.episode_id:
            return "no episode is running"
        if to_person:
            self._person.take()
        else:
            self._person.give_back()
        self._exchange.wake()
        return ""

    def move(self, velocity: FloatArray) -> None:
        """See ``TakeOver.move``; without effect while the policy acts."""
        self._person.move(velocity)

    def grip(self, opening: float) -> None:
        """See ``TakeOver.grip``; without effect while the policy acts."""
        self._person.grip(opening)

    # On the loop's thread.

    def _run(self) -> None:
        robot: Robot | None = None
        try:
            robot = self._make_robot(self._driver_clock)
            robot.connect()
        except Exception as error:
            if robot is not None:
                robot.close()
            self._linked.set_exception(error)
            return
        self._linked.set_result(None)
        try:
            self._serve(robot)
        finally:
            self._hold_last(robot)

    def _serve(self, robot: Robot) -> None:
        while True:
            timeout_s = None if self._config.lock_step else self._until_idle_s()
            go_on, job, episode = self._exchange.next(timeout_s)
            if not go_on:
                return
            if job is not None:
                job.run(robot)
            elif episode is not None:
                self._runner.run(robot, episode)
            elif not self._config.lock_step and self._until_idle_s() <= 0.0:
                self._idle(robot)

    def _until_idle_s(self) -> float:
        return max(self._idle_ns - self._clock.steady_ns(), 0) * 1e-9

    def _idle(self, robot: Robot) -> None:
        self._idle_ns = self._clock.steady_ns() + self._config.period_ns
        try:
            self._sink.idle(robot.state())
        except RobotError as error:
            # An arm that was not reset yet has nothing to show; one that was is in trouble.
            if self.status.ready:
                self._log(str(error))
                self._exchange.update(ready=False, fault=str(error))
        except Exception as error:
            # Pictures or transport failed. The thread must live: it is the one that can hold.
            if self.status.fault != str(error):
                self._log(str(error))
                self._exchange.update(fault=str(error))

    def _hold_last(self, robot: Robot) -> None:
        self._exchange.close()
        try:
            robot.hold()
        except RoboRewardError as error:
            self._log(f"the arm could not hold: {error}")
        finally:
            robot.close()
