# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rewards of a running session: live frames, a source that dies, swaps, a shadow's promotion."""

import json
import os
import signal

import pytest
import roboreward_ros.msg as msg
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.action import ActionClient
from roboreward_ros.action import ScoreEpisode
from roboreward_ros.srv import SetRewardSource
from ros_fakes import write_episode
from session_stack import Stack
from std_srvs.srv import Trigger

from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import read_changes
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.nodes.reward_node import RewardNode
from roboreward_ros.ros.qos import EVENT
from roboreward_ros.types import RewardFailure

pytestmark = pytest.mark.ros
FAKES = "roboreward_ros.testing.fake_rewards"


class RewardStack(Stack):
    """A session whose reward_node has a source of the test's choice."""

    def __init__(self, ros, path, source, options=None, **parameters):
        super().__init__(ros, path)
        self.reward.destroy_node()
        self.reward = RewardNode(
            context=ros.context,
            parameters={
                "run_dir": str(path),
                "source": f"{FAKES}:{source}" if source[0].isupper() else source,
                "source_options": json.dumps(options or {}),
                "retry_s": 0.05,
                **parameters,
            },
        )
        client = ros.node("reward_client")
        self.live, self.health = [], {}
        client.create_subscription(msg.Reward, "reward/live", self.live.append, EVENT)
        client.create_subscription(DiagnosticArray, "/diagnostics", self._on_health, EVENT)
        self.swap = client.create_client(SetRewardSource, "reward_node/set_reward_source")
        self.promote = client.create_client(Trigger, "reward_node/promote_shadow")
        self.score = ActionClient(client, ScoreEpisode, "score_episode")

    def _on_health(self, message):
        for status in message.status:
            if status.name.endswith(": reward"):
                self.health = {item.key: item.value for item in status.values}

    @property
    def child(self):
        return self.reward._desk.host._active.source

    @property
    def records(self):
        return [r for r in Ledger(self.path).records() if not r.shadow]

    @property
    def answers(self):
        return [r for r in self.records if not isinstance(r.outcome, RewardFailure)]

    @property
    def scored(self):
        return [int(r.episode_id[3:]) for r in self.answers]

    def until_done(self):
        self.ros.spin_until(lambda: self.state.phase == "DONE", "DONE")

    def until_scored(self, count):
        self.ros.spin_until(lambda: len(self.answers) >= count, f"{count} scores")


FREE = {"wait_for_learner": False, "wait_for_reward": False, "stop_when_done": False}


def test_a_source_follows_the_episode_and_has_its_score_at_the_end(ros, tmp_path):
    stack = RewardStack(ros, tmp_path, "FollowingSource", {"child": True, "dense": True})
    stack.up().start(stop_when_done=False)
    stack.until_done()
    stack.until_scored(2)
    assert [r.outcome.text for r in stack.answers] == ["9 live", "9 live"]
    ros.spin_until(lambda: len(stack.live) >= 18, "live values")
    assert [(m.episode_id, m.seq) for m in stack.live] == [
        (f"ep_{index:06d}", step) for index in range(2) for step in range(9)
    ]
    assert [m.value for m in stack.live[:9]] == list(stack.answers[0].outcome.per_step)
    ros.spin_until(lambda: stack.health.get("live_hits") == "2", "diagnostics")
    assert stack.health["restarts"] == "0"


def test_a_source_that_is_not_followed_costs_no_images(ros, tmp_path):
    stack = RewardStack(ros, tmp_path, "FollowingSource", {"child": True}, live=False)
    stack.up("learner", "policy", "arm")
    topics = {s.topic_name for s in stack.reward.subscriptions}
    assert not {t for t in topics if t.endswith(("image", "/state"))}


def test_frames_that_the_recorder_stores_otherwise_are_not_used(ros, tmp_path):
    stack = RewardStack(ros, tmp_path, "FollowingSource", {"child": True}, control_hz=7.0)
    stack.up().start(episodes=1, stop_when_done=False)
    stack.until_scored(1)
    assert stack.answers[0].outcome.text == "stored"


def test_an_outage_in_mid_session_stops_nothing_and_is_made_up_in_order(ros, tmp_path):
    door = tmp_path / "door"
    door.touch()
    stack = RewardStack(ros, tmp_path / "run", "DoorSource", {"child": True, "door": str(door)})
    stack.up().start(episodes=4, **FREE)
    stack.until_scored(1)
    door.unlink()
    stack.until_done()
    ros.spin_until(lambda: stack.state.errors == 4 - len(stack.answers), "unlabelled episodes")
    door.touch()
    stack.until_scored(4)
    ros.spin_until(lambda: stack.state.labelled == 4, "labels")
    assert stack.scored == [0, 1, 2, 3]


