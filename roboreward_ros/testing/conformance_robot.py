# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every Robot must do. Subclass ``RobotConformance`` and override ``make_robot``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest

from roboreward_ros.errors import RobotError, SafetyError
from roboreward_ros.protocols import Robot
from roboreward_ros.robot.frames import proprio_from_pose, rotation_between
from roboreward_ros.robot.profile import RobotProfile, load_profile
from roboreward_ros.types import FloatArray, RobotState, StepFlag, StepReport

OPEN, CLOSED = 1.0, 0.0


def act(*delta: float, gripper: float = OPEN) -> FloatArray:
    """Action ``[7]`` of up to six leading deltas."""
    action = np.zeros(7)
    action[: len(delta)] = delta
    action[6] = gripper
    return action


class RobotConformance:
    """Tests over one Robot, on a kinematic fake, the twin or an arm's fake driver.

    Attributes:
        task: task given to ``reset``.
        settle_m: tracking error that the implementation may have after a few steps, m.
        settle_rad: the same of rotations, rad.
    """

    task = "open the drawer"
    settle_m = 0.012
    settle_rad = 0.06

    @pytest.fixture
    def make_robot(self) -> Callable[[], Robot]:
        raise NotImplementedError("give the suite a function that makes an unconnected robot")

    @pytest.fixture
    def profile(self) -> RobotProfile:
        return load_profile("wx250s")

    @pytest.fixture
    def robot(self, make_robot: Callable[[], Robot]) -> Iterator[Robot]:
        """Connected and reset."""
        robot = make_robot()
        robot.connect()
        robot.reset(self.task, 3)
        yield robot
        robot.close()

    def drive(self, robot: Robot, action: FloatArray, steps: int) -> list[StepReport]:
        """The same action several times, then two steps to settle."""
        rest = act(gripper=float(action[6]))
        return [robot.step(a) for a in [*[action] * steps, rest, rest]]

    def test_a_reset_leaves_a_finite_consistent_state(
        self, robot: Robot, profile: RobotProfile
    ) -> None:
        state = robot.state()
        assert np.isfinite(state.q).all()
        assert np.isfinite(state.ee_pose).all()
        assert state.gripper > 0.9
        np.testing.assert_allclose(
            state.ee_pose, profile.kinematics().fk(state.q), atol=1e-6, rtol=0
        )
        np.testing.assert_allclose(
            state.proprio, proprio_from_pose(state.ee_pose, state.gripper), atol=1e-9, rtol=0
        )
        assert profile.box.distance(state.ee_pose[:3, 3]) == 0.0

    def test_the_same_seed_gives_the_same_start(self, robot: Robot) -> None:
        first = robot.reset(self.task, 11)
        self.drive(robot, act(0.02, 0.02), 2)
        again = robot.reset(self.task, 11)
        np.testing.assert_allclose(again.q, first.q, atol=1e-3, rtol=0)

    def test_a_rest_action_rests(self, robot: Robot) -> None:
        before = robot.state()
        reports = [robot.step(act()) for _ in range(3)]
        assert _moved(before, reports[-1].state) < self.settle_m
        assert all(not report.flags & StepFlag.HOLD for report in reports)

    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_translations_are_along_base_axes(self, robot: Robot, axis: int) -> None:
        delta = np.zeros(3)
        delta[axis] = 0.02
        before = robot.state().ee_pose
        after = self.drive(robot, act(*delta), 3)[-1].state.ee_pose
        np.testing.assert_allclose(
            after[:3, 3] - before[:3, 3], 3 * delta, atol=self.settle_m, rtol=0
        )

    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_rotations_are_about_base_axes_through_the_gripper(
        self, robot: Robot, axis: int
    ) -> None:
        delta = np.zeros(6)
        delta[3 + axis] = 0.1
        before = robot.state().ee_pose
        after = self.drive(robot, act(*delta), 3)[-1].state.ee_pose
        turned = rotation_between(before[:3, :3], after[:3, :3])
        np.testing.assert_allclose(turned, 3 * delta[3:], atol=self.settle_rad, rtol=0)
        assert np.linalg.norm(after[:3, 3] - before[:3, 3]) < self.settle_m

    def test_the_gripper_is_absolute_with_one_open(self, robot: Robot) -> None:
        assert self.drive(robot, act(gripper=CLOSED), 3)[-1].state.gripper < 0.1
        assert self.drive(robot, act(gripper=OPEN), 3)[-1].state.gripper > 0.9

    def test_a_hold_keeps_the_arm_and_the_gripper(self, robot: Robot) -> None:
        before = self.drive(robot, act(0.02, gripper=CLOSED), 2)[-1].state
        for _ in range(2):
            report = robot.hold()
        assert report.flags & StepFlag.HOLD
        np.testing.assert_array_equal(report.action_executed[:6], 0.0)
        assert report.state.gripper < 0.1
        assert _moved(before, report.state) < self.settle_m

    @pytest.mark.parametrize(
        "bad",
        [
            np.array([np.nan, 0, 0, 0, 0, 0, 1.0]),
            np.array([0, 0, 0, 0, 0, 0, np.inf]),
            np.zeros(6),
            np.zeros((1, 7)),
        ],
        ids=["nan", "inf", "short", "nested"],
    )
    def test_a_bad_action_is_refused_and_the_arm_holds(self, robot: Robot, bad: FloatArray) -> None:
        before = robot.state()
        with pytest.raises(SafetyError):
            robot.step(bad)
        assert _moved(before, robot.state()) < self.settle_m
        assert np.isfinite(robot.step(act(0.01)).q_command).all()

    def test_huge_actions_are_cut_to_the_profile(self, robot: Robot, profile: RobotProfile) -> None:
        asked = np.array([9.0, -9.0, 9.0, 0, 0, 0, 7.0])
        kept = asked.copy()
        report = robot.step(asked)
        np.testing.assert_array_equal(asked, kept)
        np.testing.assert_array_equal(report.action_raw, kept)
        assert report.flags & StepFlag.CLIPPED_DELTA
        assert np.abs(report.action_executed[:3]).max() <= profile.delta_position + 1e-9
        assert 0.0 <= report.action_executed[6] <= 1.0

    def test_the_box_and_the_joint_limits_hold(self, robot: Robot, profile: RobotProfile) -> None:
        flags = StepFlag.NONE
        for _ in range(8):
            report = robot.step(act(-0.02, 0.05, 0.05))
            flags |= report.flags
            assert ((report.q_command >= profile.q_min) & (report.q_command <= profile.q_max)).all()
            assert profile.box.distance(report.state.ee_pose[:3, 3]) < self.settle_m
        assert flags & (StepFlag.CLIPPED_BOX | StepFlag.IK_FAILED)

    def test_stamps_go_forward_and_states_are_not_shared(self, robot: Robot) -> None:
        stamps = [robot.state().stamp_ns]
        stamps += [robot.step(act(0.01)).state.stamp_ns for _ in range(3)]
        assert all(a < b for a, b in pairwise(stamps))
        state = robot.state()
        kept = state.q.copy()
        state.q[:] = 9.0
        np.testing.assert_array_equal(robot.state().q, kept)

    def test_order_of_calls_is_enforced(self, make_robot: Callable[[], Robot]) -> None:
        robot = make_robot()
        robot.connect()
        with pytest.raises(RobotError):
            robot.step(act())
        robot.reset(self.task, 0)
        robot.close()
        robot.close()
        with pytest.raises(RobotError):
            robot.step(act())


def _moved(before: RobotState, after: RobotState) -> float:
    return float(np.linalg.norm(after.ee_pose[:3, 3] - before.ee_pose[:3, 3]))
