# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever a reward source does, an outcome comes in time and the loop lives."""

import json
from types import SimpleNamespace

import pytest
import roboreward_ros.msg as msg
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.parameter import Parameter
from roboreward_ros.action import ScoreEpisode
from roboreward_ros.srv import SetRewardSource
from ros_fakes import write_episode
from std_srvs.srv import Trigger

from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.nodes.reward_node import RewardNode
from roboreward_ros.ros.qos import EVENT
from roboreward_ros.ros.work import UNEXPECTED
from roboreward_ros.types import Score

pytestmark = pytest.mark.ros
FAKES = "roboreward_ros.testing.fake_rewards"


@pytest.fixture
def run(tmp_path):
    store = EpisodeStore(tmp_path, "w")
    yield SimpleNamespace(
        path=tmp_path,
        store=store,
        add=lambda index, **kw: write_episode(store, index, **kw),
        records=lambda: Ledger(tmp_path, "r").records(),
    )
    store.close()


@pytest.fixture
def start(ros, run):
    """Bring reward_node up with parameters; returns it with a client's tools."""

    def make(**parameters):
        node = ros.add(
            RewardNode(context=ros.context, parameters={"run_dir": str(run.path), **parameters})
        )
        assert node.bring_up(), node.failure
        client = ros.node()
        heard = []
        client.create_subscription(msg.Reward, "reward", heard.append, EVENT)
        return SimpleNamespace(
            node=node,
            heard=heard,
            client=ActionClient(client, ScoreEpisode, "score_episode"),
            swap=client.create_client(SetRewardSource, "reward_node/set_reward_source"),
            promote=client.create_client(Trigger, "reward_node/promote_shadow"),
        )

    return make


def score(ros, reward, uri, **goal):
    return ros.result(ros.send(reward.client, ScoreEpisode.Goal(uri=uri, **goal)))


def test_an_episode_is_scored_from_its_stored_bytes(ros, run, start):
    reward = start()
    answer = score(ros, reward, run.add(0))
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    result = answer.result.reward
    assert (result.outcome, result.value, result.source) == (msg.Reward.SCORE, 5.0, "ground_truth")
    assert run.records()[0].outcome.value == 5.0
    ros.spin_until(lambda: reward.heard, "reward")
    assert (reward.heard[0].seq, reward.heard[0].episode_id) == (0, "ep_000000")


def test_at_its_start_it_scores_what_has_no_score_yet(ros, run, start):
    for index in range(3):
        run.add(index, success=index == 1)
    start()
    ros.spin_until(lambda: len(run.records()) == 3, "recovery")
    assert [r.outcome.value for r in run.records()] == [2.0, 5.0, 2.0]


def test_an_episode_is_scored_once_unless_forced(ros, run, start):
    reward = start()
    uri = run.add(0)
    first = score(ros, reward, uri).result.reward
    assert score(ros, reward, uri).result.reward.seq == first.seq
    assert len(run.records()) == 1
    assert score(ros, reward, uri, force=True).result.reward.seq == 1


BROKEN = ["RaisingSource", "ExitingSource", "HangingSource", "NanSource", "OutOfRangeSource"]


@pytest.mark.parametrize("kind", [*BROKEN, "WrongScaleSource", "WrongTypeSource"])
def test_a_broken_source_leaves_the_episode_unlabelled_and_the_loop_alive(ros, run, start, kind):
    options = json.dumps({"only": "ep_000000", "value": 4.0})
    limit_s = 2.0 if kind == "HangingSource" else 60.0
    reward = start(source=f"{FAKES}:{kind}", source_options=options, deadline_s=limit_s)
    bad = score(ros, reward, run.add(0))
    assert bad.status == GoalStatus.STATUS_SUCCEEDED
    assert bad.result.reward.outcome == msg.Reward.ERROR
    assert bad.result.reward.reason
    good = score(ros, reward, run.add(1)).result.reward
    assert (good.outcome, good.value) == (msg.Reward.SCORE, 4.0)


def test_a_source_that_dies_in_its_process_is_started_again(ros, run, start):
    options = json.dumps({"only": "ep_000000", "value": 4.0, "child": True})
    reward = start(source=f"{FAKES}:CrashingSource", source_options=options)
    assert score(ros, reward, run.add(0)).result.reward.outcome == msg.Reward.ERROR
    assert score(ros, reward, run.add(1)).result.reward.value == 4.0


