# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest

from roboreward_ros.dsrl.actor import load_actor
from roboreward_ros.dsrl.agent import UpdateMetrics
from roboreward_ros.dsrl.compute import Compute, Precision
from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.follow import RunFollower, actor_path
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import CheckpointError
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
    hidden=(16,),
    ensemble=2,
    warmup_episodes=2,
    warmup_updates=4,
    updates_per_episode=3,
    critic_only_updates=2,
)
TOY = SteeringToy()


class ToyRun:
    """A run on disk whose episodes come from the toy."""

    def __init__(self, path):
        self.path = path
        self.store = EpisodeStore(path, "w")
        self.ledger = Ledger(path, "w")
        promote(path, "toy", ScoreScale.RUBRIC)

    def commit(self, index, taint=(), policy_id="toy", task="toy", spoil=""):
        toy = TOY.run(
            index,
            lambda f, r, s, k: np.random.default_rng((s, k)).normal(size=(4, 7)).astype(np.float32),
        )
        meta = dataclasses.replace(toy.summary.meta, policy_id=policy_id, task=task)
        if spoil == "chunk_size":
            meta = dataclasses.replace(meta, chunk_size=3)
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
            if spoil == "features":
                chunk = dataclasses.replace(chunk, features=np.full_like(chunk.features, np.nan))
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


def test_a_held_actor_is_published_once_the_brake_lets_go(run):
    follower = RunFollower(run.path, CONFIG)
    for index in range(2):
        run.score(run.commit(index))
    first = work(follower).actor
    follower.hold("too many abstentions")
    run.score(run.commit(2))
    status = work(follower)
    assert status.actor == first
    assert status.metrics.grad_steps == 10, "training goes on"
    assert status.message == "too many abstentions"
    follower.hold("")
    status = work(follower)
    assert status.actor.version == 2
    assert not actor_path(run.path, 3).exists()


def test_falling_back_publishes_the_prior_and_release_the_newest_actor(run):
    follower = RunFollower(run.path, CONFIG)
    for index in range(2):
        run.score(run.commit(index))
    work(follower)
    published = follower.fall_back("steering is worse")
    prior = load_actor(published.path, published.sha256, "toy")
    mean, std = prior.distribution(np.ones(TOY.spec.feature_dim, np.float32), 0.5)
    assert published.version == 2
    assert not mean.any()
    assert (std == 1).all()
    follower.hold("")
    again = work(follower).actor
    assert again.version == 3
    assert load_actor(again.path).weights.keys() > {"head.weight"}


def test_a_number_never_names_two_actors(run):
    follower = RunFollower(run.path, CONFIG)
    for index in range(2):
        run.score(run.commit(index))
    work(follower)
    follower.save()
    run.score(run.commit(2))
    while not follower._learner.owed:
        assert follower.advance()
    follower.grant(5)  # time was left: a schedule that the successor does not repeat
    other = work(follower).actor
    resumed = RunFollower(run.path, CONFIG)
    resumed.resume()
    mine = work(resumed).actor
    assert (other.version, mine.version) == (2, 3)
    load_actor(other.path, other.sha256)


def test_old_actors_are_pruned_but_for_every_tenth(run):
    follower = RunFollower(run.path, CONFIG, keep_actors=2)
    for index in range(15):
        run.score(run.commit(index))
        work(follower)
    left = sorted(int(p.stem[-6:]) for p in (run.path / "policies").glob("*.safetensors"))
    assert left == [10, 13, 14]


def saved_run(run):
    follower = RunFollower(run.path, CONFIG)
    for index in range(2):
        run.score(run.commit(index))
    work(follower)
    follower.save()
    return follower


def test_a_checkpoint_of_another_task_is_refused(run, tmp_path):
    saved_run(run)
    other = ToyRun(tmp_path / "other")
    for index in range(2):
        other.commit(index, task="another task")
    follower = RunFollower(other.path, CONFIG)
    follower.checkpoint.parent.mkdir()
    follower.checkpoint.write_bytes(RunFollower(run.path, CONFIG).checkpoint.read_bytes())
    with pytest.raises(CheckpointError, match=r"another task or run.*another task"):
        follower.resume()
    other.close()


def test_a_checkpoint_that_knows_more_episodes_than_the_run_is_refused(run):
    saved_run(run)
    shutil.rmtree(run.path / "episodes" / "ep_000001")
    with pytest.raises(CheckpointError, match="ep_000001"):
        RunFollower(run.path, CONFIG).resume()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"config": dataclasses.replace(CONFIG, gamma=0.9)}, "gamma 0.97 then, 0.9 now"),
        ({"seed": 5}, "seed 0 then, 5 now"),
        ({"compute": Compute(precision=Precision.BF16)}, "precision bf16 now, fp32 then"),
    ],
)
def test_a_resume_that_cannot_be_exact_says_why_and_can_be_allowed(run, changes, said):
    before = saved_run(run).status
    arguments = {"config": CONFIG, **changes}
    config = arguments.pop("config")
    with pytest.raises(CheckpointError, match=f"{said}.*exact_resume:=false"):
        RunFollower(run.path, config, **arguments).resume()
    allowed = RunFollower(run.path, config, exact=False, **arguments)
    allowed.resume()
    assert allowed.status.metrics.grad_steps == before.metrics.grad_steps


@pytest.mark.parametrize("spoil", ["chunk_size", "features"])
def test_a_bad_episode_is_refused_by_name_and_training_goes_on(run, spoil, caplog):
    follower = RunFollower(run.path, CONFIG)
    run.score(run.commit(0))
    run.score(run.commit(1, spoil=spoil))
    run.score(run.commit(2))
    status = work(follower)
    assert status.episodes_done == 3
    assert status.metrics.grad_steps > 0, "the two good ones end the warm-up"
    assert "without ep_000001" in caplog.text


def test_a_killed_learner_loses_no_episode_and_ends_with_the_same_weights(tmp_path):
    """SIGKILL wherever it happens to be; the successor goes on from the last checkpoint."""
    whole, killed = ToyRun(tmp_path / "whole"), ToyRun(tmp_path / "killed")
    for made in (whole, killed):
        for index in range(6):
            made.score(made.commit(index))
        made.close()
    calm = work(RunFollower(whole.path, KILL_CONFIG), 5)
    for victim in range(2):
        process = subprocess.Popen(
            [sys.executable, __file__, str(killed.path)], stdout=subprocess.PIPE, text=True
        )
        seen = 0
        for line in process.stdout:
            seen = int(line)
            if seen >= 40 * (victim + 1) + 7:
                break
        process.kill()
        process.communicate()
        assert seen, "it worked before it was killed"
    follower = RunFollower(killed.path, KILL_CONFIG)
    follower.resume()
    assert follower.status.metrics.grad_steps >= 40
    status = work(follower, 5)
    assert status.episodes_done == 6
    assert status.metrics == calm.metrics
    assert weights(killed.path, status.actor.version) == weights(whole.path, calm.actor.version)


KILL_CONFIG = dataclasses.replace(CONFIG, updates_per_episode=40)


if __name__ == "__main__":  # the victim: says how far it is, saves now and then
    victim = RunFollower(sys.argv[1], KILL_CONFIG)
    victim.resume()
    while victim.advance(1):
        if victim.unsaved and victim._learner.sac.steps % 5 == 0:
            victim.save()
        sys.stdout.write(f"{victim._learner.sac.steps if victim._learner else 0}\n")
        sys.stdout.flush()
