# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""policy_node without pictures, with pictures of another time, and without room on its GPU."""

import math
import re
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from action_msgs.msg import GoalStatus
from played_arm import EPISODE, TASK, PlayedArm, film, picture_at, start_policy, state_at
from roboreward_ros.action import RunPolicy

from roboreward_ros.memory import ADVICE
from roboreward_ros.ros.convert import Beat, beat_to_msg, image_to_msg
from roboreward_ros.ros.sources import NAMELESS, one_publisher
from roboreward_ros.testing.fake_policy import FakePolicy


@pytest.fixture
def policy():
    return FakePolicy(chunk_size=4, tasks=(TASK,))


@pytest.fixture
def node(ros, policy, tmp_path):
    return partial(start_policy, ros, policy, tmp_path)


def refused(ros, handle):
    """The words of a goal that came to nothing."""
    answer = ros.result(handle)
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.error_code == RunPolicy.Result.STALLED
    return answer.result.error_msg


def test_without_a_fresh_picture_of_the_camera_no_episode_is_begun(ros, node):
    made = node(picture_s=0.3)
    arm = PlayedArm(ros, image_node="camera_node")
    arm.connect()
    arm.image.publish(image_to_msg(picture_at(0), 1))
    ros.spin_until(lambda: made._queue._images)  # before the goal: the camera is lost by now
    handle, ready = arm.goal()
    assert "no picture came for 0.3 s" in refused(ros, handle)
    assert not ready


def test_a_camera_whose_clock_is_not_the_arm_s_is_named_before_an_episode(ros, node):
    made = node(picture_s=2.0)
    arm = PlayedArm(ros, image_node="camera_node")
    arm.connect()
    now = state_at(9)
    arm.state.publish(beat_to_msg(Beat("", 0, now)))
    ros.spin_until(lambda: made._queue._state_lag_ns is not None)
    handle, ready = arm.goal()
    film(ros, arm, lambda: not made._server.busy, now.stamp_ns - 3_000_000_000, now)
    told = refused(ros, handle)
    assert re.search(r"[23]\.\d+ s away from the arm's, allowed: 0\.2 s; compare the clocks", told)
    assert not ready


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (lambda it: setattr(it, "proprio", [math.nan] * 7), "step 4 is not finite"),
        (lambda it: (setattr(it, "last", True), setattr(it, "end_cause", 9)), "step 4: "),
    ],
)
def test_a_state_that_makes_no_sense_ends_the_goal_with_its_name_and_not_the_node(
    ros, node, broken, named
):
    made = node()
    arm = PlayedArm(ros)
    arm.connect()
    handle, ready = arm.goal()
    ros.spin_until(lambda: ready)
    arm.play(4)
    message = beat_to_msg(Beat(EPISODE, 4, state_at(4)))
    broken(message)
    arm.image.publish(image_to_msg(picture_at(4), state_at(4).stamp_ns))
    arm.state.publish(message)
    answer = ros.result(handle)
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert named in answer.result.error_msg
    assert len(arm.actions) == 4
    assert made.active
    _, ready = arm.goal(episode_id="ep_000004")
    ros.spin_until(lambda: ready)
    arm.show(0, episode_id="ep_000004")
    ros.spin_until(lambda: len(arm.actions) == 5, "an answer in the next episode")


def test_a_gpu_without_room_is_named_and_tried_again_with_the_next_episode(ros, node, policy):
    made = node()
    arm = PlayedArm(ros)
    arm.connect()
    decode, full = policy.decode, [True]

    def without_room(features, noise):
        if full:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return decode(features, noise)

    policy.decode = without_room
    handle, ready = arm.goal()
    ros.spin_until(lambda: ready)
    arm.show(0)
    answer = ros.result(handle)
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.error_msg.endswith(ADVICE)
    assert not arm.actions  # without an action the arm holds
    full.clear()
    _, ready = arm.goal(episode_id="ep_000004")
    ros.spin_until(lambda: ready)
    arm.show(0, episode_id="ep_000004")
    ros.spin_until(lambda: arm.actions)
    assert made.active


class Graph:
    """What a node is told of who publishes what."""

    def __init__(self, **topics):
        self.topics = topics

    def resolve_topic_name(self, topic):
        return topic

    def get_publishers_info_by_topic(self, topic):
        return [SimpleNamespace(node_namespace="/", node_name=name) for name in self.topics[topic]]


@pytest.mark.parametrize(
    ("image", "state", "same"),
    [
        (["sim_node"], ["sim_node"], True),
        (["camera_node"], ["robot_node"], False),
        (["sim_node", "camera_node"], ["sim_node"], False),
        ([], [], False),
        (["sim_node"], [], False),
        ([NAMELESS], [NAMELESS], False),
    ],
)
def test_only_names_that_are_known_make_one_publisher(image, state, same):
    assert one_publisher(Graph(image=image, state=state), "image", "state") is same
