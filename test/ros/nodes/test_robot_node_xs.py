# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""robot_node over the fake xs_sdk: faults in mid-episode, stop and release, recovery, shutdown."""

import numpy as np
import pytest
from std_srvs.srv import Trigger
from xs_world import SpunSdk

from roboreward_ros.errors import ConfigError
from roboreward_ros.nodes.robot_node import RobotNode
from roboreward_ros.types import StepFlag

HOLD, FAULT, TAKEOVER = (int(flag) for flag in (StepFlag.HOLD, StepFlag.FAULT, StepFlag.TAKEOVER))
FAST = {
    "driver": "xs_sdk",
    "control_hz": 10.0,
    "travel_speed": 3.0,
    "max_state_age_s": 2.0,  # the machine may be busy
    "connect_timeout_s": 30.0,
    "action_timeout_s": 120.0,
}


@pytest.fixture
def world(ros, arm_client):
    """Starts fake and node; returns node, fake."""
    made = []

    def start(sdk=None, **parameters):
        made.append(SpunSdk(ros, **(sdk or {})))
        node = RobotNode(context=ros.context, parameters={**FAST, **parameters})
        ros.add(node)
        assert node.bring_up(), node.failure
        arm_client.images = False
        arm_client.connect()
        return node, made[-1]

    yield start
    for node in ros.nodes:
        if hasattr(node, "wind_down"):
            node.wind_down("end of test")
    for sdk in made:
        sdk.kill()


def holds(servos):
    return servos.commands[-1].is_hold


def trigger(ros, name):
    client = ros.nodes[0].create_client(Trigger, f"robot_node/{name}")
    return ros.call(client, Trigger.Request())


def test_an_episode_runs_over_the_wire_and_a_fault_is_recovered_by_the_next_reset(
    ros, arm_client, world
):
    node, sdk = world()
    assert arm_client.reset().error_code == 0
    assert arm_client.begin(max_steps=5).error_code == 0
    last = arm_client.wait_last()
    assert last.end_cause == last.END_TIME
    assert [s.step for s in arm_client.states] == list(range(6))
    assert np.isfinite(last.effort).all()
    ros.spin_until(lambda: holds(sdk.servos))

    arm_client.states.clear()
    assert arm_client.reset().error_code == 0
    arm_client.begin("ep_000001", max_steps=1000)
    ros.spin_until(lambda: len(arm_client.states) > 2)
    sdk.node.fault("overload wrist_rotate")
    last = arm_client.wait_last()
    assert last.end_cause == last.END_FAULT
    assert last.flags & FAULT
    assert "wrist_rotate" in node._loop.status.fault
    ros.spin_until(lambda: holds(sdk.servos))
    assert node._arm_health().level > 1
    assert "wrist_rotate" in arm_client.begin("ep_000002").error_msg

    assert arm_client.reset().error_code == 0
    assert node._arm.status.recoveries == 1
    assert arm_client.begin("ep_000003", max_steps=1).error_code == 0
    ros.spin_until(lambda: arm_client.states[-1].episode_id == "ep_000003")


def test_pressing_on_the_table_ends_the_episode_with_the_effort_in_words(ros, arm_client, world):
    node, sdk = world(sdk={"loaded": True}, workspace="bridge")
    arm_client.action_of = lambda _: np.array([0.0, 0.0, -0.03, 0.0, 0.0, 0.0, 1.0])
    assert arm_client.reset().error_code == 0
    assert arm_client.begin(max_steps=1000).error_code == 0
    last = arm_client.wait_last()
    assert last.end_cause == last.END_FAULT
    told = node._loop.status.fault  # a busy machine may see first that the arm stands
    assert " effort " in told or "did not follow" in told
    assert len(arm_client.states) > 4  # the way down was no fault
    ros.spin_until(lambda: holds(sdk.servos))
    limit = sdk.servos.profile.effort_limit
    ros.spin_until(lambda: (abs(sdk.servos.efforts()[:6]) < 0.5 * limit).all(), "no pressure left")


