# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import math

import numpy as np
import pytest

from roboreward_ros.dsrl.actor import load_actor
from roboreward_ros.dsrl.agent import UpdateMetrics
from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.follow import RunFollower, actor_path
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.testing.steering_toy import SteeringToy
from roboreward_ros.types import (
    LabelRecord,
    Provenance,
    RewardFailure,
    RobotState,
    ScoreScale,
    StepFlag,
    StepReport,
)

CONFIG = DsrlConfig(
    hidden=(16,), ensemble=2, warmup_episodes=2, warmup_updates=4, updates_per_episode=3
)
TOY = SteeringToy()


class ToyRun:
    """A run on disk whose episodes come from the toy."""

    def __init__(self, path):
        self.path = path
        self.store = EpisodeStore(path, "w")
        self.ledger = Ledger(path, "w")
        promote(path, "toy", ScoreScale.RUBRIC)

    def commit(self, index, taint=(), policy_id="toy"):
        toy = TOY.run(
            index,
            lambda f, r, s, k: np.random.default_rng((s, k)).normal(size=(4, 7)).astype(np.float32),
        )
        meta = dataclasses.replace(toy.summary.meta, policy_id=policy_id)
        writer = self.store.create(meta)
        arm, proprio, action = np.zeros(6), np.zeros(7), np.zeros(7)
        for step in range(toy.summary.n_steps + 1):
            if step:
                state = RobotState(step, arm, arm, arm, 1.0, np.eye(4), proprio)
                writer.add_step(
                    step - 1, StepReport(action, action, np.eye(4), arm, StepFlag.NONE, state)
                )
            writer.add_observation(step, step, b"\xff\xd8", proprio, arm)
        for chunk in toy.chunks():
            writer.add_chunk(chunk)
        writer.commit(toy.summary.end_cause, taint)
        return toy

    def score(self, toy):
        outcome = dataclasses.replace(toy.label, provenance=Provenance("toy"))
        self.ledger.append(LabelRecord(-1, toy.summary.meta.episode_id, outcome, 0))

    def fail(self, toy):
        outcome = RewardFailure("no answer", Provenance("toy"))
        self.ledger.append(LabelRecord(-1, toy.summary.meta.episode_id, outcome, 0))

    def close(self):
        self.store.close()
        self.ledger.close()


@pytest.fixture
def run(tmp_path):
    made = ToyRun(tmp_path)
    yield made
    made.close()


def work(follower, max_updates=40):
    for _ in range(1000):
        if not follower.advance(max_updates):
            return follower.status
    raise AssertionError("the follower never comes to rest")


def weights(run_dir, version):
    return actor_path(run_dir, version).read_bytes()


def test_each_episode_has_its_quota_and_a_version_of_the_actor(run):
    follower = RunFollower(run.path, CONFIG)
    steps, versions = [], []
    for index in range(4):
        run.score(run.commit(index))
        status = work(follower)
        assert status.episodes_done == index + 1
        steps.append(status.metrics.grad_steps)
        versions.append(status.actor.version if status.actor else 0)
    assert steps == [0, 7, 10, 13]
    assert versions == [0, 1, 2, 3]
    load_actor(status.actor.path, status.actor.sha256, "toy")


def test_an_episode_waits_for_its_outcome(run):
    follower = RunFollower(run.path, CONFIG)
    toy = run.commit(0)
    assert work(follower).episodes_done == 0
    run.score(toy)
    assert work(follower).episodes_done == 1


def test_an_unlabelled_episode_is_done_without_teaching_its_end(run):
    follower = RunFollower(run.path, CONFIG)
    run.fail(run.commit(0))
    status = work(follower)
    assert (status.episodes_done, status.metrics.labelled) == (1, 0)


def test_a_failed_episode_does_not_hold_up_later_ones(run):
    follower = RunFollower(run.path, CONFIG)
    run.commit(0)
    run.score(run.commit(1))
    assert work(follower).episodes_done == 2


def test_a_late_label_counts_from_then_on(run):
    follower = RunFollower(run.path, CONFIG)
    toy = run.commit(0)
    run.fail(toy)
    assert work(follower).metrics.labelled == 0
    run.score(toy)
    assert work(follower).metrics.labelled == 1


@pytest.mark.parametrize("bad", ["tainted", "discarded", "foreign"])
def test_what_may_not_train_is_left_out_but_counted(run, bad):
    follower = RunFollower(run.path, CONFIG)
    run.score(run.commit(0))
    toy = run.commit(1, ("fault",) if bad == "tainted" else (), "x" if bad == "foreign" else "toy")
    run.score(toy)
    if bad == "discarded":
        run.store.discard("ep_000001")
    status = work(follower)
    assert (status.episodes_done, status.trainable) == (2, 1)
    assert status.metrics.labelled == 1


def test_an_episode_that_is_discarded_later_is_forgotten(run):
    follower = RunFollower(run.path, CONFIG)
    run.score(run.commit(0))
    rows = work(follower).metrics.transitions
    assert rows > 0
    run.store.discard("ep_000000")
    assert work(follower).metrics.transitions == 0


def test_the_same_run_gives_the_same_weights_however_it_is_divided(tmp_path):
    results = []
    for name, at_once, slices in (("a", True, 40), ("b", False, 1)):
        run = ToyRun(tmp_path / name)
        follower = RunFollower(run.path, CONFIG, seed=3)
        for index in range(4):
            run.score(run.commit(index))
            if not at_once:
                work(follower, slices)
        work(follower, slices)
        results.append(weights(run.path, 3))
        run.close()
    assert results[0] == results[1]


def test_a_resumed_follower_ends_with_the_same_weights(tmp_path):
    results = []
    for name in ("whole", "stopped"):
        run = ToyRun(tmp_path / name)
        follower = RunFollower(run.path, CONFIG)
        for index in range(4):
            run.score(run.commit(index))
            if index == 2:
                work(follower)
                if name == "stopped":
                    follower.save()
                    follower = RunFollower(run.path, CONFIG)
                    follower.resume()
                    assert follower.status.episodes_done == 3
                    assert follower.status.actor.version == 2
        work(follower)
        results.append(weights(run.path, 3))
        run.close()
    assert results[0] == results[1]


def test_a_checkpoint_that_is_behind_the_store_catches_up_to_the_same_weights(tmp_path):
    run = ToyRun(tmp_path)
    follower = RunFollower(run.path, CONFIG)
    for index in range(4):
        run.score(run.commit(index))
        work(follower)
        if index == 1:
            follower.save()
    expected = weights(run.path, 3)
    actor_path(run.path, 3).unlink()
    again = RunFollower(run.path, CONFIG)
    again.resume()
    assert again.status.episodes_done == 2
    work(again)
    assert weights(run.path, 3) == expected
    run.close()


def test_numbers_that_are_not_finite_stop_training_and_keep_the_last_good_actor(run):
    follower = RunFollower(run.path, CONFIG)
    for index in range(2):
        run.score(run.commit(index))
    good = work(follower).actor
    sac = follower._learner.sac
    sac.update = lambda *_: UpdateMetrics(critic_loss=math.nan)
    run.score(run.commit(2))
    status = work(follower)
    assert status.actor == good
    assert "critic_loss not finite" in status.message
    assert status.episodes_done == 3
    assert follower.save() is None
    assert list((run.path / "checkpoints").glob("diverged_*"))


def test_without_any_promoted_source_nothing_is_learnt(tmp_path):
    EpisodeStore(tmp_path, "w").close()
    assert work(RunFollower(tmp_path, CONFIG)).episodes_done == 0
