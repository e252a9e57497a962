# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""policy_node against a played arm: pairing, decisions, actors by version, refusals, cancels."""

from functools import partial

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from played_arm import EPISODE, SEED, TASK, PlayedArm, film, picture_at, start_policy, state_at
from roboreward_ros.action import RunPolicy

from roboreward_ros import msg
from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.steering import decide
from roboreward_ros.errors import CheckpointError
from roboreward_ros.nodes.policy_node import PolicyNode
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.ros.convert import Beat, decision_from_msg, image_to_msg
from roboreward_ros.testing.fake_policy import FakePolicy
from roboreward_ros.types import EndCause, Frame

WAITS = ("for a version", "for a picture")


@pytest.fixture
def policy():
    return FakePolicy(chunk_size=4, tasks=(TASK,))


@pytest.fixture
def node(ros, policy, tmp_path):
    return partial(start_policy, ros, policy, tmp_path)


@pytest.fixture
def arm(ros):
    return PlayedArm(ros)


def save_actor(folder, version, policy, shift=0.5, policy_id=None):
    """An actor that adds a constant to the noise; returns its path and hash."""
    horizon = policy.spec.prediction_horizon
    features = policy.spec.feature_dim
    size = horizon * 7
    bias = np.concatenate([np.full(size, shift), np.zeros(size)]).astype(np.float32)
    actor = SteeringActor(
        version, policy_id or policy.spec.policy_id, horizon, 2.0, 2.0, 5.0, 5.0,
        {
            "features.mean": np.zeros(features, np.float32),
            "features.scale": np.ones(features, np.float32),
            "head.weight": np.zeros((features + 1, 2 * size), np.float32),
            "head.bias": bias,
        },
    )  # fmt: skip
    path = folder / "policies" / f"actor_{version:06d}.safetensors"
    return path, actor.save(path), actor


def update(path, sha256, version, policy_id):
    return msg.PolicyUpdate(
        version=version, sha256=sha256, uri=str(path), policy_id=policy_id, grad_steps=1
    )


