# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.robot.eef_control import EefController
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.sim.twin import START_Q
from roboreward_ros.studies.lrm.control import ArmBatch
from roboreward_ros.types import RobotState

ARMS = 6


def measured(controller: EefController, q: np.ndarray) -> RobotState:
    pose = controller.kinematics.fk(q)
    return RobotState(
        stamp_ns=0, q=q, dq=np.zeros(6), effort=np.zeros(6), gripper=1.0, ee_pose=pose,
        proprio=np.zeros(7),
    )  # fmt: skip


def both(actions: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Commands ``[T, N, 6]`` of single controllers and of the batch, fed with the former."""
    profile = load_profile("wx250s")
    single = [EefController(profile, 5.0) for _ in range(ARMS)]
    batch = ArmBatch(profile, 5.0, ARMS)
    q = start.copy()
    for arm, controller in enumerate(single):
        controller.latch(q[arm], 1.0)
        batch.latch(arm, q[arm])
    apart = []
    for step in actions:
        one = [c.plan(a, measured(c, x)).q_command for c, a, x in zip(single, step, q, strict=True)]
        apart.append((np.stack(one), batch.plan(step, q)))
        q = np.stack(one)
    first, second = zip(*apart, strict=True)
    return np.stack(first), np.stack(second)


def starts(rng: np.random.Generator) -> np.ndarray:
    return np.array(START_Q) + rng.uniform(-0.05, 0.05, (ARMS, 6))


def test_commands_are_those_of_the_arm_controller():
    rng = np.random.default_rng(0)
    actions = rng.normal(0, 1, (15, ARMS, 7)) * ([0.012] * 3 + [0.05] * 3 + [1])
    single, batch = both(actions, starts(rng))
    assert np.abs(single - batch).max() < 1e-3  # rad
    assert np.abs(single[-1] - single[0]).max() > 0.05  # they moved


def test_too_large_steps_are_cut_like_the_arm_controllers():
    rng = np.random.default_rng(1)
    actions = np.zeros((2, ARMS, 7))
    actions[:, :, :3] = rng.choice([-1.0, 1.0], (2, ARMS, 3))
    single, batch = both(actions, starts(rng))
    assert np.abs(single - batch).max() < 0.02


def test_targets_stay_in_the_box():
    profile = load_profile("wx250s")
    batch = ArmBatch(profile, 5.0, 1)
    q = np.array([START_Q])
    batch.latch(0, q[0])
    down = np.array([[0.0, 0.0, -0.05, 0.0, 0.0, 0.0, 1.0]])
    for _ in range(12):
        q = batch.plan(down, q)
    assert profile.box.distance(batch.forward(q)[0, :3, 3]) < 3e-3


def test_an_arm_that_was_held_up_starts_again_where_it_is():
    profile = load_profile("wx250s")
    batch = ArmBatch(profile, 5.0, 1)
    stuck = np.array([START_Q])
    batch.latch(0, stuck[0])
    forward = np.array([[0.03, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]])
    commands = [batch.plan(forward, stuck)[0] for _ in range(6)]
    away = [np.linalg.norm(batch.forward(q[None])[0, :3, 3] - batch.forward(stuck)[0, :3, 3])
            for q in commands]  # fmt: skip
    assert max(away) < 0.1  # without it: 0.18


def test_a_batch_needs_an_arm():
    with pytest.raises(ConfigError, match="without arms"):
        ArmBatch(dataclasses.replace(load_profile("wx250s")), 5.0, 0)
