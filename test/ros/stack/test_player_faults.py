# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A rehearsal's answers come late, and somebody sets a parameter of a node."""

import threading

import numpy as np
import pytest

from roboreward_ros.clock import SystemClock
from roboreward_ros.nodes.recorder_node import RecorderNode
from roboreward_ros.ros.arm_beat import ArmLoopConfig
from roboreward_ros.ros.gated_arm import GatedLoop
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig
from roboreward_ros.ros.scripted_seat import ScriptedSeat
from roboreward_ros.testing.fake_robot import FakeRobot
from roboreward_ros.types import StepAction

pytestmark = pytest.mark.ros
LATE_NS = 150_000_000


class Sink:
    """Answers each state at once, and is held up at step 1."""

    def __init__(self, late_s):
        self.late_s, self.told_ns, self.last = late_s, [], threading.Event()

    def publish(self, beat):
        self.told_ns.append(SystemClock().steady_ns())
        if beat.last:
            self.last.set()
            return
        self.loop.answer_after(self.late_s if beat.step == 1 else 0.0)
        assert self.loop.offer(StepAction(beat.episode_id, beat.step, np.zeros(7)))

    def idle(self, state):
        pass


def gated(sink):
    config = ArmLoopConfig(lock_step=True)
    sink.loop = GatedLoop(lambda _: FakeRobot(), sink, config, SystemClock(), lambda _: None)
    sink.loop.start(30.0)
    sink.loop.reset("open the drawer", 0).result(30.0)
    assert sink.loop.begin("ep_000000", 4) is None
    return sink.loop


def test_an_answer_comes_no_sooner_than_it_is_due():
    sink = Sink(LATE_NS * 1e-9)
    loop = gated(sink)
    assert sink.last.wait(60.0)
    assert loop.stop(30.0)
    assert len(sink.told_ns) == 5
    assert sink.told_ns[2] - sink.told_ns[1] >= LATE_NS
    assert loop.status.dropped == 0


def test_what_is_held_back_does_not_outlive_the_arm():
    sink = Sink(3600.0)
    loop = gated(sink)
    deadline_ns = SystemClock().steady_ns() + 60_000_000_000
    while not loop._held and SystemClock().steady_ns() < deadline_ns:
        SystemClock().sleep(0.01)
    (held,) = loop._held
    assert loop.stop(30.0)
    held.join(30.0)
    assert not held.is_alive()


class Log:
    """Of a seat; nobody presses anything."""

    def __init__(self):
        self.parts = []

    def part(self, text):
        self.parts.append(text)

    def look(self, view, now_s):
        pass


def test_the_answer_of_a_node_whose_parameter_is_set_is_told(ros, tmp_path):
    recorder = RecorderNode(context=ros.context, parameters={"run_dir": str(tmp_path / "run")})
    assert ros.add(recorder).bring_up(), recorder.failure
    host = ros.add(HostNode("player", HostConfig, context=ros.context))
    log, effects = Log(), []
    names = ("recorder_node", "nobody")
    seat = ScriptedSeat(host, log, log, lambda: effects.append(len(log.parts)), names)
    client = seat._parameters["recorder_node"]
    ros.spin_until(client.services_are_ready, "the recorder's services")
    seat.set_parameter("nobody", "run_dir", "elsewhere")
    assert log.parts == ["nobody: run_dir set to elsewhere: it is not there"]
    seat.set_parameter("recorder_node", "run_dir", "elsewhere")
    ros.spin_until(lambda: len(log.parts) == 2, "its answer")
    assert log.parts[1].startswith("recorder_node: run_dir set to elsewhere: refused: ")
    assert "read-only" in log.parts[1]
    assert effects == [1, 2]
    assert recorder.config.run_dir == str(tmp_path / "run")
