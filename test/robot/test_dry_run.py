# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.robot.dry_run import CornerVisit, DryRunConfig, corners
from roboreward_ros.robot.profile import Workspace, load_profile
from roboreward_ros.testing.fake_robot import FakeFaults, FakeRobot
from roboreward_ros.types import StepFlag


def visit(arm, corner, config, limit=300):
    """Drive there as the node does; returns the visit and the states on the way."""
    one, state, flags, states = CornerVisit(corner, config), arm.state(), StepFlag.NONE, []
    for _ in range(limit):
        action = one.act(state.ee_pose, state.gripper, flags)
        if action is None:
            return one, states
        report = arm.step(action)
        state, flags = report.state, report.flags
        states.append(state)
    raise AssertionError("the visit never ends")


def ready(workspace="small", faults=None):
    arm = FakeRobot(load_profile("wx250s").with_workspace(workspace), faults=faults)
    arm.connect()
    arm.reset("", 0)
    return arm


def test_every_corner_is_reached_slowly_and_inside_the_box():
    config = DryRunConfig(step_m=0.02)
    box = load_profile("wx250s").with_workspace("small").box
    for corner in corners(box, config.inset_m):
        arm = ready()
        start = arm.state().ee_pose[:3, 3]
        one, states = visit(arm, corner, config)
        assert one.reached
        path = np.array([start, *(s.ee_pose[:3, 3] for s in states)])
        assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() < config.step_m + 5e-3
        assert all(box.distance(place) < 5e-3 for place in path)
        assert {s.gripper for s in states} == {1.0}


def test_the_upper_corners_come_first():
    heights = [corner[2] for corner in corners(load_profile("wx250s").box, 0.01)]
    assert heights == sorted(heights, reverse=True)
    assert len({tuple(c) for c in map(tuple, corners(load_profile("wx250s").box, 0.01))}) == 8


def test_a_corner_out_of_reach_ends_and_says_so():
    one, _ = visit(ready("table"), np.array([0.9, 0.0, 0.1]), DryRunConfig(step_m=0.02))
    assert not one.reached
    assert one.refused & StepFlag.CLIPPED_BOX
    assert one.distance_m > 0.3


def test_periods_in_which_the_answer_came_too_late_do_not_end_the_visit():
    one, arm = CornerVisit(np.array([0.3, 0.0, 0.2]), DryRunConfig(step_m=0.02)), ready()
    for _ in range(200):
        assert one.act(arm.state().ee_pose, 1.0, StepFlag.HOLD | StepFlag.LATE) is not None


def test_an_arm_that_does_not_move_ends_the_visit():
    corner = np.array([0.21, -0.09, 0.24])
    one, states = visit(ready(faults=FakeFaults(stall_from=2)), corner, DryRunConfig())
    assert not one.reached
    assert len(states) < 40


def test_a_box_without_room_and_a_fast_step_are_refused():
    with pytest.raises(ConfigError):
        corners(Workspace(np.zeros(3), np.full(3, 0.015)), 0.01)
    with pytest.raises(ConfigError):
        DryRunConfig(step_m=0.2)
