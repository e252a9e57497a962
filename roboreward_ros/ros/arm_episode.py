# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One episode on the arm's thread: a beat a control period, and a hold at whatever end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from roboreward_ros.clock import Clock
from roboreward_ros.errors import RoboRewardError
from roboreward_ros.protocols import Robot
from roboreward_ros.robot.interrupt import MotionInterruptedError
from roboreward_ros.ros.arm_beat import ArmLoopConfig, BeatSink, PeriodClock
from roboreward_ros.ros.arm_exchange import Episode, Exchange
from roboreward_ros.ros.arm_takeover import Hands, TakeOver
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


class EpisodeRunner:
    """Runs episodes one after the other.

    Args:
        exchange: where actions and ends come from.
        sink: takes the beat.
        config: see ArmLoopConfig.
        clock: source of time.
        driver_clock: the driver's; told when the period ends.
        person: may move the arm instead of the policy.
        judge: reasons why a measured state is a fault.
        log: takes warnings for people.
    """

    def __init__(
        self,
        exchange: Exchange,
        sink: BeatSink,
        config: ArmLoopConfig,
        clock: Clock,
        driver_clock: PeriodClock,
        person: TakeOver,
        judge: Callable[[RobotState], str],
        log: Callable[[str], None],
    ) -> None:
        self.ticks = TickStatistics(config.period_ns)
        self._exchange = exchange
        self._sink = sink
        self._config = config
        self._clock = clock
        self._driver_clock = driver_clock
        self._person = person
        self._judge = judge
        self._log = log
        self._due_ns = 0

    def run(self, robot: Robot, episode: Episode) -> None:
        """From step 0 to the state after which no action is wanted."""
        if self._config.paced:
            # A state belongs to a picture that is not younger; cameras have a rate of their own,
            # so let one come before the first state.
            self._clock.sleep(self._config.period_ns * 1e-9)
        self._due_ns = self._clock.steady_ns() + self._config.period_ns
        self.ticks.restart()
        try:
            state = robot.state()
            self._person.begin(state.gripper)
            self._publish(Beat(episode.episode_id, 0, state))
            while True:
                report, cause = self._step(robot, episode, state)
                state = report.state
                self._exchange.advance(episode)
                if cause is None and episode.step >= episode.max_steps:
                    cause = EndCause.TIME
                moves = cause is not None and not report.flags & StepFlag.HOLD
                if moves and self._config.paced:
                    self._rest(robot)
                if cause is not None:
                    self._exchange.last()
                self._publish(Beat(episode.episode_id, episode.step, state, report, cause))
                if cause is not None:
                    break
        except Exception as error:
            # Rendering or transport failed: there is no state that could be published.
            self._rest(robot)
            self._fault(f"episode {episode.episode_id} broke off: {error}")
        finally:
            self._driver_clock.end_ns = None
            self._exchange.finish()
            self._person.end()
        if not self._config.paced:
            self._rest(robot)  # a twin's picture and truth are drawn as its state is published

    def _rest(self, robot: Robot) -> None:
        """Hold at once: an arm would go on to the target of its last action, however it ended."""
        self._driver_clock.end_ns = self._clock.steady_ns()
        try:
            robot.hold()
        except RoboRewardError as error:
            self._log(f"the arm could not hold: {error}")
        finally:
            self._driver_clock.end_ns = None

    def _publish(self, beat: Beat) -> None:
        self.ticks.tick(self._clock.steady_ns())
        self._sink.publish(beat)

    def _step(
        self, robot: Robot, episode: Episode, before: RobotState
    ) -> tuple[StepReport, EndCause | None]:
        """One control period: the report of its action or hold, and why the episode ends."""
        action, cause = self._await_action(episode)
        extra, hand = StepFlag.NONE, None
        self._driver_clock.end_ns = None if self._config.lock_step else self._due_ns
        try:
            if not self._config.paced:
                self._sleep_to_period_end()
            if cause is None:
                hand = self._person.choose(action)
            if hand is not None:
                extra = StepFlag.TAKEOVER
                report = robot.step(hand)
            elif action is not None:
                report = robot.step(action.action)
            else:
                extra = StepFlag.HOLD if cause is not None else StepFlag.HOLD | StepFlag.LATE
                report = robot.hold()
            self._sleep_to_period_end()
        except RoboRewardError as error:  # refused, link lost, physics diverged, interrupted
            asked = action.action if action is not None else np.zeros(7)
            raw = asked if hand is None else hand
            if isinstance(error, MotionInterruptedError):
                self._log(str(error))
                return self._held(robot, before, raw, StepFlag.TAKEOVER, error), EndCause.OPERATOR
            self._fault(str(error))
            return self._held(robot, before, raw, StepFlag.FAULT, error), EndCause.FAULT
        self._next_due()
        self._person.executed(report.action_executed)
        if fault := self._judge(report.state):
            self._fault(fault)
            cause, extra = EndCause.FAULT, extra | StepFlag.FAULT
        elif cause is EndCause.FAULT:
            extra |= StepFlag.FAULT
            fault = self._exchange.status.fault or "ended as a fault by whoever asked for its end"
        return replace(report, flags=report.flags | extra, fault=fault), cause

    def _held(
        self,
        robot: Robot,
        before: RobotState,
        raw: FloatArray,
        why: StepFlag,
        error: RoboRewardError,
    ) -> StepReport:
        """Report of a period whose action was refused: the driver has commanded a hold.

        An arm that cannot be read stands, as far as is known, where it was read last.
        """
        try:
            state = robot.state()
        except RoboRewardError:
            state = replace(before, stamp_ns=self._clock.now_ns())
        if not np.isfinite(state.q).all():
            state = replace(before, stamp_ns=self._clock.now_ns())
        executed = np.zeros(7)
        executed[6] = state.gripper
        return StepReport(
            action_raw=raw,
            action_executed=executed,
            target_pose=state.ee_pose,
            q_command=state.q,
            flags=StepFlag.HOLD | why,
            state=state,
            fault=str(error),
        )

    def _await_action(self, episode: Episode) -> tuple[StepAction | None, EndCause | None]:
        """The action of the present step, or None and why the episode ends (None: a hold)."""
        limit_ns = episode.heard_ns + round(self._config.action_timeout_s * 1e9)
        due_ns = limit_ns if self._config.lock_step else min(self._due_ns, limit_ns)
        action, cause = self._exchange.await_action(episode, due_ns, self._person_acts)
        if action is not None or cause is not None or self._clock.steady_ns() < limit_ns:
            return action, cause
        self._fault(
            f"no action for step {episode.step} of {episode.episode_id} within "
            f"{self._config.action_timeout_s:g} s; is policy_node alive?"
        )
        return None, EndCause.FAULT

    def _person_acts(self) -> bool:
        """Whether nobody waits for the policy; in lock-step its answer is the beat."""
        return self._person.hands is Hands.PERSON and not self._config.lock_step

    def _sleep_to_period_end(self) -> None:
        if not self._config.lock_step:
            self._driver_clock.sleep(0.0)

    def _next_due(self) -> None:
        """The next tick; ticks that were missed are left out, not caught up."""
        if self._config.lock_step:
            return
        now_ns = self._clock.steady_ns()
        self._due_ns += self._config.period_ns
        if self._due_ns <= now_ns:
            self.ticks.overrun()
            self._due_ns = now_ns + self._config.period_ns

    def _fault(self, message: str) -> None:
        self._log(message)
        self._exchange.update(fault=message)
