# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""policy_node whose policy is on another host, which goes away for a decision and comes back."""

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from played_arm import SEED, TASK, PlayedArm, picture_at, state_at

from roboreward_ros.dsrl.steering import decide
from roboreward_ros.nodes.policy_node import PolicyNode
from roboreward_ros.policies.remote.folder import RemotePolicyConfig, write_folder
from roboreward_ros.policies.remote.service import PolicyService
from roboreward_ros.remote.door import Door
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.ros.convert import decision_from_msg
from roboreward_ros.testing.fake_policy import FakePolicy
from roboreward_ros.types import EndCause

pytestmark = pytest.mark.ros


def test_a_policy_on_another_host_decides_alike_and_the_arm_holds_while_it_is_away(ros, tmp_path):
    policy, folder = FakePolicy(chunk_size=4, tasks=(TASK,)), tmp_path / "far"
    arm = PlayedArm(ros)
    with Door(DoorConfig(port=0), PolicyService(policy)) as door:
        config = RemotePolicyConfig(door.url, timeout_s=5.0)
        write_folder(folder, config, policy.spec)
        given = {"run_dir": str(tmp_path / "run"), "policy": str(folder)}
        node = PolicyNode(context=ros.context, parameters=given)
        ros.add(node)
        assert node.bring_up(), node.failure
        arm.connect()
        handle, ready = arm.goal(max_steps=12)
        ros.spin_until(lambda: ready)
        arm.play(4)
    arm.show(4)  # a decision, and nobody is there to make it
    ros.spin_until(lambda: node._dropped == 1)
    for step in range(5, 8):
        arm.show(step)
    with Door(DoorConfig(port=door.port), PolicyService(policy)):
        for step in range(8, 12):
            arm.show(step)
            ros.spin_until(lambda want=step: arm.actions[-1].step == want)
        arm.show(12, cause=EndCause.TIME)
        answer = ros.result(handle)
        far = node._policy
        assert far.link.connected
        node.wind_down("the test is over")
        assert not far.link.connected
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    assert answer.result.decisions == 2
    assert [a.step for a in arm.actions] == [0, 1, 2, 3, 8, 9, 10, 11]
    ros.spin_until(lambda: len(arm.chunks) >= 2)
    for message, step in zip(arm.chunks[:2], (0, 8), strict=True):
        wanted = decide(
            policy, None, image=picture_at(step), proprio=state_at(step).proprio,
            task=TASK, step=step, max_steps=12, seed=SEED,
        )  # fmt: skip
        got = decision_from_msg(message).chunk
        np.testing.assert_array_equal(got.actions, wanted.actions)
        np.testing.assert_array_equal(got.features, wanted.features)
