# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import RobotError, SafetyError
from roboreward_ros.protocols import Robot
from roboreward_ros.robot.safety import FaultKind, SafetyGuard, SafetyLimits
from roboreward_ros.testing.conformance_robot import RobotConformance, act
from roboreward_ros.testing.fake_robot import FakeFaults, FakeRobot
from roboreward_ros.types import StepFlag


class TestFakeRobot(RobotConformance):
    settle_m = 1e-3
    settle_rad = 1e-2

    @pytest.fixture
    def make_robot(self) -> Callable[[], Robot]:
        return FakeRobot


def ready(faults: FakeFaults) -> FakeRobot:
    robot = FakeRobot(faults=faults)
    robot.connect()
    robot.reset("open the drawer", 0)
    return robot


def test_a_broken_link_raises_at_its_step_and_the_arm_stays() -> None:
    robot = ready(FakeFaults(raise_at=2))
    robot.step(act(0.01))
    before = robot.step(act(0.01)).state
    with pytest.raises(RobotError, match="as asked"):
        robot.step(act(0.01))
    np.testing.assert_allclose(robot.state().q, before.q, atol=1e-12)


def test_a_stalled_arm_relatches_its_target_and_is_reported_as_a_jam() -> None:
    robot = ready(FakeFaults(stall_from=0))
    guard = SafetyGuard(robot.profile, SafetyLimits(), robot.clock)
    flags, kinds = StepFlag.NONE, set()
    for _ in range(4):
        report = robot.step(act(0.03))
        flags |= report.flags
        kinds |= {fault.kind for fault in guard.observe(report.state)}
    assert flags & StepFlag.RELATCHED
    assert kinds == {FaultKind.JAM}


def test_unreadable_joints_stop_the_arm_at_its_last_command() -> None:
    robot = ready(FakeFaults(nan_from=1))
    report = robot.step(act(0.01))
    with pytest.raises(SafetyError):
        robot.step(act(0.01))
    held = robot.hold()
    assert held.flags & StepFlag.FAULT
    np.testing.assert_array_equal(held.q_command, report.q_command)


def test_a_frozen_state_is_stale_by_the_steady_clock() -> None:
    clock = FakeClock()
    robot = FakeRobot(clock=clock, faults=FakeFaults(freeze_from=1))
    robot.connect()
    robot.reset("open the drawer", 0)
    guard = SafetyGuard(robot.profile, SafetyLimits(max_state_age_s=0.3), clock)
    assert guard.observe(robot.step(act()).state) == ()
    assert guard.observe(robot.step(act()).state) == ()
    assert {f.kind for f in guard.observe(robot.step(act()).state)} == {FaultKind.STALE_STATE}