def test_an_abstention_is_an_answer(ros, run, start):
    reward = start(source=f"{FAKES}:AbstainingSource")
    uri = run.add(0)
    assert score(ros, reward, uri).result.reward.outcome == msg.Reward.ABSTAIN
    score(ros, reward, uri)
    assert len(run.records()) == 1


def test_a_failure_is_tried_again_at_the_next_start(ros, run, start):
    reward = start(source=f"{FAKES}:RaisingSource")
    score(ros, reward, run.add(0))
    reward.node.wind_down("restart")
    start(source="ground_truth")
    ros.spin_until(lambda: isinstance(run.records()[-1].outcome, Score), "recovery")


@pytest.mark.parametrize("uri", ["", "file:///nowhere/episodes/ep_000000", "http://x/y"])
def test_an_unknown_episode_is_refused_by_name(ros, run, start, uri):
    answer = score(ros, start(), uri)
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.error_code == ScoreEpisode.Result.NO_EPISODE
    assert run.records() == ()


def test_a_source_that_is_not_in_force_is_refused(ros, run, start):
    result = score(ros, start(), run.add(0), source="human").result
    assert result.error_code == ScoreEpisode.Result.UNKNOWN_SOURCE


def test_goals_wait_in_order_and_a_cancelled_one_gets_no_score(ros, run, start):
    options = json.dumps({"only": "ep_000000", "timeout_s": 3.0})
    reward = start(source=f"{FAKES}:HangingSource", source_options=options)
    first, second = run.add(0), run.add(1)
    hanging = ros.send(reward.client, ScoreEpisode.Goal(uri=first))
    waiting = ros.send(reward.client, ScoreEpisode.Goal(uri=second))
    assert hanging.accepted
    assert waiting.accepted
    ros.spin_future(hanging.cancel_goal_async())
    assert ros.result(hanging).status == GoalStatus.STATUS_CANCELED
    assert ros.result(waiting).result.reward.outcome == msg.Reward.SCORE
    # It waits for its source, which may have failed it meanwhile.
    scored = [r.episode_id for r in run.records() if isinstance(r.outcome, Score)]
    assert scored == ["ep_000001"]


def test_the_source_can_be_swapped_while_running(ros, run, start):
    reward = start()
    score(ros, reward, run.add(0, success=False))
    answer = ros.call(reward.swap, SetRewardSource.Request(source="human"))
    assert (answer.error_code, answer.active) == (0, "human")
    assert score(ros, reward, run.add(1, success=False)).result.reward.source == "human"
    assert read_promoted(run.path).source == "human"
    assert read_promoted(run.path).fallbacks == ("ground_truth",)
    ros.spin_until(lambda: reward.node.config.source == "human", "parameter")


Request = SetRewardSource.Request
Response = SetRewardSource.Response


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Request(source="nonesuch"), Response.UNKNOWN_SOURCE),
        (Request(source="human", options_json="{"), Response.BAD_OPTIONS),
        (Request(source="human", options_json='{"nonesuch": 1}'), Response.BAD_OPTIONS),
        (Request(source=f"{FAKES}:ColdSource"), Response.WARM_UP_FAILED),
    ],
)
def test_a_bad_swap_is_refused_and_the_old_source_stays(ros, run, start, request_, code):
    reward = start()
    answer = ros.call(reward.swap, request_)
    assert (answer.error_code, answer.active) == (code, "ground_truth")
    assert answer.error_msg
    assert score(ros, reward, run.add(0)).result.reward.source == "ground_truth"
    assert read_promoted(run.path).source == "ground_truth"


@pytest.fixture
def unwritable(run):
    """The change of the source cannot be noted down."""

    def make():
        (run.path / "ledger" / "promoted.json.part").mkdir()

    return make


def test_a_swap_that_cannot_be_noted_is_refused_and_the_old_source_stays(
    ros, run, start, unwritable
):
    reward = start()
    unwritable()
    answer = ros.call(reward.swap, Request(source="human"))
    assert (answer.error_code, answer.active) == (Response.NOT_STORED, "ground_truth")
    assert "promoted.json" in answer.error_msg
    assert reward.node.set_parameters([Parameter("source", value="human")])[0].successful
    ros.spin_until(lambda: reward.node.config.source == "ground_truth", "parameter back")
    assert score(ros, reward, run.add(0)).result.reward.source == "ground_truth"
    assert read_promoted(run.path).source == "ground_truth"


