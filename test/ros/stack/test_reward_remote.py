# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""reward_node whose source is served by another process, which goes away and comes back."""

from contextlib import contextmanager

import pytest
from test_reward_live import FREE, RewardStack

from roboreward_ros.remote.door import Door
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.rewards.remote.service import RewardService
from roboreward_ros.testing.fake_rewards import FollowingSource, registry_name
from roboreward_ros.testing.papers import papers_in

pytestmark = pytest.mark.ros


@contextmanager
def serving(papers, port=0):
    config = DoorConfig(
        port=port, cert_file=papers.certificate, key_file=papers.key, token_file=papers.token
    )
    service = RewardService(registry_name(FollowingSource), {"dense": True, "child": True})
    try:
        with Door(config, service) as door:
            yield door, service
    finally:
        service.close()


def test_a_reward_host_that_goes_away_in_mid_session_costs_no_episode_and_doubles_none(
    ros, tmp_path
):
    papers = papers_in(tmp_path / "papers", "127.0.0.1")
    with serving(papers) as (door, service):
        options = {
            "url": f"wss://127.0.0.1:{door.port}",
            "ca_file": papers.certificate,
            "token_file": papers.token,
            "dense": True,
            "timeout_s": 2.0,
        }
        stack = RewardStack(ros, tmp_path / "run", "remote", options)
        stack.up().start(episodes=3, **FREE)
        stack.until_scored(1)
        assert service.desk.computed >= 1
        first = stack.answers[0].outcome
        assert (first.provenance.source, first.provenance.model) == ("remote", "FollowingSource")
        ros.spin_until(lambda: len(stack.live) >= len(first.per_step), "live values")
        assert [m.value for m in stack.live[: len(first.per_step)]] == list(first.per_step)
    stack.until_done()
    with serving(papers, door.port):
        stack.until_scored(3)
        ros.spin_until(lambda: stack.state.labelled == 3, "labels")
    assert stack.scored == [0, 1, 2]
    for path in (tmp_path / "run").rglob("*.json*"):
        token = (tmp_path / "papers" / "token").read_text().strip()
        assert token not in path.read_text(errors="replace"), f"the token is in {path}"
