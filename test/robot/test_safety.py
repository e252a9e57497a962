# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import ConfigError
from roboreward_ros.robot.frames import proprio_from_pose
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.robot.safety import FaultKind, SafetyGuard, SafetyLimits
from roboreward_ros.robot.watchdog import CommandWatchdog
from roboreward_ros.types import RobotState

PROFILE = load_profile("wx250s")


class Arm:
    """A guard, its clock and a healthy state to spoil."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.guard = SafetyGuard(PROFILE, SafetyLimits(), self.clock)
        q = PROFILE.start_q()
        T = PROFILE.kinematics().fk(q)
        nan = np.full(6, np.nan)
        self.good = RobotState(0, q, nan, nan, 1.0, T, proprio_from_pose(T, 1.0))

    def kinds(self, **changes: object) -> set[FaultKind]:
        """Kinds of fault of the next state, 10 ms later."""
        self.clock.advance(0.01)
        state = replace(self.good, stamp_ns=self.clock.now_ns(), **changes)
        return {fault.kind for fault in self.guard.observe(state)}


@pytest.fixture
def arm() -> Arm:
    return Arm()


def test_a_healthy_arm_has_no_faults_also_without_speed_and_effort(arm: Arm) -> None:
    assert all(arm.kinds() == set() for _ in range(100))


def test_one_high_effort_is_a_touch_and_three_in_a_row_a_jam(arm: Arm) -> None:
    effort = np.zeros(6)
    effort[2] = -1021.0
    assert arm.kinds(effort=effort) == arm.kinds(effort=effort) == set()
    assert arm.kinds(effort=np.zeros(6)) == set()
    assert arm.kinds(effort=effort) == arm.kinds(effort=effort) == set()
    assert arm.kinds(effort=effort) == {FaultKind.JAM}
    arm.guard.restart()
    assert arm.kinds(effort=effort) == set()


def test_the_same_state_read_again_is_no_second_sign_of_a_jam(arm: Arm) -> None:
    state = replace(arm.good, effort=np.full(6, 5000.0))
    assert all(arm.guard.observe(state) == () for _ in range(5))


def test_silence_is_counted_by_the_steady_clock(arm: Arm) -> None:
    arm.kinds()
    state = replace(arm.good, stamp_ns=arm.clock.now_ns())
    arm.clock.offset += 10**12  # the wall clock is set forward: nothing happened
    assert arm.guard.observe(state) == ()
    arm.clock.advance(0.11)
    (fault,) = arm.guard.observe(state)
    assert fault.kind is FaultKind.STALE_STATE
    assert "0.110 s" in fault.message


def test_joints_beyond_their_limits_are_named(arm: Arm) -> None:
    q = arm.good.q.copy()
    q[4] = PROFILE.q_max[4] + 0.05
    assert arm.kinds(q=q) == set()
    q[4] += 0.1
    (fault,) = arm.guard.observe(replace(arm.good, q=q, stamp_ns=arm.clock.now_ns()))
    assert fault.kind is FaultKind.LIMIT
    assert "wrist_angle" in fault.message


def test_a_joint_that_races_is_a_fault(arm: Arm) -> None:
    dq = np.zeros(6)
    dq[0] = -6.0
    assert arm.kinds(dq=dq) == {FaultKind.LIMIT}


def test_joints_that_jump_are_named(arm: Arm) -> None:
    assert arm.kinds() == set()
    q = arm.good.q.copy()
    q[1] -= 0.2
    assert arm.kinds(q=q) == set()
    q = q.copy()
    q[1] -= 0.5
    assert arm.kinds(q=q) == {FaultKind.LIMIT}
    assert arm.kinds(q=q) == set()
    arm.guard.restart()
    assert arm.kinds() == set()


def test_unreadable_joints_are_a_fault(arm: Arm) -> None:
    assert arm.kinds(q=np.full(6, np.nan)) == {FaultKind.NOT_FINITE}
    assert arm.kinds(gripper=float("nan")) == {FaultKind.NOT_FINITE}


@pytest.mark.parametrize(
    "bad",
    [{"max_state_age_s": 0.0}, {"jam_states": 0}, {"limit_margin_rad": 1.0}, {"overspeed": 0.5}],
)
def test_bad_limits_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        SafetyLimits(**bad)


def test_the_watchdog_expires_after_two_silent_periods_and_stays_so() -> None:
    clock = FakeClock()
    watchdog = CommandWatchdog(clock, 0.2)
    clock.advance(100.0)
    assert not watchdog.expired
    watchdog.feed()
    clock.advance(0.4)
    assert not watchdog.expired
    assert watchdog.silent_s == pytest.approx(0.4)
    clock.advance(0.01)
    assert watchdog.expired
    clock.advance(10.0)
    assert watchdog.expired
    watchdog.feed()
    assert not watchdog.expired
    watchdog.disarm()
    clock.advance(10.0)
    assert not watchdog.expired
    assert watchdog.silent_s == 0.0


def test_bad_watchdog_settings_are_refused() -> None:
    with pytest.raises(ConfigError):
        CommandWatchdog(FakeClock(), 0.0)
    with pytest.raises(ConfigError):
        CommandWatchdog(FakeClock(), 0.2, periods=0.5)