def test_a_shadow_whose_promotion_cannot_be_noted_stays_in_the_shadow(ros, run, start, unwritable):
    reward = start()
    assert ros.call(reward.swap, Request(source="human", shadow=True)).error_code == 0
    unwritable()
    answer = ros.call(reward.promote, Trigger.Request())
    assert not answer.success
    assert "promoted.json" in answer.message
    score(ros, reward, run.add(0))
    ros.spin_until(lambda: len(run.records()) == 2, "shadow's record")
    shadow = {r.outcome.provenance.source: r.shadow for r in run.records()}
    assert shadow == {"ground_truth": False, "human": True}


def test_a_change_that_breaks_is_no_success(ros, run, start, monkeypatch):
    reward = start()

    def broken(*arguments):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(reward.node._desk, "swap", broken)
    monkeypatch.setattr(reward.node._desk, "promote_shadow", broken)
    answer = ros.call(reward.swap, Request(source="human"))
    assert (answer.error_code, answer.error_msg) == (UNEXPECTED, "RuntimeError: out of memory")
    promoted = ros.call(reward.promote, Trigger.Request())
    assert (promoted.success, promoted.message) == (False, "RuntimeError: out of memory")


@pytest.mark.parametrize("again", [True, False])
def test_a_node_that_its_launch_starts_again_keeps_the_source_it_was_swapped_to(
    ros, run, start, again
):
    first = start(exit_with_launcher=again)
    asked = Request(source=f"{FAKES}:FakeSource", options_json='{"value": 5.0}')
    assert ros.call(first.swap, asked).error_code == 0
    first.node.wind_down("killed")
    uri = run.add(0, success=False)
    second = start(exit_with_launcher=again)
    record = score(ros, second, uri).result.reward
    assert (record.source, record.value) == (
        ("FakeSource", 5.0) if again else ("ground_truth", 2.0)
    )
    shown = asked.source if again else "ground_truth"
    ros.spin_until(lambda: second.node.config.source == shown, "parameter")
    assert len(run.records()) == 1


def test_setting_the_parameter_is_the_same_swap(ros, run, start):
    reward = start()
    assert reward.node.set_parameters([Parameter("source", value="human")])[0].successful
    ros.spin_until(lambda: reward.node.source == "human", "swap")
    assert read_promoted(run.path).source == "human", "it is on disk before it is in force"
    assert score(ros, reward, run.add(0)).result.reward.source == "human"


def test_a_parameter_that_cannot_be_followed_goes_back(ros, run, start):
    reward = start()
    refused = reward.node.set_parameters([Parameter("source", value="nonesuch")])[0]
    assert not refused.successful
    assert "ground_truth" in refused.reason
    cold = Parameter("source", value=f"{FAKES}:ColdSource")
    assert reward.node.set_parameters([cold])[0].successful
    ros.spin_until(lambda: reward.node.config.source == "ground_truth", "parameter back")
    assert score(ros, reward, run.add(0)).result.reward.source == "ground_truth"


def test_a_shadow_scores_beside_and_labels_nothing(ros, run, start):
    reward = start()
    answer = ros.call(reward.swap, SetRewardSource.Request(source="human", shadow=True))
    assert (answer.error_code, answer.active) == (0, "ground_truth")
    score(ros, reward, run.add(0))
    ros.spin_until(lambda: len(run.records()) == 2, "shadow's record")
    shadow = {r.outcome.provenance.source: r.shadow for r in run.records()}
    assert shadow == {"ground_truth": False, "human": True}


def test_an_unknown_source_at_the_start_is_a_refused_configuration(ros, run):
    node = ros.add(
        RewardNode(context=ros.context, parameters={"run_dir": str(run.path), "source": "x"})
    )
    assert not node.bring_up()
    assert "ground_truth" in str(node.failure)


def test_a_stop_while_a_source_hangs_is_quick(ros, run, start):
    reward = start(source=f"{FAKES}:HangingSource")
    goal = ros.send(reward.client, ScoreEpisode.Goal(uri=run.add(0)))
    assert goal.accepted
    reward.node.wind_down("SIGINT")
    assert run.records() == ()