def test_a_halt_ends_the_episode_and_latches_until_release(ros, arm_client, world):
    node, sdk = world()
    arm_client.reset()
    arm_client.begin(max_steps=1000)
    ros.spin_until(lambda: len(arm_client.states) > 2)
    assert "latched" in trigger(ros, "halt").message
    last = arm_client.wait_last()
    assert last.end_cause == last.END_OPERATOR
    assert last.flags & TAKEOVER
    ros.spin_until(lambda: holds(sdk.servos))
    refused = arm_client.reset()
    assert refused.error_code == refused.FAULT
    assert "release" in refused.error_msg
    assert node._arm_health().message.endswith("~/release")
    trigger(ros, "release")
    assert arm_client.reset().error_code == 0


def test_stopping_in_the_middle_of_a_reset_holds_at_once(ros, arm_client, world):
    from roboreward_ros.action import ResetRobot

    node, sdk = world(travel_speed=0.2)
    handle = ros.send(arm_client.reset_client, ResetRobot.Goal(task="t", seed=0))
    assert handle.accepted
    ros.spin_until(lambda: len(sdk.servos.commands) > 5)
    began_s = sdk.servos.time_s
    node.wind_down("test")
    assert sdk.servos.time_s - began_s < 4.0, "a reset at this speed takes far longer"
    ros.spin_until(lambda: holds(sdk.servos), "the hold")
    later_s = sdk.servos.time_s + 0.3
    ros.spin_until(lambda: sdk.servos.time_s > later_s, "time to command something else")
    assert holds(sdk.servos)


def test_a_cancelled_reset_holds_and_may_be_asked_again(ros, arm_client, world):
    from roboreward_ros.action import ResetRobot

    _, sdk = world(travel_speed=0.3)
    handle = ros.send(arm_client.reset_client, ResetRobot.Goal(task="t", seed=0))
    ros.spin_until(lambda: len(sdk.servos.commands) > 5)
    ros.spin_future(handle.cancel_goal_async())
    assert ros.result(handle).result is not None
    ros.spin_until(lambda: holds(sdk.servos))


def test_the_death_of_xs_sdk_is_a_fault_and_its_return_is_found_by_a_reset(ros, arm_client, world):
    node, sdk = world()
    arm_client.reset()
    arm_client.begin(max_steps=1000)
    ros.spin_until(lambda: len(arm_client.states) > 2)
    sdk.kill()
    last = arm_client.wait_last()
    assert last.end_cause == last.END_FAULT
    refused = arm_client.reset()
    assert refused.error_code == refused.FAULT
    again = SpunSdk(ros)
    try:
        assert arm_client.reset().error_code == 0
        assert node._arm.status.state.value == "holding"
    finally:
        node.wind_down("end of test")
        again.kill()


def test_another_arm_is_refused_for_good(ros):
    sdk = SpunSdk(ros, profile="vx300s")
    node = ros.add(RobotNode(context=ros.context, parameters=FAST))
    try:
        assert not node.bring_up()
        assert isinstance(node.failure, ConfigError)
        assert "finger range" in str(node.failure)
    finally:
        node.wind_down("end of test")
        sdk.kill()


def test_an_arm_of_five_joints_runs_an_episode(ros, arm_client, world):
    _, sdk = world(sdk={"namespace": "rx200", "profile": "rx200"}, profile="rx200")
    assert arm_client.reset().error_code == 0
    arm_client.begin(max_steps=3)
    last = arm_client.wait_last()
    assert last.end_cause == last.END_TIME
    assert last.q[3] == 0.0
    assert len(sdk.servos.q) == 5


def test_two_nodes_own_two_arms_in_one_process_and_start_again(ros):
    sdks = [SpunSdk(ros, namespace=name) for name in ("left", "right")]
    nodes = []
    try:
        for _ in range(2):
            for name in ("left", "right"):
                node = RobotNode(
                    context=ros.context,
                    namespace=f"/work_{name}",
                    parameters={**FAST, "xs_namespace": name},
                )
                ros.add(node)
                nodes.append(node)
                assert node.bring_up(), node.failure
            for node in nodes:
                node.wind_down("again")
        for sdk in sdks:
            ros.spin_until(lambda it=sdk: holds(it.servos), "the hold")
    finally:
        for node in nodes:
            node.wind_down("end of test")
        for sdk in sdks:
            sdk.kill()
