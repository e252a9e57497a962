# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The twin over ROS: lock-step without gaps, the same run from the same seed, holds, refusals."""

import hashlib
import signal
import subprocess
import sys

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from roboreward_ros.action import ResetRobot

from roboreward_ros.nodes.sim_node import SimNode
from roboreward_ros.types import StepFlag

STEPS = 30
HOLD, LATE, FAULT = int(StepFlag.HOLD), int(StepFlag.LATE), int(StepFlag.FAULT)


@pytest.fixture
def sim(ros, arm_client):
    def start(**parameters):
        patient = {"action_timeout_s": 120.0}
        given = {"speed": "max", "image_size": 64, **patient, **parameters}
        node = ros.add(SimNode(context=ros.context, parameters=given))
        assert node.bring_up(), node.failure
        arm_client.connect()
        return node

    return start


def picture_hashes(pictures):
    return [hashlib.sha256(bytes(p.data)).hexdigest() for p in pictures]


def run_episode(ros, client, episode_id, steps=STEPS, seed=7):
    client.states.clear()
    client.pictures.clear()
    client.truths.clear()
    assert client.reset(seed=seed).error_code == 0
    assert client.begin(episode_id, steps).error_code == 0
    client.wait_last()
    ros.spin_until(lambda: len(client.pictures) > steps and len(client.truths) > steps)


def test_lock_step_has_no_gap_and_every_state_its_picture(ros, arm_client, sim):
    sim()
    run_episode(ros, arm_client, "ep_000000")
    assert [s.step for s in arm_client.states] == list(range(STEPS + 1))
    assert [s.last for s in arm_client.states] == [False] * STEPS + [True]
    stamps = [s.header.stamp for s in arm_client.states]
    assert [p.header.stamp for p in arm_client.pictures] == stamps
    assert [t.header.stamp for t in arm_client.truths] == stamps
    assert [t.step for t in arm_client.truths] == list(range(STEPS + 1))
    last = arm_client.states[-1]
    assert last.end_cause == last.END_TIME
    for k, state in enumerate(arm_client.states[1:]):
        np.testing.assert_array_equal(state.action_raw, arm_client.action_of(k))
        assert not state.flags & (HOLD | LATE)


def test_the_same_seed_gives_the_same_pictures_and_another_does_not(ros, arm_client, sim):
    sim()
    runs = []
    for episode_id, seed in (("ep_000000", 3), ("ep_000001", 3), ("ep_000002", 4)):
        run_episode(ros, arm_client, episode_id, steps=8, seed=seed)
        poses = np.array([s.proprio for s in arm_client.states])
        runs.append((picture_hashes(arm_client.pictures), poses))
    assert runs[0][0] == runs[1][0]
    np.testing.assert_array_equal(runs[0][1], runs[1][1])
    assert runs[0][0] != runs[2][0]


def test_an_action_for_another_step_or_episode_is_dropped(ros, arm_client, sim):
    node = sim()
    arm_client.answer = False
    arm_client.reset()
    arm_client.begin(max_steps=2)
    ros.spin_until(lambda: arm_client.states)
    push = np.array([0.0, 0.0, 0.02, 0.0, 0.0, 0.0, 1.0])
    arm_client.act("ep_000009", 0, push)
    arm_client.act("ep_000000", 1, push)
    ros.spin_until(lambda: node._loop.status.dropped == 2)
    assert len(arm_client.states) == 1, "the twin still waits for step 0"
    arm_client.act("ep_000000", 0, push)
    ros.spin_until(lambda: len(arm_client.states) == 2)
    np.testing.assert_array_equal(arm_client.states[1].action_raw, push)


def test_an_action_that_is_not_finite_is_refused_and_the_arm_holds(ros, arm_client, sim):
    node = sim()
    arm_client.answer = False
    arm_client.reset()
    arm_client.begin(max_steps=4)
    ros.spin_until(lambda: arm_client.states)
    arm_client.act("ep_000000", 0, np.array([np.nan, 0, 0, 0, 0, 0, 1.0]))
    last = arm_client.wait_last()
    assert last.step == 1
    assert last.end_cause == last.END_FAULT
    assert last.flags & HOLD
    assert last.flags & FAULT
    assert np.isfinite(last.q).all()
    np.testing.assert_allclose(last.q, arm_client.states[0].q, atol=0.01)
    assert "finite" in node._loop.status.fault
    refused = arm_client.begin("ep_000001")
    assert refused.error_code == refused.FAULT
    assert "finite" in refused.error_msg
    assert arm_client.reset().error_code == 0, "a reset clears the fault"
    assert arm_client.begin("ep_000001").error_code == 0


def test_a_policy_that_falls_silent_ends_the_episode_with_a_fault(ros, arm_client, sim):
    sim(action_timeout_s=0.2)
    arm_client.answer = False
    arm_client.reset()
    arm_client.begin()
    last = arm_client.wait_last()
    assert last.end_cause == last.END_FAULT
    assert last.flags & HOLD
    assert last.flags & LATE == 0 or last.flags & FAULT


