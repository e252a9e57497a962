# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""On the fake xs_sdk robot_node is killed, the camera or the link to xs_sdk is gone in mid-episode:
the arm stays where it is, the episode is kept with its taint, the session goes on afterwards."""

import functools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import roboreward_ros.msg as msg
import xs_interfaces
from ros_fakes import EACH, FakePolicy
from std_srvs.srv import Trigger
from xs_world import SpunSdk

from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import CameraError
from roboreward_ros.nodes import camera_node
from roboreward_ros.nodes.camera_node import CameraNode
from roboreward_ros.nodes.learner_node import LearnerNode
from roboreward_ros.nodes.policy_node import PolicyNode
from roboreward_ros.nodes.recorder_node import RecorderNode
from roboreward_ros.nodes.reward_node import RewardNode
from roboreward_ros.nodes.robot_node import RobotNode
from roboreward_ros.nodes.session_node import SessionNode
from roboreward_ros.ros.qos import EVENT
from roboreward_ros.ros.stop import StopSignal
from roboreward_ros.testing import fake_policy
from roboreward_ros.testing.fake_camera import FakeCamera
from roboreward_ros.types import EndCause

pytestmark = [pytest.mark.ros, pytest.mark.slow]
STEPS, BREAK_AT, EPISODES = 12, 4, 2
LONG = 24  # steps: longer than the time-outs that notice a loss
LIMIT_S = 240.0
ARM = {
    "driver": "xs_sdk",
    "control_hz": 5.0,
    "travel_speed": 3.0,
    "max_state_age_s": 3.0,
    "connect_timeout_s": 30.0,
    "action_timeout_s": 30.0,  # the machine may be busy
}


class Breaker:
    """The person who confirms resets, breaks something once in the first episode, and repairs it
    when the session has failed without it."""

    def __init__(self, ros, act, repair=lambda: None) -> None:
        self.act, self.repair = act, repair
        self.done = False
        self.phases = []
        client = ros.node("breaker")
        client.create_subscription(msg.SessionState, "session", self._on_session, EACH)
        client.create_subscription(msg.RobotState, "state", self._on_state, EVENT)
        self._confirm = client.create_client(Trigger, "session_node/confirm_reset")

    def _on_session(self, state) -> None:
        if self.phases[-1:] == [state.phase]:
            return
        self.phases.append(state.phase)
        if state.phase == "WAIT_RESET":
            self._confirm.call_async(Trigger.Request())
        if self.done and state.phase == "FAULT":
            self.repair()

    def _on_state(self, state) -> None:
        if state.episode_id and state.step >= BREAK_AT and not self.done:
            self.done = True
            self.act()


class Process:
    """A node in a process of its own.

    Args:
        domain: of ROS.
        main: statements that run it.
        words: its command line.
    """

    def __init__(self, domain, main, *words) -> None:
        here = str(Path(xs_interfaces.__file__).parent)
        code = (
            f"import sys; sys.path.insert(0, {here!r})\n"
            f"import xs_interfaces; xs_interfaces.prepare()\n{main}\n"
        )
        self.command = [sys.executable, "-c", code, *words]
        self.environment = {**os.environ, "ROS_DOMAIN_ID": str(domain)}
        self.process = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, env=self.environment)

    def kill(self, number=signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(60.0)


class RobotProcess(Process):
    """robot_node over the fake sdk of this process."""

    def __init__(self, domain, tmp_path) -> None:
        values = {**ARM, "run_dir": tmp_path}
        words = [word for k, v in values.items() for word in ("-p", f"{k}:={v}")]
        main = "from roboreward_ros.nodes.robot_node import main; raise SystemExit(main())"
        super().__init__(domain, main, "--ros-args", *words)


class Cable:
    """Between a camera and its node."""

    def __init__(self) -> None:
        self._plugged = threading.Event()
        self.plug, self.unplug = self._plugged.set, self._plugged.clear
        self.plug()

    def check(self) -> None:
        if not self._plugged.is_set():
            raise CameraError("no such device", next_step="Plug it in.")


class CabledCamera(FakeCamera):
    """Neither opens nor gives pictures without its cable."""

    def __init__(self, cable) -> None:
        super().__init__(SystemTime(), width=32, height=32, fps=30.0)
        self._cable = cable

    def open(self) -> None:
        self._cable.check()
        super().open()

    def read(self, timeout_s):
        self._cable.check()
        return super().read(timeout_s)


@pytest.fixture
def cable(monkeypatch):
    """Of each camera in the test."""
    made = Cable()
    monkeypatch.setattr(camera_node, "make_camera", lambda _: CabledCamera(made))
    return made


@pytest.fixture
def stack(ros, tmp_path, cable):
    """The stack without arm and policy; finishes the session that it returns."""
    run = {"run_dir": str(tmp_path)}
    made = {}

    def start(kind, **values):
        node = kind(context=ros.context, parameters={**run, **values})
        node.stop = StopSignal()
        assert ros.add(node).bring_up(), node.failure
        made[kind] = node
        return node

    def finish(breaker, max_steps=STEPS):
        for kind in (RewardNode, LearnerNode):
            start(kind)
        start(RecorderNode, max_skew_s=5.0)
        session = start(
            SessionNode,
            task="t",
            episodes=EPISODES,
            max_steps=max_steps,
            auto_reset=False,
            max_retries=20,
        )
        ros.spin_until(lambda: session.stop, "all episodes", LIMIT_S)
        assert session.stop.code == 0
        return list(EpisodeStore(tmp_path))

    yield start, finish, made
    for node in ros.nodes:
        if hasattr(node, "wind_down"):
            node.wind_down("end of test")


@pytest.fixture
def world(ros, stack):
    """A stack with a fake sdk and a policy that needs no pictures."""
    sdk = SpunSdk(ros)
    assert ros.add(FakePolicy(ros.context)).bring_up()
    yield sdk, *stack
    sdk.kill()


def goes_on(episode) -> bool:
    """It ran to its end; a busy machine may have lost a picture of it."""
    summary = episode.summary
    return summary.end_cause is EndCause.TIME and "fault" not in summary.taint


def commands_at_ends(ros, sdk):
    """Grows by the number of commands that the arm had at the end of each episode."""
    found = []

    def look(state) -> None:
        if state.last:
            found.append(len(sdk.servos.commands))

    ros.node("counter").create_subscription(msg.RobotState, "state", look, EVENT)
    return found


def held(sdk, count) -> bool:
    """Whether a hold was the last command; the state that tells the end may overtake it."""
    return any(command.is_hold for command in sdk.servos.commands[count - 1 :][:2])


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
        at_death.append(len(sdk.servos.commands))
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
    # A last word of the old process may have been on its way when it died.
    again = next(c for c in sdk.servos.commands[at_death[0] :][:2] if c.is_hold)
    assert abs(again.measured - again.last).max() < 0.05, "the arm stayed at its last command"
    assert sdk.servos.falls == 0


def test_the_camera_is_gone_in_mid_episode_and_comes_back(ros, world):
    sdk, start, finish, made = world
    start(RobotNode, **ARM)
    start(CameraNode, device="0")
    breaker = Breaker(ros, lambda: made[CameraNode].wind_down("unplugged"))
    ends = commands_at_ends(ros, sdk)

    back = []

    def look(state) -> None:
        if state.last and not back:
            back.append(start(CameraNode, device="0"))

    ros.node("watcher").create_subscription(msg.RobotState, "state", look, EVENT)
    first, second = finish(breaker)
    assert "no image" in first.summary.taint
    assert goes_on(second)
    assert held(sdk, ends[0])


def test_a_policy_that_needs_pictures_loses_its_camera_in_mid_episode(ros, stack, cable):
    start, finish, _ = stack
    sdk = SpunSdk(ros)
    sees = functools.partial(PolicyNode, lambda _: fake_policy.FakePolicy(scale=1e-3))
    start(sees, max_skew_s=0.5, picture_s=1.0)
    start(RobotNode, **{**ARM, "action_timeout_s": 3.0})
    start(CameraNode, device="0")
    breaker = Breaker(ros, cable.unplug, cable.plug)
    ends = commands_at_ends(ros, sdk)
    try:
        first, second = finish(breaker, max_steps=LONG)
    finally:
        sdk.kill()
    assert first.summary.end_cause is EndCause.FAULT
    assert {"fault", "no image"} <= set(first.summary.taint)
    assert BREAK_AT <= first.summary.n_steps < LONG  # the steps that were seen
    assert goes_on(second)
    tried = breaker.phases.index("FAULT")
    assert breaker.phases[tried - 1] == "READY"  # without pictures the arm did not move again
    assert held(sdk, ends[0])
    assert sdk.servos.falls == 0


def test_the_link_to_the_arm_s_driver_is_cut_while_both_live(ros, ros_domain, stack):
    """The driver's process is stopped, so that on the wire not even its heartbeats are left."""
    start, finish, made = stack
    xs_interfaces.prepare()
    program = "import fake_xs_sdk; sys.argv = ['x']; raise SystemExit(fake_xs_sdk.main())"
    sdk = Process(ros_domain, program)
    sdk.start()
    assert ros.add(FakePolicy(ros.context)).bring_up()
    try:
        start(RobotNode, **{**ARM, "connect_timeout_s": 20.0})
        start(CameraNode, device="0")
        cut = lambda: sdk.process.send_signal(signal.SIGSTOP)  # noqa: E731
        mend = lambda: sdk.process.send_signal(signal.SIGCONT)  # noqa: E731
        breaker = Breaker(ros, cut, mend)
        first, second = finish(breaker, max_steps=LONG)
        assert sdk.process.poll() is None
    finally:
        sdk.kill()
    assert first.summary.end_cause is EndCause.FAULT
    assert "fault" in first.summary.taint
    told = first.faults()[-1]
    assert any(words in told for words in ("no new joint state", "xs_sdk did not answer")), told
    assert BREAK_AT <= first.summary.n_steps < LONG
    assert goes_on(second)
    assert "FAULT" in breaker.phases  # a reset without a link
    assert made[RobotNode]._arm.status.recoveries == 0  # the link came back, nothing was broken
