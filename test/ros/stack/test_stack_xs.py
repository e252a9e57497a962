# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A session on the fake xs_sdk with a fault in every episode but the first: none is lost, the
tainted are marked, and the session goes on by itself after each recovery."""

import numpy as np
import pytest
import roboreward_ros.msg as msg
from ros_fakes import EACH, FakePolicy
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
from roboreward_ros.ros.qos import EVENT
from roboreward_ros.ros.stop import StopSignal
from roboreward_ros.testing.fake_camera import FakeCamera
from roboreward_ros.types import EndCause

pytestmark = [pytest.mark.ros, pytest.mark.slow]
STEPS = 40
FAULTS = ("", "jam waist", "overload wrist_rotate", "nan", "dead elbow", "restart")
NAMED = {
    "jam waist": ("waist",),
    "overload wrist_rotate": ("wrist_rotate",),
    "nan": ("nan",),
    "dead elbow": ("motors answer",),
    "restart": ("joint state", "xs_sdk did not answer"),
}
"""What the stored episode may say about each."""
TEMPERATURE_C = 34.0
LIMIT_S = 240.0


class Saboteur:
    """The person beside the arm, who also breaks each episode at its third step in the next way."""

    def __init__(self, ros, sdk) -> None:
        self.ros = ros
        self.sdk = sdk
        self.dead = self.cleared = False
        self.done: list[str] = []
        self.phases: list[str] = []
        client = ros.node("saboteur")
        client.create_subscription(msg.SessionState, "session", self._on_session, EACH)
        client.create_subscription(msg.RobotState, "state", self._on_state, EVENT)
        self._clear = client.create_client(Trigger, "robot_node/clear_fault")
        self._confirm = client.create_client(Trigger, "session_node/confirm_reset")

    def _on_session(self, state) -> None:
        if state.phase == "WAIT_RESET" and self.phases[-1:] != ["WAIT_RESET"]:
            self._confirm.call_async(Trigger.Request())
        if state.phase == "FAULT" and "clear the fault" in state.message and not self.cleared:
            self.cleared = True  # the person who was asked for has looked
            self._clear.call_async(Trigger.Request())
        self.phases.append(state.phase)

    def _on_state(self, state) -> None:
        if state.last and self.dead:
            self.dead, self.sdk = False, SpunSdk(self.ros)
        if state.last:
            for repair in ("revive", "number"):
                self.sdk.node.fault(repair)
        if not state.episode_id or state.step != 3 or state.episode_id in self.done:
            return
        kind = FAULTS[len(self.done) % len(FAULTS)]
        self.done.append(state.episode_id)
        if kind == "restart":
            self.sdk.kill()
            self.dead = True
        elif kind:
            self.sdk.node.fault(kind)


def test_episodes_with_injected_faults_are_all_kept_and_the_tainted_marked(
    ros, tmp_path, monkeypatch
):
    saboteur = Saboteur(ros, SpunSdk(ros))
    size = {"width": 32, "height": 32, "fps": 30.0}
    monkeypatch.setattr(camera_node, "make_camera", lambda _: FakeCamera(node.clock, **size))
    run = {"run_dir": str(tmp_path)}
    arm = {
        "driver": "xs_sdk",
        "control_hz": 5.0,
        "travel_speed": 3.0,
        "max_state_age_s": 3.0,
        "connect_timeout_s": 30.0,
    }
    policy = FakePolicy(ros.context)
    assert ros.add(policy).bring_up()
    kinds = {
        CameraNode: {"device": "0"},
        RobotNode: arm,
        RecorderNode: {"max_skew_s": 2.0},
        RewardNode: {},
        LearnerNode: {},
        SessionNode: {
            "task": "t",
            "episodes": len(FAULTS),
            "max_steps": STEPS,
            "auto_reset": False,
            "max_retries": 20,
        },
    }
    node = None
    for kind, values in kinds.items():
        node = kind(context=ros.context, parameters={**run, **values})
        node.stop = StopSignal()
        assert ros.add(node).bring_up(), node.failure
    try:
        ros.spin_until(lambda: node.stop, f"all episodes; {saboteur.phases[-20:]}", LIMIT_S)
    finally:
        for one in ros.nodes:
            if hasattr(one, "wind_down"):
                one.wind_down("end of test")
        saboteur.sdk.kill()
    assert node.stop.code == 0
    episodes = list(EpisodeStore(tmp_path))
    assert [e.summary.meta.index for e in episodes] == list(range(len(FAULTS)))
    told = [(k, e.summary.complete, e.summary.taint) for k, e in zip(FAULTS, episodes, strict=True)]
    # A fault may cut an episode between a state and its picture: it is kept and says so.
    assert all(complete or taint for _, complete, taint in told), told
    first, *broken = episodes
    assert (first.summary.end_cause, first.summary.taint) == (EndCause.TIME, ())
    assert first.summary.n_steps == STEPS
    assert not any(first.faults())
    assert (first.array("temperature")[-1] == TEMPERATURE_C).all()
    assert np.nanmax(first.array("ik_error")) < 0.1
    for kind, episode in zip(FAULTS[1:], broken, strict=True):
        assert episode.summary.end_cause is EndCause.FAULT, kind
        assert "fault" in episode.summary.taint, kind
        told = episode.faults()[-1]
        assert any(words in told for words in NAMED[kind]), (kind, told)