def test_at_real_time_a_tick_without_an_action_holds(ros, arm_client, sim):
    node = sim(speed="realtime", control_hz=25.0)
    arm_client.answer = False
    arm_client.reset()
    arm_client.begin(max_steps=4)
    last = arm_client.wait_last()
    assert [s.step for s in arm_client.states] == [0, 1, 2, 3, 4]
    assert last.end_cause == last.END_TIME
    assert all(s.flags & HOLD and s.flags & LATE for s in arm_client.states[1:])
    np.testing.assert_allclose(last.q, arm_client.states[0].q, atol=0.02)
    assert node._loop.status.late == 4
    assert node._loop.ticks.jitter.count >= 4


def test_at_real_time_a_late_action_is_dropped_and_does_not_move_the_arm(ros, arm_client, sim):
    node = sim(speed="realtime", control_hz=25.0)
    arm_client.answer = False
    arm_client.reset()
    arm_client.begin(max_steps=3)
    ros.spin_until(lambda: len(arm_client.states) >= 2)
    arm_client.act("ep_000000", 0, np.array([0.0, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0]))
    last = arm_client.wait_last()
    ros.spin_until(lambda: node._loop.status.dropped == 1, "the late action")
    np.testing.assert_allclose(last.q, arm_client.states[0].q, atol=0.02)


def test_the_operators_end_holds_and_publishes_the_last_state(ros, arm_client, sim):
    node = sim()
    arm_client.answer = False
    arm_client.reset()
    arm_client.begin(max_steps=9)
    ros.spin_until(lambda: arm_client.states)
    assert arm_client.end(end_cause=1).error_code == 0
    last = arm_client.wait_last()
    assert (last.step, last.end_cause) == (1, last.END_OPERATOR)
    assert last.flags & HOLD
    arm_client.act("ep_000000", 1, np.zeros(7))
    ros.spin_until(lambda: node._loop.status.dropped == 1)
    assert arm_client.end(end_cause=7).error_code != 0, "no such end cause"


def test_an_episode_needs_a_reset_and_only_one_runs(ros, arm_client, sim):
    sim()
    arm_client.answer = False
    refused = arm_client.begin()
    assert refused.error_code == refused.NOT_RESET
    arm_client.reset()
    assert arm_client.begin(max_steps=0).error_code != 0
    assert arm_client.begin().error_code == 0
    busy = arm_client.begin("ep_000001")
    assert busy.error_code == busy.BUSY
    result = arm_client.reset()
    assert result.error_code == ResetRobot.Result.FAULT
    assert "ep_000000" in result.error_msg


def test_an_unknown_task_is_refused_with_the_tasks_there_are(ros, arm_client, sim):
    sim()
    result = arm_client.reset(task="fold the towel")
    assert result.error_code == ResetRobot.Result.UNKNOWN_TASK
    assert "fold the towel" in result.error_msg
    assert "open the drawer" in result.error_msg


def test_a_reset_can_be_canceled_and_repeated(ros, arm_client, sim):
    sim()
    handle = ros.send(arm_client.reset_client, ResetRobot.Goal(task="drawer", seed=1))
    ros.spin_future(handle.cancel_goal_async())
    assert ros.result(handle).status in (
        GoalStatus.STATUS_CANCELED,
        GoalStatus.STATUS_SUCCEEDED,  # it was quicker
    )
    assert arm_client.reset().error_code == 0


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"image_size": 9}, "32..480"),
        ({"speed": "fast"}, "realtime, max"),
        ({"gl": "glide"}, "glide"),
        ({"imagesize": 64}, "image_size"),
        ({"control_hz": "five"}, "control_hz"),
    ],
)
def test_bad_parameters_are_refused_by_name(ros, parameters, named):
    from roboreward_ros.errors import ConfigError

    with pytest.raises(ConfigError, match=named):
        SimNode(context=ros.context, parameters=parameters)


def test_without_an_opengl_library_the_node_says_so_at_start(ros, monkeypatch):
    from roboreward_ros.errors import SimulationError
    from roboreward_ros.sim.twin import Twin

    def no_library(self, width, height):
        raise SimulationError("no OpenGL backend works", got="egl, osmesa")

    monkeypatch.setattr(Twin, "render", no_library)
    node = ros.add(SimNode(context=ros.context))
    assert not node.bring_up()
    assert "no OpenGL backend works" in str(node.failure)


def test_sigint_ends_the_process_with_code_0_and_a_hold(ros, arm_client, node_environment):
    command = [sys.executable, "-m", "roboreward_ros.nodes.sim_node", "--ros-args"]
    process = subprocess.Popen(
        [*command, "-p", "image_size:=64"],
        env=node_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        arm_client.connect()
        arm_client.reset()
        arm_client.begin(max_steps=1000)
        ros.spin_until(lambda: len(arm_client.states) > 2)
        process.send_signal(signal.SIGINT)
        last = arm_client.wait_last()
        assert last.flags & HOLD
        output, _ = process.communicate(timeout=60.0)
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert "terminate called" not in output