def test_a_killed_process_costs_no_episode_and_doubles_none(ros, tmp_path):
    stack = RewardStack(ros, tmp_path, "FollowingSource", {"child": True})
    stack.up().start(episodes=4, **FREE)
    for count in (1, 2):
        stack.until_scored(count)
        os.kill(stack.child.pid, signal.SIGKILL)
    stack.until_done()
    stack.until_scored(4)
    assert stack.scored == [0, 1, 2, 3]


def test_swaps_in_mid_session_lose_and_double_nothing(ros, tmp_path):
    stack = RewardStack(ros, tmp_path, "FollowingSource", {"child": True, "value": 4.0})
    stack.up().start(episodes=4, **FREE)
    stack.until_scored(1)
    cold = SetRewardSource.Request(source=f"{FAKES}:ColdSource")
    assert ros.call(stack.swap, cold).error_code == SetRewardSource.Response.WARM_UP_FAILED
    other = SetRewardSource.Request(source=f"{FAKES}:FakeSource")
    assert ros.call(stack.swap, other).active == "FakeSource"
    stack.until_done()
    stack.until_scored(4)
    assert stack.scored == [0, 1, 2, 3]
    names = [r.outcome.provenance.source for r in stack.answers]
    assert names == sorted(names, reverse=True)
    assert {r.outcome.value for r in stack.answers} <= {4.0, 3.0}
    assert [c.source for c in read_changes(tmp_path)] == ["FollowingSource", "FakeSource"]
    ros.spin_until(lambda: stack.state.reward_source == "FakeSource", "session")


def test_a_shadow_shows_how_far_it_agrees_and_is_promoted_by_one_call(ros, tmp_path):
    stack = RewardStack(ros, tmp_path, "ground_truth")
    stack.up("learner", "policy", "arm", "recorder")
    answer = ros.call(stack.promote, Trigger.Request())
    assert (answer.success, "no source runs in the shadow" in answer.message) == (False, True)
    shadow = SetRewardSource.Request(
        source=f"{FAKES}:FakeSource", options_json='{"value": 5.0}', shadow=True
    )
    assert ros.call(stack.swap, shadow).error_code == 0
    store = EpisodeStore(tmp_path, "w")
    for index, success in enumerate((True, False)):
        goal = ScoreEpisode.Goal(uri=write_episode(store, index, success=success))
        ros.result(ros.send(stack.score, goal))
    ros.spin_until(lambda: stack.health.get("shadow_n") == "2", "shadow statistics")
    assert (stack.health["shadow_exact"], stack.health["shadow_mae"]) == ("0.5", "1.5")
    assert stack.health["shadow_false_positives"] == "1"
    assert ros.call(stack.promote, Trigger.Request()).success
    assert stack.reward.config.source == f"{FAKES}:FakeSource"
    other = EpisodeStore(tmp_path / "another run", "w")
    goal = ScoreEpisode.Goal(uri=write_episode(other, 2))
    result = ros.result(ros.send(stack.score, goal)).result
    assert result.error_code == ScoreEpisode.Result.NO_EPISODE
    assert "another run" in result.error_msg
    other.close()
    goal = ScoreEpisode.Goal(uri=write_episode(store, 2, success=False))
    result = ros.result(ros.send(stack.score, goal)).result.reward
    assert (result.source, result.value, result.shadow) == ("FakeSource", 5.0, False)
    changes = read_changes(tmp_path)
    assert [c.source for c in changes] == ["ground_truth", "FakeSource"]
    assert "shadow" in changes[1].why
    store.close()


def test_a_goal_tells_its_frames_and_its_cancel_reaches_the_model(ros, tmp_path):
    options = {"child": True, "only": "ep_000000"}
    stack = RewardStack(ros, tmp_path, "EndlessSource", options)
    stack.up("learner", "policy", "arm", "recorder")
    store = EpisodeStore(tmp_path, "w")
    first, second = write_episode(store, 0), write_episode(store, 1)
    heard = []
    endless = ros.send(
        stack.score, ScoreEpisode.Goal(uri=first), lambda m: heard.append(m.feedback)
    )
    ros.spin_until(lambda: any(f.frames_done == 1 for f in heard), "progress")
    assert heard[-1].frames_total == 9
    ros.spin_future(endless.cancel_goal_async())
    assert ros.result(endless).status == GoalStatus.STATUS_CANCELED
    answer = ros.result(ros.send(stack.score, ScoreEpisode.Goal(uri=second)))
    assert answer.result.reward.value == 3.0
    assert stack.child.stats.restarts == 0
    assert stack.scored == [1]
    store.close()
