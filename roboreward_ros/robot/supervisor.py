# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The owner of an arm: every motion passes here, every fault ends here, and a hold comes last.

Runs the machine of ``faults`` over a driver and is itself a Robot, so that the beat needs to know
nothing about faults: a fault is a RobotError after which the arm holds, and the next ``reset``
recovers it, at most so many times in a row before a person has to look.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError, RoboRewardError, RobotError, SafetyError
from roboreward_ros.robot.drivers import ArmDriver
from roboreward_ros.robot.duty import DutyCycle, DutyLimits
from roboreward_ros.robot.faults import (
    MAX_RECOVERIES,
    ArmCommand,
    ArmEvent,
    ArmState,
    ArmStatus,
    advance,
)
from roboreward_ros.robot.interrupt import Interrupt, MotionInterruptedError
from roboreward_ros.robot.profile import RobotProfile
from roboreward_ros.robot.safety import ArmFaultError, Fault, FaultKind, SafetyGuard, SafetyLimits
from roboreward_ros.types import FloatArray, RobotState, StepReport

T = TypeVar("T")

STOPPED = "stopped by a person"


class ArmSupervisor:
    """See the module's text. ``stop``, ``release``, ``clear`` and ``status`` are for any thread.

    Args:
        driver: moves the arm.
        profile: its limits.
        limits: when a measured state is a fault.
        duty: when the arm must rest.
        clock: source of time.
        interrupt: shared with the driver; ends its waits.
        log: takes lines for people.
    """

    def __init__(
        self,
        driver: ArmDriver,
        profile: RobotProfile,
        limits: SafetyLimits,
        duty: DutyLimits,
        clock: Clock,
        interrupt: Interrupt,
        log: Callable[[str], None],
    ) -> None:
        self._driver = driver
        self._guard = SafetyGuard(profile, limits, clock)
        self._max_age_s = limits.max_state_age_s
        self._duty = DutyCycle(duty, clock)
        self._clock = clock
        self._interrupt = interrupt
        self._log = log
        self._lock = threading.Lock()
        self._status = ArmStatus()
        self._hold_due = False
        driver.set_watch(self)

    # From any thread.

    @property
    def status(self) -> ArmStatus:
        """State of the machine."""
        with self._lock:
            return self._status

    @property
    def temperatures(self) -> Mapping[str, int]:
        """Newest, deg C by motor; empty where not measured."""
        return self._driver.temperatures

    def stop(self) -> None:
        """Hold as soon as the arm's thread notices (50 ms) and let nothing move until release."""
        self._interrupt.set(STOPPED)
        self._event(ArmEvent.STOP)

    def release(self) -> None:
        """Motions are allowed again; none begins by itself."""
        with self._lock:
            held = not self._hold_due
        self._event(ArmEvent.RELEASE)
        if held:
            self._interrupt.clear()

    def clear(self) -> None:
        """A person looked at the arm: recoveries are allowed again."""
        self._event(ArmEvent.CLEAR)

    # On the arm's thread: the Robot protocol.

    def connect(self) -> None:
        """Open, hold, check. A motor that is not well is no error: the arm is in FAULT then.

        Raises:
            ConfigError: the device is another arm.
            RobotError: nobody answers.
        """
        self._driver.open()
        self._guard.restart()
        self._event(ArmEvent.LINK_UP)
        try:
            self._driver.check()
        except ConfigError:
            self._event(ArmEvent.LINK_LOST, "the device is another arm")
            self._driver.close()
            raise
        except RobotError as error:
            self._fault(error)
            return
        self._event(ArmEvent.CHECKED)

    def reset(self, task: str, seed: int) -> RobotState:
        """Whatever it takes to stand at the start pose: reconnect, recover, move.

        Raises:
            RobotError: refused, or it did not work; the arm holds.
        """
        self._serve()
        self.end()
        if self.status.stopped:
            raise RobotError(self.status.refusal(ArmEvent.BEGIN))
        if self.status.linked and not self._driver.alive:
            self._fault(RobotError("joint states have stopped"))
        if not self.status.linked:
            self._reconnect()
        if self.status.state is ArmState.FAULT:
            self._recover()
        if not self.status.may_reset:
            raise RobotError(self.status.refusal(ArmEvent.BEGIN))
        self._require_rested()
        state = self._moving(lambda: self._driver.reset(task, seed))
        self._guard.restart()
        return state

    def begin(self) -> None:
        """An episode begins; its first step says so when it may not."""
        self._event(ArmEvent.BEGIN)

    def end(self) -> None:
        """The episode is over; the arm holds."""
        if self.status.state is ArmState.RUNNING:
            self._event(ArmEvent.END)

    def step(self, action: FloatArray) -> StepReport:
        """One action of an episode.

        Raises:
            SafetyError: the action cannot be executed; the arm holds and is well.
            RobotError: a fault; the arm holds.
        """
        self._serve()
        if self.status.stopped:
            raise MotionInterruptedError(self.status.refusal(ArmEvent.BEGIN))
        if not self.status.may_run:
            raise RobotError(self.status.refusal(ArmEvent.BEGIN))
        return self._moving(lambda: self._driver.step(action))

    def hold(self) -> StepReport:
        """Command the measured joints; in an episode, for one period.

        Raises:
            RobotError: the link is lost, or a fault while holding.
        """
        self._serve()
        if not self.status.linked:
            raise RobotError(f"the arm cannot be told to hold: {self.status.reason}")
        report = self._driver.hold()
        if self.status.may_run:
            self._moving(self._driver.wait_period)
            report = replace(report, state=self._driver.state())
        return report

    def state(self) -> RobotState:
        """The newest state, looked at for faults.

        Raises:
            RobotError: the link is lost, or the state is a fault; the arm holds.
        """
        self._serve()
        if not self.status.linked:
            raise RobotError(f"the arm is not connected: {self.status.reason}")
        if not self._driver.alive:
            raise self._fault(RobotError("joint states have stopped"))
        if self.status.state in (ArmState.HOLDING, ArmState.RUNNING):
            try:
                self._driver.look()
            except MotionInterruptedError:
                self._interrupted()
            except RobotError as error:
                raise self._fault(error) from error
        return self._driver.state()

    def close(self) -> None:
        """Hold, then drop the link."""
        self._driver.close()
        self._event(ArmEvent.LINK_LOST, "closed")

    # What the driver measures while it waits.

    def seen(self, state: RobotState) -> None:
        """Raise ArmFaultError for a state that is one."""
        found = self._guard.observe(state)
        if found:
            raise ArmFaultError(*found)

    def silent(self, age_s: float) -> None:
        """Raise ArmFaultError when the newest state is too old."""
        if age_s > self._max_age_s:
            text = f"no new joint state for {age_s:.3f} s, limit {self._max_age_s:g} s"
            raise ArmFaultError(Fault(FaultKind.STALE_STATE, text))

    def _moving(self, motion: Callable[[], T]) -> T:
        began_ns = self._clock.steady_ns()
        try:
            return motion()
        except SafetyError:
            raise
        except MotionInterruptedError:
            self._interrupted()
            raise
        except RobotError as error:
            raise self._fault(error) from error
        finally:
            self._duty.moved((self._clock.steady_ns() - began_ns) * 1e-9)

    def _reconnect(self) -> None:
        self._driver.close()
        try:
            self.connect()
        except RobotError as error:
            self._event(ArmEvent.LINK_LOST, str(error))
            raise

    def _recover(self) -> None:
        if self._event(ArmEvent.RECOVER):
            raise RobotError(self.status.refusal(ArmEvent.RECOVER))
        self._guard.restart()
        try:
            self._moving(self._driver.recover)
        except RobotError as error:
            if self.status.state is ArmState.RECOVERING:  # interrupted by the end of the process
                self._fault(error)
            raise
        self._guard.restart()
        self._event(ArmEvent.RECOVERED)

    def _require_rested(self) -> None:
        if self._duty.must_rest() and not self._duty.rest_left_s:
            self._log("the motors have worked long enough: the arm lies down")
            self._moving(self._driver.rest)
            self._duty.begin_rest()
        if left_s := self._duty.rest_left_s:
            raise RobotError(
                "the arm rests so that its motors cool down",
                got=f"{left_s:.0f} s left",
                next_step="Reset it then; rest_s and work_s set the times.",
            )

    def _serve(self) -> None:
        """Do what other threads asked for: the hold of a stop."""
        with self._lock:
            due, self._hold_due = self._hold_due, False
        if due:
            self._try_hold()
            self._interrupt.clear()

    def _interrupted(self) -> None:
        """Somebody ended a motion; a latched stop stays in the status."""
        self._serve()
        self._try_hold()
        self._interrupt.clear()

    def _fault(self, error: RoboRewardError) -> RoboRewardError:
        """Hold, then take the fault down; returns the error for ``raise``."""
        alive = self._driver.alive
        self._event(ArmEvent.FAULT if alive else ArmEvent.LINK_LOST, str(error))
        if not alive:
            self._try_hold()  # in case only the joint states are lost
        return error

    def _event(self, event: ArmEvent, reason: str = "") -> bool:
        """Advance the machine and do what it says; True when it refused."""
        with self._lock:
            before = self._status
            transition = advance(before, event, reason)
            self._status = transition.status
            if event is ArmEvent.STOP and ArmCommand.HOLD in transition.commands:
                self._hold_due = True
                return False
        if before.state is not transition.status.state:
            because = f" ({reason})" if reason else ""
            self._log(f"arm: {before.state.value} -> {transition.status.state.value}{because}")
        if ArmCommand.HOLD in transition.commands:
            self._try_hold()
        if ArmCommand.ASK_PERSON in transition.commands:
            self._log(
                f"{MAX_RECOVERIES} recoveries did not help: a person must look at the arm, then "
                "call ~/clear_fault"
            )
        return ArmCommand.REFUSE in transition.commands

    def _try_hold(self) -> None:
        try:
            self._driver.hold()
        except RoboRewardError as error:
            self._log(f"the arm could not be told to hold: {error}")
