# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An arm and its camera as policy_node hears them, played by a test."""

import numpy as np
from rclpy.action import ActionClient
from roboreward_ros.action import RunPolicy
from sensor_msgs.msg import Image

from roboreward_ros import msg
from roboreward_ros.nodes.policy_node import PolicyNode
from roboreward_ros.ros.convert import Beat, beat_to_msg, image_to_msg
from roboreward_ros.ros.qos import EVENT, LATCHED
from roboreward_ros.types import RobotState

TASK = "open the drawer"
EPISODE = "ep_000003"
SEED = 11


def state_at(step):
    pose = np.eye(4)
    pose[0, 3] = 0.2 + 0.01 * step
    return RobotState(
        stamp_ns=1_000_000_000 * (step + 1),
        q=np.full(6, 0.1 * step),
        dq=np.zeros(6),
        effort=np.full(6, np.nan),
        gripper=1.0,
        ee_pose=pose,
        proprio=np.array([0.01 * step, 0, 0, 0, 0, 0, 1.0]),
    )


def picture_at(step, size=32):
    return np.full((size, size, 3), 10 + step, dtype=np.uint8)


class PlayedArm:
    """Publishes state and image from one node, as sim_node does; hears chunks and actions."""

    def __init__(self, ros, image_node=None):
        self.ros = ros
        self.node = ros.node("played_arm")
        self.state = self.node.create_publisher(msg.RobotState, "state", EVENT)
        image_node = self.node if image_node is None else ros.node(image_node)
        self.image = image_node.create_publisher(Image, "image", EVENT)
        self.actions, self.chunks = [], []
        self.heard = [
            self.node.create_subscription(msg.EefAction, "action", self.actions.append, EVENT),
            self.node.create_subscription(msg.ActionChunk, "chunk", self.chunks.append, EVENT),
        ]
        self.client = ActionClient(self.node, RunPolicy, "run_policy")
        self.updates = self.node.create_publisher(msg.PolicyUpdate, "policy_update", LATCHED)

    def connect(self):
        self.ros.connected(self.state, self.image, *self.heard, self.client)

    def goal(self, **given):
        values = {"episode_id": EPISODE, "task": TASK, "max_steps": 8, "seed": SEED, **given}
        ready = []
        handle = self.ros.send(
            self.client, RunPolicy.Goal(**values), lambda m: ready.append(m.feedback)
        )
        assert handle.accepted
        return handle, ready

    def show(self, step, picture=None, episode_id=EPISODE, cause=None, with_image=True):
        state = state_at(step)
        if with_image:
            self.image.publish(
                image_to_msg(picture_at(step) if picture is None else picture, state.stamp_ns)
            )
        self.state.publish(beat_to_msg(Beat(episode_id, step, state, None, cause)))

    def play(self, steps, start=0):
        for step in range(start, steps):
            self.show(step)
            self.ros.spin_until(lambda want=step + 1: len(self.actions) >= want)


def start_policy(ros, policy, run_dir, **parameters):
    """policy_node with a policy, up."""
    given = {"run_dir": str(run_dir), **parameters}
    made = PolicyNode(lambda _: policy, context=ros.context, parameters=given)
    ros.add(made)
    assert made.bring_up(), made.failure
    return made


def film(ros, arm, until, stamp_ns=1, state=None):
    """A camera that goes on until something has come."""

    def shown():
        if state is not None:
            arm.state.publish(beat_to_msg(Beat("", 0, state)))
        arm.image.publish(image_to_msg(picture_at(0), stamp_ns))
        return until()

    ros.spin_until(shown)
