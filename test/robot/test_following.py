# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from roboreward_ros.robot.following import FollowingWatch
from roboreward_ros.robot.safety import ArmFaultError
from roboreward_ros.types import RobotState

JOINTS = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
ASK = 0.1  # rad a step, every joint


def state(stamp_ns: int, angle: float) -> RobotState:
    zeros = np.zeros(6)
    return RobotState(stamp_ns, np.full(6, angle), zeros, zeros, 1.0, np.eye(4), np.zeros(7))


@pytest.fixture
def watch() -> FollowingWatch:
    return FollowingWatch(JOINTS)


def drive(watch: FollowingWatch, steps: int, still: tuple[int, ...]) -> None:
    """Every joint is told ``ASK`` a step and goes there, but those that stand still."""
    for k in range(steps):
        before, after = state(k, ASK * k), state(k + 1, ASK * (k + 1))
        for joint in still:
            before.q[joint] = after.q[joint] = 0.0
        watch.step(before, before.q + ASK, after)


def test_an_arm_that_goes_where_it_is_told_is_let_be(watch):
    drive(watch, 50, still=())


def test_an_arm_that_stands_still_is_found_within_four_steps(watch):
    with pytest.raises(ArmFaultError, match=r"elbow did not follow: asked for 0\.[23]"):
        drive(watch, 4, still=tuple(range(6)))


def test_one_joint_that_stands_still_is_named_alone(watch):
    with pytest.raises(ArmFaultError) as error:
        drive(watch, 50, still=(2,))
    assert [fault.message.split()[0] for fault in error.value.faults] == ["elbow"]


def test_states_that_stop_for_a_while_are_no_arm_that_does_not_follow(watch):
    old = state(0, 0.0)
    for k in range(20):
        watch.step(old, np.full(6, ASK * (k + 1)), old)
    late = state(1, ASK * 20)
    watch.step(old, np.full(6, ASK * 21), late)


def drive_told_late(watch: FollowingWatch, every: int, speed: float) -> None:
    """States come every few steps, just before a step: none moves within one."""
    seen = state(0, 0.0)
    for k in range(1, 60):
        if k % every == 0:
            seen = state(k, speed * k)
        watch.step(seen, np.full(6, seen.q[0] + ASK), seen)


@pytest.mark.parametrize("every", [2, 3, 5])
def test_a_motion_that_is_told_late_counts_when_it_is_told(watch, every):
    drive_told_late(watch, every, speed=ASK)


@pytest.mark.parametrize("every", [2, 3, 5])
def test_an_arm_that_is_told_late_to_stand_still_is_found(watch, every):
    with pytest.raises(ArmFaultError, match="elbow did not follow"):
        drive_told_late(watch, every, speed=0.0)
