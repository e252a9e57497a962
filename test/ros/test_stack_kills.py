# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""robot_node killed and the camera gone in mid-episode on the fake xs_sdk: the arm stays where it
is, the episode is kept with its taint, the session goes on once the part is back."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import roboreward_ros.msg as msg
import xs_interfaces
from ros_fakes import FakePolicy
from std_srvs.srv import Trigger
from xs_world import SpunSdk

from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.nodes import camera_node
from roboreward_ros.nodes.camera_node import CameraNode
from roboreward_ros.nodes.learner_node import LearnerNode
from roboreward_ros.nodes.recorder_node import RecorderNode
from roboreward_ros.nodes.reward_node import RewardNode
from roboreward_ros.nodes.robot_node import RobotNode
from roboreward_ros.nodes.session_node import SessionNode
from roboreward_ros.ros.qos import EVENT, LATCHED
from roboreward_ros.ros.stop import StopSignal
from roboreward_ros.testing.fake_camera import FakeCamera
from roboreward_ros.types import EndCause

pytestmark = [pytest.mark.ros, pytest.mark.slow]
STEPS, BREAK_AT, EPISODES = 12, 4, 2
LIMIT_S = 120.0
ARM = {
    "driver": "xs_sdk",
    "control_hz": 5.0,
    "travel_speed": 3.0,
    "max_state_age_s": 3.0,
    "connect_timeout_s": 30.0,
    "action_timeout_s": 30.0,  # the machine may be busy
}


class Breaker:
    """The person who confirms resets, and who breaks something once in the first episode."""

    def __init__(self, ros, act) -> None:
        self.act = act
        self.done = False
        self.phases = []
        client = ros.node("breaker")
        client.create_subscription(msg.SessionState, "session", self._on_session, LATCHED)
        client.create_subscription(msg.RobotState, "state", self._on_state, EVENT)
        self._confirm = client.create_client(Trigger, "session_node/confirm_reset")

    def _on_session(self, state) -> None:
        if state.phase == "WAIT_RESET" and self.phases[-1:] != ["WAIT_RESET"]:
            self._confirm.call_async(Trigger.Request())
        self.phases.append(state.phase)

    def _on_state(self, state) -> None:
        if state.episode_id and state.step >= BREAK_AT and not self.done:
            self.done = True
            self.act()


class RobotProcess:
    """robot_node in a process of its own, over the fake sdk of this one."""

    def __init__(self, domain, tmp_path) -> None:
        here = str(Path(__file__).parent)
        code = (
            f"import sys; sys.path.insert(0, {here!r})\n"
            "import xs_interfaces; xs_interfaces.prepare()\n"
            "from roboreward_ros.nodes.robot_node import main; raise SystemExit(main())\n"
        )
        values = {**ARM, "run_dir": tmp_path}
        words = [word for k, v in values.items() for word in ("-p", f"{k}:={v}")]
        self.command = [sys.executable, "-c", code, "--ros-args", *words]
        self.environment = {**os.environ, "ROS_DOMAIN_ID": str(domain)}
        self.process = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, env=self.environment)

    def kill(self, number=signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30.0)


@pytest.fixture
def world(ros, tmp_path, monkeypatch):
    """The stack without robot_node on a fake sdk; finishes the session that it returns."""
    sdk = SpunSdk(ros)
    size = {"width": 32, "height": 32, "fps": 30.0}
    monkeypatch.setattr(camera_node, "make_camera", lambda _: FakeCamera(SystemTime(), **size))
    run = {"run_dir": str(tmp_path)}
    assert ros.add(FakePolicy(ros.context)).bring_up()
    made = {}

    def start(kind, **values):
        node = kind(context=ros.context, parameters={**run, **values})
        node.stop = StopSignal()
        assert ros.add(node).bring_up(), node.failure
        made[kind] = node
        return node

    def finish(breaker):
        for kind in (RewardNode, LearnerNode):
            start(kind)
        start(RecorderNode, max_skew_s=5.0)
        session = start(
            SessionNode,
            task="t",
            episodes=EPISODES,
            max_steps=STEPS,
            auto_reset=False,
            max_retries=20,
        )
        told = lambda: f"all episodes; {breaker.phases[-20:]}"  # noqa: E731
        ros.spin_until(lambda: session.stop, told(), LIMIT_S)
        assert session.stop.code == 0
        return list(EpisodeStore(tmp_path))

    yield sdk, start, finish, made
    for node in ros.nodes:
        if hasattr(node, "wind_down"):
            node.wind_down("end of test")
    sdk.kill()


def goes_on(episode) -> bool:
    """It ran to its end; a busy machine may have lost a picture of it."""
    summary = episode.summary
    return summary.end_cause is EndCause.TIME and "fault" not in summary.taint


def SystemTime():  # noqa: N802 - a clock of its own for each camera
    from roboreward_ros.clock import SystemClock

    return SystemClock()


def test_robot_node_is_killed_in_mid_episode(ros, ros_domain, world, tmp_path):
    sdk, start, finish, _ = world
    xs_interfaces.prepare()
    start(CameraNode, device="0")
    robot = RobotProcess(ros_domain, tmp_path)
    at_death = []

    def kill() -> None:
        robot.kill()
        at_death.append((len(sdk.servos.commands), sdk.servos.commands[-1].command))
        robot.start()  # as the launcher does

    robot.start()
    breaker = Breaker(ros, kill)
    try:
        first, second = finish(breaker)
    finally:
        robot.kill(signal.SIGINT)
    assert first.summary.end_cause is EndCause.FAULT
    assert {"fault", "lost: /state"} <= {text.replace("//", "/") for text in first.summary.taint}
    assert BREAK_AT - 1 <= first.summary.n_steps < STEPS
    assert goes_on(second)
    count, last = at_death[0]
    again = sdk.servos.commands[count]
    assert again.is_hold, "the first word of the new process"
    assert abs(again.measured - last).max() < 0.05, "the arm stayed at its last command"
    assert sdk.servos.falls == 0


def test_the_camera_is_gone_in_mid_episode_and_comes_back(ros, world):
    sdk, start, finish, made = world
    start(RobotNode, **ARM)
    start(CameraNode, device="0")
    breaker = Breaker(ros, lambda: made[CameraNode].wind_down("unplugged"))
    ends = []

    def look(state) -> None:
        if state.last:
            ends.append(len(sdk.servos.commands))
        if state.last and len(ends) == 1:
            start(CameraNode, device="0")

    ros.node("watcher").create_subscription(msg.RobotState, "state", look, EVENT)
    first, second = finish(breaker)
    assert "no image" in first.summary.taint
    assert goes_on(second)
    assert sdk.servos.commands[ends[0] - 1].is_hold
