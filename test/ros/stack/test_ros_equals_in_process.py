# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One episode is equal step for step through ROS and in process, with and without an actor.

This is what allows held-out evaluation to run in process.
"""

import numpy as np
import pytest
from roboreward_ros.action import RunPolicy

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.nodes.policy_node import PolicyNode
from roboreward_ros.nodes.sim_node import SimNode
from roboreward_ros.policies.diffusion import load_policy
from roboreward_ros.ros.convert import decision_from_msg
from roboreward_ros.ros.qos import EVENT
from roboreward_ros.sim.adapters import TwinCamera, TwinRobot
from roboreward_ros.sim.twin import Twin
from roboreward_ros.studies.rollout import PriorNoise, Rollout, SteeredNoise
from roboreward_ros.testing.fake_policy import FakePolicy

TASK, SEED, STEPS, SIZE = "open the drawer", 21, 13, 64


def policy():
    return FakePolicy(chunk_size=4, prediction_horizon=6, image_size=SIZE, scale=0.02)


def make_actor(spec):
    size, features = spec.prediction_horizon * 7, spec.feature_dim
    rng = np.random.default_rng(0)
    return SteeringActor(
        4, spec.policy_id, spec.prediction_horizon, 2.0, 2.0, 5.0, 5.0,
        {
            "features.mean": np.zeros(features, np.float32),
            "features.scale": np.ones(features, np.float32),
            "head.weight": rng.normal(0, 0.3, (features + 1, 2 * size)).astype(np.float32),
            "head.bias": rng.normal(0, 0.3, 2 * size).astype(np.float32),
        },
    )  # fmt: skip


def shipped():
    return load_policy("demo", "cpu")


@pytest.mark.parametrize(
    ("make_policy", "steered", "size"),
    [(policy, False, SIZE), (policy, True, SIZE), (shipped, False, 256), (shipped, True, 256)],
)
def test_an_episode_is_the_same_over_ros_and_in_process(
    ros, arm_client, tmp_path, make_policy, steered, size
):
    from rclpy.action import ActionClient

    from roboreward_ros import msg

    frozen = make_policy()
    actor = make_actor(frozen.spec)
    if steered:
        actor.save(tmp_path / "policies" / "actor_000004.safetensors")
    arm_client.answer = False
    chunks = []
    heard = arm_client.node.create_subscription(msg.ActionChunk, "chunk", chunks.append, EVENT)
    client = ActionClient(arm_client.node, RunPolicy, "run_policy")
    lock_step = {"speed": "max", "image_size": size, "action_timeout_s": 120.0}
    ros.add(SimNode(context=ros.context, parameters=lock_step))
    ros.add(
        PolicyNode(
            lambda _: make_policy(), context=ros.context, parameters={"run_dir": str(tmp_path)}
        )
    )
    for node in ros.nodes[-2:]:
        assert node.bring_up(), node.failure
    arm_client.connect()
    ros.connected(heard)
    assert arm_client.reset(TASK, SEED).error_code == 0
    ready = []
    handle = ros.send(
        client,
        RunPolicy.Goal(
            episode_id="ep_000000", task=TASK, max_steps=STEPS, seed=SEED,
            min_policy_version=4 if steered else 0,
        ),
        lambda m: ready.append(m),
    )  # fmt: skip
    ros.spin_until(lambda: ready)
    arm_client.begin("ep_000000", STEPS)
    arm_client.wait_last()
    assert ros.result(handle).result.error_code == 0
    decisions = -(-STEPS // frozen.spec.chunk_size)
    ros.spin_until(lambda: len(chunks) == decisions + 1)

    twin = Twin()
    robot, camera = TwinRobot(twin), TwinCamera(twin, size, size)
    robot.connect()
    camera.open()
    reports = []
    original = robot.step
    robot.step = lambda action: reports.append(original(action)) or reports[-1]
    chooser = SteeredNoise(actor) if steered else PriorNoise()
    result = Rollout(robot, camera, frozen, twin.truth).run(
        TASK, SEED, chooser, STEPS, closing=True
    )

    assert len(arm_client.states) == STEPS + 1
    for state, report in zip(arm_client.states[1:], reports, strict=True):
        np.testing.assert_array_equal(state.action_raw, report.action_raw)
        np.testing.assert_array_equal(state.action_executed, report.action_executed)
        np.testing.assert_array_equal(state.q, report.state.q)
        np.testing.assert_array_equal(state.proprio, report.state.proprio)
    for message, chunk in zip(chunks, result.decisions, strict=True):
        got = decision_from_msg(message).chunk
        np.testing.assert_array_equal(got.noise, chunk.noise)
        np.testing.assert_array_equal(got.features, chunk.features)
        np.testing.assert_array_equal(got.actions, chunk.actions)
        assert (got.steered, got.policy_version) == (chunk.steered, chunk.policy_version)
    ros.spin_until(lambda: len(arm_client.truths) == STEPS + 1)
    assert arm_client.truths[-1].progress == result.truth.progress
    robot.close()
