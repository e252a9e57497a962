# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Clients of an arm's owner and of the policy, as session, policy and recorder see them."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from conftest import Ros

TASK = "open the drawer"


@dataclass
class ArmClient:
    """Plays session and policy against sim_node or robot_node; keeps everything published."""

    ros: "Ros"
    images: bool = True
    states: list = field(default_factory=list)
    pictures: list = field(default_factory=list)
    truths: list = field(default_factory=list)
    answer: bool = True

    def __post_init__(self) -> None:
        from rclpy.action import ActionClient
        from roboreward_ros.action import ResetRobot
        from sensor_msgs.msg import Image

        from roboreward_ros import msg, srv
        from roboreward_ros.ros.qos import COMMAND, EVENT

        self.node = self.ros.node("arm_client")
        self.reset_client = ActionClient(self.node, ResetRobot, "reset_robot")
        self.begin_client = self.node.create_client(srv.BeginEpisode, "begin_episode")
        self.end_client = self.node.create_client(srv.EndEpisode, "end_episode")
        self.action = self.node.create_publisher(msg.EefAction, "action", COMMAND)
        self.state = self.node.create_subscription(msg.RobotState, "state", self._on_state, EVENT)
        self.truth = self.node.create_subscription(
            msg.GroundTruth, "ground_truth", self.truths.append, EVENT
        )
        self.image = self.node.create_subscription(Image, "image", self.pictures.append, EVENT)

    def connect(self) -> None:
        """Wait for the arm's owner."""
        entities = [self.reset_client, self.begin_client, self.end_client, self.action, self.state]
        self.ros.connected(*entities, *([self.image, self.truth] if self.images else []))

    def _on_state(self, message: object) -> None:
        if not message.episode_id:
            return
        self.states.append(message)
        if self.answer and not message.last:
            self.act(message.episode_id, message.step, self.action_of(message.step))

    def action_of(self, step: int) -> np.ndarray:
        """A small motion that differs from step to step."""
        return np.array([0.01 * np.sin(step), 0.01, -0.005, 0.0, 0.0, 0.05, float(step % 2)])

    def act(self, episode_id: str, step: int, action: np.ndarray) -> None:
        from roboreward_ros.ros.convert import StepAction, action_to_msg

        self.action.publish(action_to_msg(StepAction(episode_id, step, action)))

    def reset(self, task: str = TASK, seed: int = 7) -> object:
        from roboreward_ros.action import ResetRobot

        handle = self.ros.send(self.reset_client, ResetRobot.Goal(task=task, seed=seed))
        assert handle.accepted
        return self.ros.result(handle).result

    def begin(self, episode_id: str = "ep_000000", max_steps: int = 5) -> object:
        from roboreward_ros import srv

        request = srv.BeginEpisode.Request(episode_id=episode_id, max_steps=max_steps)
        return self.ros.call(self.begin_client, request)

    def end(self, episode_id: str = "ep_000000", end_cause: int = 1) -> object:
        from roboreward_ros import srv

        request = srv.EndEpisode.Request(episode_id=episode_id, end_cause=end_cause)
        return self.ros.call(self.end_client, request)

    def wait_last(self) -> object:
        """Spin until the final state came; returns it."""
        self.ros.spin_until(lambda: self.states and self.states[-1].last, "the last state")
        return self.states[-1]


@pytest.fixture
def arm_client(ros: "Ros") -> ArmClient:
    return ArmClient(ros)