def test_every_state_is_answered_and_each_fourth_decides(ros, node, arm, policy):
    node()
    arm.connect()
    handle, ready = arm.goal()
    ros.spin_until(lambda: ready)
    arm.play(8)
    arm.show(8, cause=EndCause.TIME)
    answer = ros.result(handle)
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    assert answer.result.termination_reason == "time"
    assert answer.result.decisions == 2
    ros.spin_until(lambda: len(arm.chunks) == 3)
    closing = decision_from_msg(arm.chunks.pop())
    assert (closing.episode_id, closing.chunk.index, closing.chunk.step) == (EPISODE, 2, 8)
    features = policy.encode([picture_at(8)], state_at(8).proprio[None], [TASK])[0]
    np.testing.assert_array_equal(closing.chunk.features, features)
    assert not closing.chunk.actions.any()
    assert [a.step for a in arm.actions] == list(range(8))
    assert [(a.chunk, a.chunk_step) for a in arm.actions] == [(s // 4, s % 4) for s in range(8)]
    for index, message in enumerate(arm.chunks):
        got = decision_from_msg(message)
        wanted = decide(
            policy, None, image=picture_at(4 * index), proprio=state_at(4 * index).proprio,
            task=TASK, step=4 * index, max_steps=8, seed=SEED,
        )  # fmt: skip
        np.testing.assert_array_equal(got.chunk.actions, wanted.actions)
        np.testing.assert_array_equal(got.chunk.noise, prior_noise(SEED, index, 4))
        np.testing.assert_array_equal(got.chunk.features, wanted.features)
        assert not got.chunk.steered
        for k in range(4):
            action = arm.actions[4 * index + k].action
            np.testing.assert_array_equal(action, wanted.actions[k].astype(np.float64))


def test_the_image_of_a_decision_is_the_one_of_its_own_stamp(ros, node, arm):
    node()
    arm.connect()
    _, ready = arm.goal()
    ros.spin_until(lambda: ready)
    arm.image.publish(image_to_msg(np.full((32, 32, 3), 200, np.uint8), 5))
    arm.show(0, with_image=False)
    arm.image.publish(image_to_msg(np.full((32, 32, 3), 60, np.uint8), state_at(0).stamp_ns))
    ros.spin_until(lambda: arm.chunks)
    seen = decision_from_msg(arm.chunks[0]).chunk.features[:3]
    np.testing.assert_allclose(seen, 60 / 255, rtol=1e-6)


def test_an_old_image_of_a_real_camera_is_not_used(ros, node):
    node(max_skew_s=0.2)
    arm = PlayedArm(ros, image_node="camera_node")
    arm.connect()
    _, ready = arm.goal()
    film(ros, arm, lambda: ready)
    stamp_ns = state_at(0).stamp_ns
    arm.image.publish(image_to_msg(picture_at(0), stamp_ns - 900_000_000))
    arm.show(0, with_image=False)
    arm.image.publish(image_to_msg(picture_at(7), stamp_ns - 30_000_000))
    ros.spin_until(lambda: arm.chunks)
    seen = decision_from_msg(arm.chunks[0])
    np.testing.assert_allclose(seen.chunk.features[:3], 17 / 255, rtol=1e-6)
    assert seen.stamp_ns == stamp_ns - 30_000_000


def test_states_of_another_episode_are_not_answered(ros, node, arm):
    node()
    arm.connect()
    _, ready = arm.goal()
    ros.spin_until(lambda: ready)
    arm.show(0, episode_id="ep_000099")
    arm.show(0)
    ros.spin_until(lambda: arm.actions)
    assert arm.actions[0].episode_id == EPISODE
    assert len(arm.actions) == 1


def test_a_chunk_that_is_wholly_late_is_dropped(ros, node, policy):
    started = []
    original = policy.decode

    def slow_decode(features, noise):
        started.append(len(started))
        if len(started) == 2:  # the first was the warm-up
            ros_node._queue.add_beat(Beat(EPISODE, 4, state_at(4)))
            ros_node._queue.add_image(Frame(picture_at(4), state_at(4).stamp_ns))
        return original(features, noise)

    policy.decode = slow_decode
    ros_node = node()
    arm = PlayedArm(ros, image_node="camera_node")
    arm.connect()
    _, ready = arm.goal()
    film(ros, arm, lambda: ready)
    arm.show(0)
    ros.spin_until(lambda: arm.actions and arm.chunks)
    assert arm.actions[0].step == 4
    assert [c.chunk for c in arm.chunks] == [1]
    assert ros_node._dropped >= 1


def test_the_announced_actor_steers_and_is_noted(ros, node, arm, policy, tmp_path):
    made = node()
    arm.connect()
    path, sha256, actor = save_actor(tmp_path, 3, policy)
    arm.updates.publish(update(path, sha256, 3, policy.spec.policy_id))
    ros.spin_until(lambda: made._shelf.version == 3)
    handle, ready = arm.goal(min_policy_version=3)
    ros.spin_until(lambda: ready)
    arm.play(1)
    arm.show(1, cause=EndCause.OPERATOR)
    answer = ros.result(handle).result
    assert (answer.termination_reason, answer.policy_version) == ("operator", 3)
    ros.spin_until(lambda: arm.chunks)
    chunk = decision_from_msg(arm.chunks[0]).chunk
    assert chunk.steered
    assert chunk.policy_version == arm.actions[0].policy_version == 3
    np.testing.assert_array_equal(chunk.noise, actor.steer(chunk.features, 1.0, SEED, 0))


def test_a_canary_is_plain_prior_noise(ros, node, arm, policy, tmp_path):
    save_actor(tmp_path, 1, policy)
    made = node()
    assert made._shelf.version == 1, "found in run_dir at start"
    arm.connect()
    _, ready = arm.goal(canary=True, min_policy_version=99)
    ros.spin_until(lambda: ready)
    arm.play(1)
    ros.spin_until(lambda: arm.chunks)
    chunk = decision_from_msg(arm.chunks[0]).chunk
    assert (chunk.steered, chunk.policy_version) == (False, 0)
    np.testing.assert_array_equal(chunk.noise, prior_noise(SEED, 0, 4))


@pytest.mark.parametrize("what", ["hash", "policy", "missing"])
def test_an_actor_that_does_not_fit_is_refused_by_name(ros, node, arm, policy, tmp_path, what):
    made = node(version_timeout_s=0.3)
    arm.connect()
    other = "f" * 64 if what == "policy" else None
    path, sha256, _ = save_actor(tmp_path / "elsewhere", 2, policy, policy_id=other)
    if what == "hash":
        sha256 = "0" * 64
    if what == "missing":
        path.unlink()
    arm.updates.publish(update(path, sha256, 2, policy.spec.policy_id))
    ros.spin_until(lambda: made._shelf.refusal(2))
    named = {"hash": "changed", "policy": "f" * 64, "missing": "no such"}[what]
    assert named in made._shelf.refusal(2)
    answer = ros.result(arm.goal(min_policy_version=2)[0])
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.error_code == RunPolicy.Result.VERSION_TIMEOUT
    assert named in answer.result.error_msg


def test_an_unknown_task_is_refused_with_the_trained_ones(ros, node, arm):
    node()
    arm.connect()
    answer = ros.result(arm.goal(task="fold the towel")[0])
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.error_code == RunPolicy.Result.UNKNOWN_TASK
    assert "fold the towel" in answer.result.error_msg
    assert TASK in answer.result.error_msg


def test_images_that_are_too_small_are_refused(ros, node, arm):
    node()
    arm.connect()
    handle, ready = arm.goal()
    ros.spin_until(lambda: ready)
    arm.show(0, picture=np.zeros((16, 24, 3), np.uint8))
    answer = ros.result(handle)
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert "24x16" in answer.result.error_msg
    assert "32x32" in answer.result.error_msg
    assert not arm.actions


@pytest.mark.parametrize("when", [*WAITS, "before the first state", "between steps"])
def test_a_cancel_ends_the_goal_in_every_state(ros, node, when):
    made = node()
    arm = PlayedArm(ros, image_node="camera_node" if when == "for a picture" else None)
    arm.connect()
    handle, ready = arm.goal(min_policy_version=5 if when == "for a version" else 0)
    if when not in WAITS:
        ros.spin_until(lambda: ready)
    if when == "between steps":
        arm.play(2)
    ros.spin_future(handle.cancel_goal_async())
    assert ros.result(handle).status == GoalStatus.STATUS_CANCELED
    assert not made._server.busy
    again, ready = arm.goal()
    film(ros, arm, lambda: ready)
    arm.show(0, cause=EndCause.TIME)
    assert ros.result(again).status == GoalStatus.STATUS_SUCCEEDED


def test_silence_of_the_arm_ends_the_goal(ros, node, arm):
    node(stall_s=0.2)
    arm.connect()
    answer = ros.result(arm.goal()[0])
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.error_code == RunPolicy.Result.STALLED
    assert EPISODE in answer.result.error_msg


def test_a_missing_checkpoint_fails_the_configuration_and_leaves_nothing(ros, tmp_path):
    node = ros.add(
        PolicyNode(context=ros.context, parameters={"policy": str(tmp_path / "nothing")})
    )
    before = len(list(node.publishers)), len(list(node.subscriptions))
    assert not node.bring_up()
    assert isinstance(node.failure, CheckpointError)
    assert str(tmp_path / "nothing") in str(node.failure)
    assert (len(list(node.publishers)), len(list(node.subscriptions))) == before
    assert not node.bring_up(), "it can be tried again"
