# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roboreward_ros.robot import frames
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.types import FloatArray

vectors = arrays(np.float64, 3, elements=st.floats(-3.1, 3.1))


@given(vectors)
def test_rotation_vectors_round_trip(vector: FloatArray) -> None:
    R = frames.rotation_from_vector(vector)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1.0)
    again = frames.vector_from_rotation(R)
    assert np.linalg.norm(again) <= math.pi + 1e-9
    np.testing.assert_allclose(frames.rotation_from_vector(again), R, atol=1e-7)


@given(vectors, st.floats(-1e-7, 1e-7))
def test_half_turns_have_an_axis(axis: FloatArray, off: float) -> None:
    length = float(np.linalg.norm(axis))
    if length < 1e-3:
        return
    R = frames.rotation_from_vector(axis / length * (math.pi + off))
    again = frames.vector_from_rotation(R)
    np.testing.assert_allclose(frames.rotation_from_vector(again), R, atol=1e-6)


@given(vectors)
def test_angles_round_trip(rpy: FloatArray) -> None:
    R = frames.rotation_from_rpy(rpy)
    np.testing.assert_allclose(frames.rotation_from_rpy(frames.rpy_from_rotation(R)), R, atol=1e-7)


def test_angles_are_about_fixed_axes_x_then_y_then_z() -> None:
    about_x, about_y, about_z = (frames.rotation_from_vector(0.7 * axis) for axis in np.eye(3))
    R = frames.rotation_from_rpy(np.full(3, 0.7))
    np.testing.assert_allclose(R, about_z @ about_y @ about_x, atol=1e-12)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_angles_at_the_pole_give_the_same_rotation(sign: float) -> None:
    R = frames.rotation_from_rpy(np.array([0.3, sign * math.pi / 2, -0.4]))
    again = frames.rpy_from_rotation(R)
    np.testing.assert_allclose(frames.rotation_from_rpy(again), R, atol=1e-9)


@given(
    arrays(np.float64, 3, elements=st.floats(-1, 1)),
    arrays(np.float64, 3, elements=st.floats(-1.5, 1.5)),
    st.floats(0, 1),
)
def test_bridge_states_round_trip(xyz: FloatArray, rpy: FloatArray, gripper: float) -> None:
    state = np.concatenate([xyz, rpy, [gripper]])
    again = frames.proprio_from_pose(frames.pose_from_proprio(state), gripper)
    np.testing.assert_allclose(again, state, atol=1e-9)


def test_zero_angles_point_the_fingers_straight_down() -> None:
    R = frames.pose_from_proprio(np.zeros(7))[:3, :3]
    np.testing.assert_allclose(R @ [1, 0, 0], [0, 0, -1], atol=1e-12)


def test_bridge_s_neutral_joints_have_its_published_state() -> None:
    profile = load_profile("wx250s")
    state = frames.proprio_from_pose(profile.kinematics().fk(profile.neutral_q), 1.0)
    np.testing.assert_allclose(state[:3], [0.120, -0.019, 0.247], atol=1e-3)
    np.testing.assert_allclose(state[3:6], [-0.040, -0.127, 0.025], atol=1e-3)


def test_orthonormal_repairs_a_nearly_rotation() -> None:
    R = frames.rotation_from_rpy(np.array([0.2, -0.4, 1.0]))
    repaired = frames.orthonormal(R + 1e-3)
    np.testing.assert_allclose(repaired @ repaired.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(repaired, R, atol=3e-3)
