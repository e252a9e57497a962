# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import mujoco
import numpy as np
import pytest

from roboreward_ros.robot.profile import load_profile
from roboreward_ros.sim.arm_model import (
    ARM_JOINTS,
    FINGER_MAX,
    FINGER_MIN,
    JOINT_NAMES,
    forward_pose,
)
from roboreward_ros.sim.scene import base_spec


@pytest.fixture(scope="module")
def model():
    return base_spec().compile()


def test_forward_kinematics_equal_the_screw_axes(model):
    kinematics = load_profile("wx250s").kinematics()
    data = mujoco.MjData(model)
    rng = np.random.default_rng(0)
    low, high = np.array([joint.limits for joint in ARM_JOINTS]).T
    for _ in range(200):
        data.qpos[:6] = rng.uniform(low, high)
        mujoco.mj_kinematics(model, data)
        np.testing.assert_allclose(
            forward_pose(model, data), kinematics.fk(data.qpos[:6].copy()), atol=1e-9, rtol=0
        )


def test_joints_and_fingers_are_the_profile_s():
    profile = load_profile("wx250s")
    assert profile.joint_names == JOINT_NAMES
    limits = np.array([joint.limits for joint in ARM_JOINTS])
    np.testing.assert_array_equal(limits[:, 0], profile.q_min)
    np.testing.assert_array_equal(limits[:, 1], profile.q_max)
    assert (profile.finger_min, profile.finger_max) == (FINGER_MIN, FINGER_MAX)


def test_servos_hold_a_pose(model):
    data = mujoco.MjData(model)
    q = np.array([-0.0184, 0.0399, 0.2224, -0.0046, 1.3652, 0.0015])
    data.qpos[:6] = data.ctrl[:6] = q
    data.qpos[6:8] = data.ctrl[6:8] = FINGER_MAX
    mujoco.mj_step(model, data, 400)
    np.testing.assert_allclose(data.qpos[:6], q, atol=0.005)
