# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A policy on another host, over a wire that delays, loses, doubles and breaks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from test_network import DEAD_S, net, papers, until

from roboreward_ros.errors import LinkError
from roboreward_ros.policies.remote.dialect import Coding
from roboreward_ros.policies.remote.folder import RemotePolicyConfig, write_folder
from roboreward_ros.policies.remote.policy import RemotePolicy, fetch_spec
from roboreward_ros.policies.remote.service import PolicyService
from roboreward_ros.remote.door import Door
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.testing.fake_policy import FakePolicy
from roboreward_ros.testing.network import Network, Quality
from roboreward_ros.testing.papers import Papers
from roboreward_ros.types import Float32Array

__all__ = ["net", "papers"]
LOCAL = FakePolicy(feature_dim=40, tasks=("open the drawer",))
DECISIONS = 12


@pytest.fixture
def policy(net: Network, papers: Papers, tmp_path: Path) -> Iterator[RemotePolicy]:
    door_config = DoorConfig(
        "0.0.0.0", 0, papers.certificate, papers.key, token_file=papers.token, dead_s=DEAD_S
    )
    with net.gpu.inside():
        door = Door(door_config, PolicyService(LOCAL))
    with door:
        config = RemotePolicyConfig(
            f"wss://10.77.0.2:{door.port}",
            coding=Coding.PNG,
            timeout_s=2.0,
            ca_file=papers.certificate,
            token_file=papers.token,
        )
        with net.robot.inside():
            write_folder(tmp_path, config, fetch_spec(config))
            remote = RemotePolicy(tmp_path)
        yield remote
        remote.close()


def decide(policy: FakePolicy | RemotePolicy, index: int) -> Float32Array:
    rng = np.random.default_rng(index)
    image = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    noise = rng.standard_normal((1, 4, 7)).astype(np.float32)
    features = policy.encode([image], rng.standard_normal((1, 7)), ["open the drawer"])
    return policy.decode(features, noise)


def decide_at_last(net: Network, policy: RemotePolicy, index: int) -> Float32Array:
    """As its node does: a decision that fails is made again when the host is back."""
    found: list[Float32Array] = []

    def made() -> bool:
        try:
            found.append(decide(policy, index))
        except LinkError:
            return False
        return True

    with net.robot.inside():
        until(made, f"decision {index}")
    return found[0]


def test_a_bad_wire_changes_no_action(net: Network, policy: RemotePolicy):
    net.change(Quality(delay_s=0.003, jitter_s=0.003, loss=0.03, duplicate=0.05))
    for index in range(DECISIONS):
        np.testing.assert_array_equal(decide_at_last(net, policy, index), decide(LOCAL, index))


def test_a_cut_is_told_in_time_and_the_next_decisions_are_as_if_there_were_none(
    net: Network, policy: RemotePolicy
):
    np.testing.assert_array_equal(decide_at_last(net, policy, 0), decide(LOCAL, 0))
    net.cut()
    with net.robot.inside(), pytest.raises(LinkError):
        decide(policy, 1)
    net.mend()
    for index in range(1, 4):
        np.testing.assert_array_equal(decide_at_last(net, policy, index), decide(LOCAL, index))
