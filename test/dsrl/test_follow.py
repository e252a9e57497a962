# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import errno
import math

import numpy as np
import pytest
import torch
from toy_run import CONFIG, TOY, ToyRun, weights, work

from roboreward_ros.dsrl.actor import load_actor
from roboreward_ros.dsrl.agent import UpdateMetrics
from roboreward_ros.dsrl.checkpoint import load_learner
from roboreward_ros.dsrl.follow import RunFollower, actor_path
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import CheckpointError


@pytest.fixture
def run(tmp_path):
    made = ToyRun(tmp_path)
    yield made
    made.close()


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


def test_a_late_label_is_not_lost_where_its_episode_cannot_be_read_for_a_moment(run, monkeypatch):
    follower = RunFollower(run.path, CONFIG)
    toy = run.commit(0)
    run.fail(toy)
    work(follower)
    run.score(toy)
    with monkeypatch.context() as bad:
        bad.setattr(follower._stores, "open", refuse_space)
        with pytest.raises(OSError, match="No space left"):
            work(follower)
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


PARTS = ("actor", "critic", "target", "log_alpha")


def poison(sac, part):
    tensors = [sac.log_alpha] if part == "log_alpha" else list(sac.modules()[part].parameters())
    with torch.no_grad():
        tensors[-1].fill_(math.nan)


@pytest.mark.parametrize("part", PARTS)
def test_weights_that_went_bad_after_the_last_measurement_are_not_published(run, part):
    follower = RunFollower(run.path, CONFIG)
    for index in range(2):
        run.score(run.commit(index))
    good = work(follower).actor
    follower.save()
    saved = follower.checkpoint.read_bytes()
    sac = follower._learner.sac
    update = sac.update

    def turns_bad(*arguments):
        measured = update(*arguments)
        poison(sac, part)
        return measured

    sac.update = turns_bad
    run.score(run.commit(2))
    status = work(follower)
    assert all(math.isfinite(it) for it in dataclasses.astuple(status.metrics.last))
    assert status.actor == good
    assert f"{part} not finite" in status.message
    assert follower.halted
    assert follower.save() is None
    assert follower.checkpoint.read_bytes() == saved
    (dump,) = (run.path / "checkpoints").glob("diverged_*")
    with pytest.raises(CheckpointError, match=f"not finite: {part}"):
        load_learner(dump, TOY.spec)


def test_bad_weights_never_replace_the_last_good_checkpoint(run):
    follower = RunFollower(run.path, CONFIG)
    for index in range(2):
        run.score(run.commit(index))
    work(follower)
    follower.save()
    saved = follower.checkpoint.read_bytes()
    poison(follower._learner.sac, "critic")
    assert follower.save() is None
    assert follower.halted
    assert follower.checkpoint.read_bytes() == saved


def test_training_stops_for_bad_weights_on_a_full_disk_too(run, monkeypatch):
    follower = RunFollower(run.path, CONFIG)
    for index in range(2):
        run.score(run.commit(index))
    good = work(follower).actor
    poison(follower._learner.sac, "actor")
    monkeypatch.setattr("roboreward_ros.dsrl.follow.save_learner", refuse_space)
    run.score(run.commit(2))
    status = work(follower)
    assert status.actor == good
    assert "could not be kept" in status.message


def refuse_space(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


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
