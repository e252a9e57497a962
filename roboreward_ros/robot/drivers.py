# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the supervisor asks of a driver beyond moving, and how the two kinds of arm give it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from roboreward_ros.clock import Clock
from roboreward_ros.protocols import Robot
from roboreward_ros.robot.xs_arm import StateWatch, XsArm
from roboreward_ros.robot.xs_recovery import XsRecovery
from roboreward_ros.types import FloatArray, RobotState, StepFlag, StepReport


class ArmDriver(Protocol):
    """A driver under supervision. One thread uses it; all but ``hold`` may raise RobotError."""

    @property
    def alive(self) -> bool:
        """Whether the arm can be heard."""

    @property
    def temperatures(self) -> Mapping[str, int]:
        """Newest, deg C by motor; empty where not measured."""

    def open(self) -> None:
        """Take the link up."""

    def check(self) -> None:
        """Is it the profile's arm, and ready? ConfigError when it is another."""

    def hold(self) -> StepReport:
        """Command the measured joints, at once."""

    def reset(self, task: str, seed: int) -> RobotState:
        """Go to the start pose."""

    def step(self, action: FloatArray) -> StepReport:
        """Execute one action until the end of the period."""

    def wait_period(self) -> None:
        """Watch until the end of the period."""

    def look(self) -> None:
        """Watch without waiting."""

    def state(self) -> RobotState:
        """The newest state."""

    def recover(self) -> None:
        """Bring the arm back after a fault; it holds afterwards."""

    def rest(self) -> None:
        """Lie down."""

    def set_watch(self, watch: StateWatch) -> None:
        """Who judges what is measured."""

    def close(self) -> None:
        """Hold, then drop the link."""


class XsDriver:
    """An X-series arm under supervision.

    Args:
        arm: its driver.
        clock: times the recovery.
        say: told of the stages of a recovery.
    """

    def __init__(self, arm: XsArm, clock: Clock, say: Callable[[str], None]) -> None:
        self.arm = arm
        self._recovery = XsRecovery(arm, clock, say)
        self.open, self.check, self.close = arm.open, arm.check, arm.close
        self.hold, self.reset, self.step, self.state = arm.hold, arm.reset, arm.step, arm.state
        self.wait_period, self.look = arm.wait_period, arm.look
        self.recover = self._recovery.run

    @property
    def alive(self) -> bool:
        return self.arm.alive

    @property
    def temperatures(self) -> Mapping[str, int]:
        return self.arm.health.temperatures

    def rest(self) -> None:
        self.arm.travel(self.arm.profile.sleep_q, "the sleep pose")

    def set_watch(self, watch: StateWatch) -> None:
        self.arm.watch = watch


class PlainDriver:
    """A robot that is watched once a period only and has nothing to check or to repair.

    Args:
        robot: for example the kinematic fake.
    """

    def __init__(self, robot: Robot) -> None:
        self.robot = robot
        self.alive = True
        self.temperatures: Mapping[str, int] = {}
        self.open, self.close = robot.connect, robot.close
        self.state = robot.state
        self._watch: StateWatch | None = None
        self._ready = False

    def check(self) -> None: ...

    def hold(self) -> StepReport:
        """Before the first reset there is nothing that could move: nothing is commanded."""
        if self._ready:
            return self.robot.hold()
        state, rest = self.state(), np.zeros(7)
        return StepReport(rest, rest, state.ee_pose, state.q, StepFlag.HOLD, state)

    def reset(self, task: str, seed: int) -> RobotState:
        state = self.robot.reset(task, seed)
        self._ready = True
        return state

    def step(self, action: FloatArray) -> StepReport:
        report = self.robot.step(action)
        self.look()
        return report

    def wait_period(self) -> None:
        """Its hold has lasted a period already."""
        self.look()

    def look(self) -> None:
        if self._watch is not None:
            self._watch.seen(self.robot.state())

    def recover(self) -> None: ...

    def rest(self) -> None: ...

    def set_watch(self, watch: StateWatch) -> None:
        self._watch = watch
