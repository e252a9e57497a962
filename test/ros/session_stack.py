# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All nodes of a session; the arm and the policy are fakes."""

import roboreward_ros.msg as msg
from rclpy.action import ActionClient
from roboreward_ros.action import RunEpisode
from roboreward_ros.srv import Discard, Label, Verb
from ros_fakes import EACH, FakeArm, FakePolicy
from std_srvs.srv import Trigger

from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.nodes.learner_node import LearnerNode
from roboreward_ros.nodes.recorder_node import RecorderNode
from roboreward_ros.nodes.reward_node import RewardNode
from roboreward_ros.nodes.session_node import SessionNode
from roboreward_ros.ros.driver_seams import DriverConfig
from roboreward_ros.ros.operator import TRIGGERS
from roboreward_ros.ros.stop import StopSignal

TASK = "open the drawer"
PATIENT = DriverConfig(service_s=60.0, silence_s=120.0, told_s=60.0)
"""All nodes live here and answer, but a starved machine may let them wait."""


class Stack:
    """All nodes of a session in one process."""

    def __init__(self, ros, path):
        self.ros, self.path = ros, path
        self.arm = FakeArm(ros.context)
        self.policy = FakePolicy(ros.context)
        run = {"run_dir": str(path)}
        self.recorder = RecorderNode(context=ros.context, parameters=run)
        self.reward = RewardNode(context=ros.context, parameters=run)
        self.learner = LearnerNode(context=ros.context, parameters={**run, "poll_s": 0.05})
        client = ros.node()
        self.states = []
        client.create_subscription(msg.SessionState, "session", self.states.append, EACH)
        self.run = ActionClient(client, RunEpisode, "run_episode")
        self.services = {
            name: client.create_client(kind, f"session_node/{name}")
            for name, kind in (
                *((n, Trigger) for n in TRIGGERS),
                ("label", Label),
                ("verb", Verb),
                ("discard", Discard),
            )
        }
        self.session = None

    def up(self, *but):
        for name in ("recorder", "arm", "policy", "reward", "learner"):
            if name not in but:
                node = self.ros.add(getattr(self, name))
                assert node.bring_up(), node.failure
        return self

    def start(self, **parameters):
        values = {
            "run_dir": str(self.path),
            "task": TASK,
            "max_steps": 8,
            "episodes": 2,
            "wait_for_learner": True,
            "wait_for_reward": True,
            **parameters,
        }
        self.session = SessionNode(context=self.ros.context, parameters=values)
        self.session.stop = StopSignal()
        self.ros.add(self.session)
        assert self.session.bring_up(), self.session.failure
        self.session._driver._config = PATIENT
        return self

    @property
    def state(self):
        return self.states[-1] if self.states else msg.SessionState()

    @property
    def ids(self):
        return list(EpisodeStore(self.path).ids())

    def until(self, phase, what=""):
        self.ros.spin_until(lambda: self.state.phase == phase, f"{phase} {what}")

    def call(self, name, request=None):
        return self.ros.call(self.services[name], request or Trigger.Request())
