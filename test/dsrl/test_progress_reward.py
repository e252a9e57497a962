# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Progress as the reward, from store and ledger to the actor, where the optimum is known."""

from dataclasses import replace

import numpy as np
import pytest
from toy_run import ToyRun, work

from roboreward_ros.dsrl.actor import load_actor
from roboreward_ros.dsrl.config import load_profile
from roboreward_ros.dsrl.follow import RunFollower
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.testing.steering_toy import SteeringToy
from roboreward_ros.types import ScoreScale

TOY = SteeringToy(decisions=2, needed=2, closing=True)
"""Half of what can be gained is gained by the last decision."""
CONFIG = replace(
    load_profile("progress"), hidden=(32, 32), batch_size=64, kl_budget=20.0, actor_lr=3e-3,
    critic_lr=2e-3,
)  # fmt: skip
EPISODES = 40


def prior(features, remaining, seed, chunk):
    return prior_noise(seed, chunk, 4)


def progress_by_decision(choose, n=60):
    """Mean gain of each decision on held-out layouts ``[2]``."""
    paths = [TOY.run(10**6 + k, choose).progress for k in range(n)]
    return np.diff(np.asarray(paths)[:, ::4], axis=1).mean(axis=0)


@pytest.fixture
def run(tmp_path):
    made = ToyRun(tmp_path, ScoreScale.UNIT)
    yield made
    made.close()


def test_the_best_noise_is_best_and_the_prior_is_far_from_it():
    best = progress_by_decision(lambda f, r, s, k: TOY.best_noise(TOY.side(s)))
    np.testing.assert_allclose(best, [0.5, 0.5])
    assert progress_by_decision(prior).max() < 0.2


def test_progress_teaches_every_decision_the_last_one_too(run):
    follower, choose = RunFollower(run.path, CONFIG), prior
    for index in range(EPISODES):
        toy = TOY.run(index, choose)
        run.write(toy)
        run.score(toy, toy.dense_label)
        status = work(follower)
        if status.actor is not None:
            choose = load_actor(status.actor.path, status.actor.sha256).steer
    assert follower.refused == {}
    assert status.metrics.transitions == 2 * EPISODES, "the last decisions are among them"
    gained = progress_by_decision(choose)
    assert gained.min() > 0.3, gained


def test_an_episodic_source_is_refused_by_name_and_the_run_goes_on(run):
    follower = RunFollower(run.path, replace(CONFIG, warmup_episodes=1))
    for index in range(2):
        toy = TOY.run(index, prior)
        run.write(toy)
        run.score(toy, toy.dense_label if index else replace(toy.dense_label, per_step=()))
    work(follower)
    assert list(follower.refused) == ["ep_000000"]
    assert "value per step" in follower.refused["ep_000000"]
    assert "source 'toy'" in follower.refused["ep_000000"]
