# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The learner reads the stores, messages only wake it; what it gives out lies on disk first."""

from types import SimpleNamespace

import pytest
import roboreward_ros.msg as msg
from ros_fakes import write_episode
from std_srvs.srv import Trigger

from roboreward_ros.dsrl.actor import load_actor
from roboreward_ros.dsrl.config import load_profile
from roboreward_ros.dsrl.follow import actor_path
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError, StoreError
from roboreward_ros.memory import ADVICE
from roboreward_ros.nodes.learner_node import LearnerNode
from roboreward_ros.ros.qos import LATCHED
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    LabelRecord,
    Provenance,
    RewardFailure,
    Score,
    ScoreKind,
    ScoreScale,
)

pytestmark = pytest.mark.ros
WARM = load_profile("widowx").warmup_episodes


class Run:
    """A run directory with its writers."""

    def __init__(self, path):
        self.path = path
        self.store = EpisodeStore(path, "w")
        self.ledger = Ledger(path, "w")
        promote(path, "s", ScoreScale.RUBRIC)

    def commit(self, index, **arguments):
        write_episode(self.store, index, **arguments)

    def label(self, index, value=3.0):
        score = Score(value, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("s"))
        self.ledger.append(LabelRecord(-1, f"ep_{index:06d}", score, 0))

    def decline(self, index):
        declined = Abstain(AbstainReason.ENTROPY, Provenance("s"))
        self.ledger.append(LabelRecord(-1, f"ep_{index:06d}", declined, 0))

    def fail(self, index):
        failure = RewardFailure("no answer", Provenance("s"))
        self.ledger.append(LabelRecord(-1, f"ep_{index:06d}", failure, 0))

    def close(self):
        self.store.close()
        self.ledger.close()


@pytest.fixture
def run(tmp_path):
    made = Run(tmp_path)
    yield made
    made.close()


@pytest.fixture
def start(ros, run):
    def make(**parameters):
        values = {"run_dir": str(run.path), "poll_s": 0.05, "tensorboard": False, **parameters}
        node = ros.add(LearnerNode(context=ros.context, parameters=values))
        assert node.bring_up(), node.failure
        client = ros.node()
        heard = SimpleNamespace(status=[], updates=[], node=node)
        client.create_subscription(msg.LearnerStatus, "learner", heard.status.append, LATCHED)
        client.create_subscription(msg.PolicyUpdate, "policy_update", heard.updates.append, LATCHED)
        heard.release = client.create_client(Trigger, "learner_node/release")
        heard.save = client.create_client(Trigger, "learner_node/save")
        return heard

    return make


def done(heard, count):
    return lambda: heard.status and heard.status[-1].episodes_done == count


def test_a_second_learner_is_refused_by_the_lock(ros, run, start):
    first = start()
    second = LearnerNode(context=ros.context, parameters={"run_dir": str(run.path)})
    ros.add(second)
    assert not second.bring_up()
    assert isinstance(second.failure, StoreError)
    assert "another process" in str(second.failure)
    first.node.wind_down("done")
    assert second.bring_up(), second.failure


def test_it_catches_up_from_the_stores_at_its_start(ros, run, start):
    for index in range(WARM):
        run.commit(index)
        run.label(index, 1.0 + index % 5)
    heard = start()
    ros.spin_until(done(heard, WARM), "all episodes")
    status = heard.status[-1]
    assert status.grad_steps > 0
    assert status.policy_version == 1
    ros.spin_until(lambda: heard.updates, "policy update")
    update = heard.updates[-1]
    assert load_actor(actor_path(run.path, 1), update.sha256, "fake").version == 1
    assert update.uri == str(actor_path(run.path, 1).resolve())


def test_a_new_actor_is_announced_before_the_status_that_names_it(ros, run, start):
    for index in range(WARM):
        run.commit(index)
        run.label(index)
    heard = start()
    order = []
    client = ros.node("order")
    client.create_subscription(
        msg.PolicyUpdate, "policy_update", lambda m: order.append(("update", m.version)), LATCHED
    )
    ros.spin_until(lambda: heard.status and heard.status[-1].policy_version == 1, "version 1")
    assert actor_path(run.path, 1).is_file()
    ros.spin_until(lambda: order == [("update", 1)], "latched update")


