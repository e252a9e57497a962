# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""robot_node over the fake arm: the 5 Hz beat, refusals, faults, and a hold as the last command."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from roboreward_ros.clock import SystemClock
from roboreward_ros.errors import ConfigError
from roboreward_ros.nodes import robot_node
from roboreward_ros.nodes.robot_node import RobotNode
from roboreward_ros.testing.fake_robot import FakeFaults, FakeRobot
from roboreward_ros.types import StepFlag

HOLD, LATE, FAULT = int(StepFlag.HOLD), int(StepFlag.LATE), int(StepFlag.FAULT)
EXIT_S = 60.0
"""Bound of a wait for the end of a process; on a quiet machine it takes one or two."""


class LoggedRobot(FakeRobot):
    """Remembers what it was told, in order."""

    def __init__(self, *arguments, faults=None):
        super().__init__(*arguments, faults)
        self.log = []

    def step(self, action):
        self.log.append("step")
        return super().step(action)

    def hold(self):
        self.log.append("hold")
        return super().hold()

    def close(self):
        self.log.append("close")
        super().close()


@pytest.fixture
def arm(ros, arm_client, monkeypatch):
    """Starts robot_node at 25 Hz; returns node and fake."""

    def start(faults=None, **parameters):
        made = []

        def make(config, profile, clock):
            made.append(LoggedRobot(profile, config.control_hz, clock, faults=faults))
            return made[0]

        monkeypatch.setattr(robot_node, "make_robot", make)
        patient = {"control_hz": 25.0, "action_timeout_s": 120.0}
        node = RobotNode(context=ros.context, parameters={**patient, **parameters})
        ros.add(node)
        assert node.bring_up(), node.failure
        arm_client.images = False
        arm_client.connect()
        assert arm_client.reset().error_code == 0
        return node, made[0]

    return start


def test_the_beat_is_gap_free_and_executes_what_was_asked(ros, arm_client, arm):
    node, _ = arm()
    assert arm_client.begin(max_steps=10).error_code == 0
    last = arm_client.wait_last()
    assert [s.step for s in arm_client.states] == list(range(11))
    assert last.end_cause == last.END_TIME
    moved = [s for s in arm_client.states[1:] if not s.flags & LATE]
    assert moved
    for state in moved:
        np.testing.assert_array_equal(state.action_raw, arm_client.action_of(state.step - 1))
    assert node._loop.ticks.jitter.count >= 10


def test_silence_holds_and_is_marked(ros, arm_client, arm):
    _, fake = arm()
    arm_client.answer = False
    arm_client.begin(max_steps=5)
    last = arm_client.wait_last()
    assert all(s.flags & HOLD and s.flags & LATE for s in arm_client.states[1:])
    assert "step" not in fake.log
    np.testing.assert_array_equal(last.q, arm_client.states[0].q)


def test_the_watchdog_shows_in_the_diagnosis(ros, arm_client, arm):
    node, _ = arm(action_timeout_s=600.0)
    arm_client.answer = False
    arm_client.begin(max_steps=10_000)
    ros.spin_until(lambda: "no command" in node._link().message, "the watchdog")
    assert node._link().level > 0


def test_an_action_that_is_not_finite_is_refused(ros, arm_client, arm):
    node, _ = arm()
    arm_client.answer = False
    arm_client.begin(max_steps=5)
    ros.spin_until(lambda: arm_client.states)
    q = arm_client.states[0].q.copy()
    arm_client.act("ep_000000", arm_client.states[-1].step, np.full(7, np.inf))
    ros.spin_until(lambda: arm_client.states[-1].last or node._loop.status.dropped)
    if node._loop.status.dropped:  # a loaded machine: it came after its period
        arm_client.act("ep_000000", arm_client.states[-1].step, np.full(7, np.inf))
    last = arm_client.wait_last()
    np.testing.assert_array_equal(last.q, q)


@pytest.mark.parametrize(
    ("faults", "named"),
    [
        (FakeFaults(raise_at=2), "link"),
        (FakeFaults(stall_from=2), "effort"),
        (FakeFaults(nan_from=2), "nan"),
        (FakeFaults(freeze_from=2), "no new joint state"),
    ],
)
def test_a_fault_ends_the_episode_and_is_named(ros, arm_client, arm, faults, named):
    node, _ = arm(faults)
    arm_client.begin(max_steps=50)
    last = arm_client.wait_last()
    assert last.end_cause == last.END_FAULT
    assert last.flags & FAULT
    assert named in node._loop.status.fault
    refused = arm_client.begin("ep_000001")
    assert refused.error_code == refused.FAULT
    assert named in refused.error_msg


