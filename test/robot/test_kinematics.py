# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import modern_robotics
import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.robot.frames import (
    pose_from_proprio,
    rotation_between,
    vector_from_rotation,
)
from roboreward_ros.robot.kinematics import Kinematics
from roboreward_ros.robot.profile import RobotProfile, load_profile
from roboreward_ros.types import FloatArray


@pytest.fixture(scope="module")
def profile() -> RobotProfile:
    return load_profile("wx250s")


@pytest.fixture(scope="module")
def arm(profile: RobotProfile) -> Kinematics:
    return profile.kinematics()


def random_joints(profile: RobotProfile, count: int) -> FloatArray:
    return np.random.default_rng(5).uniform(profile.q_min, profile.q_max, (count, 6))


def test_forward_kinematics_agrees_with_an_independent_library(
    arm: Kinematics, profile: RobotProfile
) -> None:
    for q in random_joints(profile, 300):
        expected = modern_robotics.FKinSpace(profile.home, profile.slist.T, q)
        np.testing.assert_allclose(arm.fk(q), expected, atol=1e-9, rtol=0)


def test_the_link_lengths_give_the_same_pose(arm: Kinematics, profile: RobotProfile) -> None:
    offsets = [(0, 0, 0.072), (0, 0, 0.03865), (0.04975, 0, 0.25), (0.175, 0, 0), (0.075, 0, 0)]
    offsets += [(0.065, 0, 0), (0.093575, 0, 0)]
    axes = "zyyxyx"
    for q in random_joints(profile, 20):
        T = np.eye(4)
        for index, offset in enumerate(offsets):
            step = np.eye(4)
            step[:3, 3] = offset
            if index < 6:
                vector = q[index] * np.eye(3)["xyz".index(axes[index])]
                step[:3, :3] = modern_robotics.MatrixExp3(modern_robotics.VecToso3(vector))
            T = T @ step
        np.testing.assert_allclose(arm.fk(q), T, atol=1e-9, rtol=0)


def test_the_jacobian_is_the_derivative_of_the_pose(arm: Kinematics, profile: RobotProfile) -> None:
    h = 1e-6
    for q in random_joints(profile, 50):
        J = arm.jacobian(q)
        for joint in range(6):
            step = h * np.eye(6)[joint]
            low, high = arm.fk(q - step), arm.fk(q + step)
            linear = (high[:3, 3] - low[:3, 3]) / (2 * h)
            angular = rotation_between(low[:3, :3], high[:3, :3]) / (2 * h)
            np.testing.assert_allclose(J[:, joint], [*linear, *angular], atol=1e-7, rtol=0)


def test_a_solution_reaches_its_target_within_limits(
    arm: Kinematics, profile: RobotProfile
) -> None:
    rng = np.random.default_rng(1)
    seed = profile.start_q()
    for _ in range(100):
        state = np.array([0.28, 0.0, 0.12, 0, 0, 0, 1.0])
        state[:3] += rng.uniform([-0.08, -0.12, -0.08], [0.08, 0.12, 0.08])
        state[3:6] = rng.uniform([-0.2, -0.2, -1.0], [0.2, 0.2, 1.0])
        target = pose_from_proprio(state)
        found = arm.ik(target, seed, 50, (profile.neutral_q,))
        assert found.ok
        reached = arm.fk(found.q)
        assert np.linalg.norm(reached[:3, 3] - target[:3, 3]) < 1e-3
        turned = vector_from_rotation(reached[:3, :3].T @ target[:3, :3])
        assert np.linalg.norm(turned) < 1e-2
        assert ((found.q >= arm.q_min) & (found.q <= arm.q_max)).all()


def test_out_of_reach_is_said_and_the_nearest_pose_given(
    arm: Kinematics, profile: RobotProfile
) -> None:
    state = np.array([1.5, 0.0, 0.2, 0, 0, 0, 1.0])
    found = arm.ik(pose_from_proprio(state), profile.start_q(), 100)
    assert not found.ok
    assert np.isfinite(found.q).all()
    reached = arm.fk(found.q)
    assert reached[0, 3] > profile.start_state[0] + 0.2  # stretched towards it
    assert found.position_error_m == pytest.approx(np.linalg.norm(reached[:3, 3] - state[:3]))


def test_joints_stay_on_the_seed_s_turn() -> None:
    profile = load_profile("wx250s")
    wide = Kinematics(profile.slist, profile.home, np.full(6, -10.0), np.full(6, 10.0))
    seed = profile.start_q()
    seed[5] += 2 * np.pi
    found = wide.ik(wide.fk(seed), seed)
    np.testing.assert_allclose(found.q, seed, atol=1e-6)


def test_inputs_are_left_alone(arm: Kinematics, profile: RobotProfile) -> None:
    seed, target = profile.start_q(), pose_from_proprio(profile.start_state)
    target[0, 3] += 0.05
    kept = seed.copy(), target.copy()
    arm.ik(target, seed)
    np.testing.assert_array_equal(seed, kept[0])
    np.testing.assert_array_equal(target, kept[1])


def test_axes_that_are_no_hinges_are_refused(profile: RobotProfile) -> None:
    slide = profile.slist.copy()
    slide[0] = [0, 0, 0, 1, 0, 0]
    with pytest.raises(ConfigError, match="hinges"):
        Kinematics(slide, profile.home, profile.q_min, profile.q_max)
    with pytest.raises(ConfigError, match="order"):
        Kinematics(profile.slist, profile.home, profile.q_max, profile.q_min)