def test_unlabelled_tainted_and_discarded_episodes_teach_nothing(ros, run, start):
    run.commit(0)
    run.fail(0)
    run.commit(1, taint=("fault",))
    run.label(1)
    run.commit(2)
    run.label(2)
    run.store.discard("ep_000002")
    heard = start()
    ros.spin_until(done(heard, 3), "three episodes")
    status = heard.status[-1]
    assert status.episodes_trainable == 1, "only the unlabelled one may train, without its end"
    assert "0 of" in status.message


def test_an_episode_without_an_outcome_is_not_done(ros, run, start):
    run.commit(0)
    run.label(0)
    run.commit(1)
    heard = start()
    ros.spin_until(done(heard, 1), "the first")
    run.label(1)
    ros.spin_until(done(heard, 2), "the second, found without any message")


def test_save_writes_the_checkpoint_and_a_restart_goes_on(ros, run, start):
    for index in range(WARM):
        run.commit(index)
        run.label(index, 1.0 + index % 5)
    heard = start()
    ros.spin_until(done(heard, WARM), "all episodes")
    answer = ros.call(heard.save, Trigger.Request())
    assert answer.success
    ros.spin_until((run.path / "checkpoints/learner.safetensors").is_file, "checkpoint")
    steps = heard.status[-1].grad_steps
    heard.node.wind_down("restart")
    again = start()
    ros.spin_until(done(again, WARM), "resumed")
    assert again.status[-1].grad_steps == steps
    ros.spin_until(lambda: again.updates and again.updates[-1].version == 1, "update again")


def test_a_damaged_checkpoint_is_refused_by_name(ros, run):
    run.commit(0)
    path = run.path / "checkpoints/learner.safetensors"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"nonsense")
    node = ros.add(LearnerNode(context=ros.context, parameters={"run_dir": str(run.path)}))
    assert not node.bring_up()
    assert "learner.safetensors" in str(node.failure)


def test_an_unknown_profile_is_refused_with_those_there_are(ros, run):
    values = {"run_dir": str(run.path), "profile": "nonesuch"}
    node = ros.add(LearnerNode(context=ros.context, parameters=values))
    assert not node.bring_up()
    assert "widowx" in str(node.failure)


def test_abstentions_hold_new_weights_until_a_person_lets_them_pass(ros, run, start):
    for index in range(WARM):
        run.commit(index)
        run.label(index, 1.0 + index % 5)
    for index in range(WARM, WARM + 5):
        run.commit(index)
        run.decline(index)
    heard = start()
    ros.spin_until(done(heard, WARM + 5), "all episodes")
    status = heard.status[-1]
    assert status.grad_steps > 0, "training goes on"
    assert status.holding
    assert "abstained" in status.alarm
    assert (status.policy_version, heard.updates) == (0, [])
    answer = ros.call(heard.release, Trigger.Request())
    assert answer.success
    assert "abstained" in answer.message
    ros.spin_until(lambda: heard.updates and heard.updates[-1].version == 1, "the held actor")
    ros.spin_until(lambda: not heard.status[-1].holding, "status")
    assert not ros.call(heard.release, Trigger.Request()).success, "nothing is held any more"


def test_a_checkpoint_that_would_lose_more_than_a_minute_is_refused(ros, run):
    values = {"run_dir": str(run.path), "checkpoint_s": 120.0}
    with pytest.raises(ConfigError, match="checkpoint_s at most 50"):
        LearnerNode(context=ros.context, parameters=values)


def test_a_learner_without_room_says_so_and_leaves_the_checkpoint_as_it_was(ros, run):
    parameters = {"run_dir": str(run.path), "tensorboard": False}
    node = ros.add(LearnerNode(context=ros.context, parameters=parameters))
    node.trigger_configure()

    def without_room(updates):
        raise MemoryError

    node._duty.advance = without_room
    checkpoint = node._duty.follower.checkpoint
    node.trigger_activate()
    ros.spin_until(lambda: node.stop, "its end")
    assert node.stop.code == 1  # started again it goes on from the checkpoint
    assert node.stop.reason.endswith(ADVICE)
    ros.spin_until(lambda: not node._thread.is_alive())
    assert not checkpoint.exists()  # an update may have been done by half