def test_stopping_holds_last(ros, arm_client, arm):
    node, fake = arm()
    arm_client.begin(max_steps=1000)
    ros.spin_until(lambda: "step" in fake.log)
    node.wind_down("test")
    assert fake.log[-2:] == ["hold", "close"]
    assert "step" in fake.log


@pytest.mark.parametrize(
    ("driver", "package"),
    [("xs_sdk", "interbotix_xs_msgs"), ("interbotix_api", "interbotix_xs_modules")],
)
def test_a_driver_without_the_vendors_packages_says_what_to_install(
    ros, monkeypatch, driver, package
):
    for name in ("", ".msg", ".srv", ".xs_robot", ".xs_robot.arm"):
        monkeypatch.setitem(sys.modules, package + name, None)
    node = ros.add(RobotNode(context=ros.context, parameters={"driver": driver}))
    assert not node.bring_up()
    assert isinstance(node.failure, ConfigError)
    assert package in str(node.failure)
    assert "docs/how-to/real-widowx.md" in str(node.failure)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [({"driver": "magic"}, "xs_sdk, interbotix_api, fake"), ({"control_hz": 0.1}, "1..50")],
)
def test_bad_parameters_are_refused(ros, parameters, named):
    with pytest.raises(ConfigError, match=named):
        RobotNode(context=ros.context, parameters=parameters)


def test_an_unknown_profile_or_workspace_fails_the_configuration(ros):
    for parameters in ({"profile": "panda"}, {"workspace": "moon"}):
        node = ros.add(RobotNode(context=ros.context, parameters=parameters))
        assert not node.bring_up()
        assert next(iter(parameters.values())) in str(node.failure)


def start_process(environment, *parameters, wrapper=()):
    words = [w for p in parameters for w in ("-p", *p.split())]
    command = [sys.executable, "-m", "roboreward_ros.nodes.robot_node", "--ros-args", *words]
    return subprocess.Popen(
        [*wrapper, *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_gone(pid, limit_s):
    clock = SystemClock()
    end_ns = clock.steady_ns() + round(limit_s * 1e9)
    while clock.steady_ns() < end_ns:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        clock.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_with_code_0(ros, arm_client, node_environment, number):
    process = start_process(node_environment)
    try:
        arm_client.images = False
        arm_client.connect()
        arm_client.reset()
        arm_client.begin(max_steps=1000)
        ros.spin_until(lambda: len(arm_client.states) > 2)
        process.send_signal(number)
        last = arm_client.wait_last()
        assert last.end_cause == last.END_OPERATOR
        assert last.flags & HOLD, "the last command was a hold"
        output, _ = process.communicate(timeout=EXIT_S)
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert "terminate called" not in output
    assert f"stopping: {number.name}" in output


def test_a_node_whose_launcher_died_holds_and_exits(ros, arm_client, node_environment):
    launcher_code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[1:])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    launcher = start_process(
        node_environment,
        "exit_with_launcher:=true",
        wrapper=(sys.executable, "-c", launcher_code),
    )
    pid = int(launcher.stdout.readline())
    try:
        arm_client.images = False
        arm_client.connect()
        arm_client.reset()
        arm_client.begin(max_steps=1000)
        ros.spin_until(lambda: len(arm_client.states) > 2)
        launcher.kill()
        launcher.wait(EXIT_S)
        last = arm_client.wait_last()
        assert last.flags & HOLD
        assert wait_gone(pid, EXIT_S)
    finally:
        launcher.kill()
        if not wait_gone(pid, 0.1):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("parameter", "code", "named"),
    [
        ("xs_namespace:=arm -r __ns:=/arm -p driver:=xs_sdk", 2, "cannot live in the namespace"),
        ("control_hz:=900.0", 2, "1..50"),
        ("contol_hz:=5.0", 2, "Did you mean control_hz"),
    ],
)
def test_a_refused_configuration_ends_the_process_with_code_2(
    node_environment, parameter, code, named
):
    process = start_process(node_environment, parameter)
    output, _ = process.communicate(timeout=EXIT_S)
    assert process.returncode == code, output
    assert named in output
    assert "terminate called" not in output


def test_a_reset_right_after_the_end_was_asked_for_waits_for_it(ros, arm_client, arm):
    arm(control_hz=2.0)
    arm_client.answer = False
    assert arm_client.begin(max_steps=1000).error_code == 0
    ros.spin_until(lambda: arm_client.states)
    refused = arm_client.reset()
    assert refused.error_code == refused.FAULT
    assert "end it first" in refused.error_msg
    assert arm_client.end().error_code == 0
    assert arm_client.reset().error_code == 0
