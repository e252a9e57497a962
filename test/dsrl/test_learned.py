# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What was learned from may lose its pictures, and learning anew gives the same to the bit."""

import pytest
from toy_run import CONFIG, ToyRun, weights, work

from roboreward_ros.dsrl.follow import RunFollower
from roboreward_ros.dsrl.learned import CHECKPOINT, learned_episodes
from roboreward_ros.episodes.retention import Retention, RetentionConfig

COUNT = 4


@pytest.fixture
def run(tmp_path):
    made = ToyRun(tmp_path / "run")
    for index in range(COUNT):
        made.score(made.commit(index))
    yield made
    made.close()


def prune(run):
    config = RetentionConfig(budget_bytes=1, keep_newest=0)
    keeper = Retention(run.store, config, lambda: learned_episodes(run.path))
    plan = keeper.plan()
    keeper.carry_out(plan)
    return [it.episode_id for it in plan.remove]


def test_only_what_the_checkpoint_on_disk_holds_counts_as_learned(run):
    follower = RunFollower(run.path, CONFIG)
    work(follower)
    assert learned_episodes(run.path) == frozenset()
    assert prune(run) == []
    follower.save()
    run.score(run.commit(COUNT))
    work(follower)  # taken in, but a learner that dies now reads it again
    ids = list(run.store.ids())
    assert learned_episodes(run.path) == set(ids[:COUNT])
    assert prune(run) == ids[:COUNT]


def test_a_damaged_checkpoint_has_learned_nothing(run):
    path = run.path / CHECKPOINT
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"rubbish")
    assert learned_episodes(run.path) == frozenset()


def test_learning_anew_without_pictures_gives_the_same_weights(run, tmp_path):
    follower = RunFollower(run.path, CONFIG)
    work(follower)
    follower.save()
    before = weights(run.path, COUNT - 1)
    assert len(prune(run)) == COUNT
    for name in ("policies", "checkpoints"):
        (run.path / name).rename(tmp_path / name)
    work(RunFollower(run.path, CONFIG))
    assert weights(run.path, COUNT - 1) == before


def test_a_resume_goes_on_without_pictures(run):
    follower = RunFollower(run.path, CONFIG)
    work(follower)
    follower.save()
    prune(run)
    resumed = RunFollower(run.path, CONFIG)
    resumed.resume()
    run.score(run.commit(COUNT))
    assert work(resumed).episodes_done == COUNT + 1
