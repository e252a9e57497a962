# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.noise import actor_rng, prior_noise
from roboreward_ros.sim.twin import Twin
from roboreward_ros.studies.online import chooser_of, train_online
from roboreward_ros.studies.rollout import (
    ConstantNoise,
    PriorNoise,
    Rollout,
    RolloutResult,
    SteeredNoise,
)
from roboreward_ros.testing.fake_policy import FakePolicy
from roboreward_ros.types import Frame

TASK = "open the drawer"


class GreyCamera:
    """Always the same picture; counts how often it was asked."""

    def __init__(self) -> None:
        self.reads = 0

    def open(self) -> None: ...

    def read(self, timeout_s: float) -> Frame:
        self.reads += 1
        return Frame(np.full((8, 8, 3), 128, np.uint8), 0)

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def twin():
    twin = Twin()
    yield twin
    twin.close()


@pytest.fixture
def camera():
    return GreyCamera()


@pytest.fixture
def rollout(twin, camera):
    return Rollout(twin, camera, FakePolicy(prediction_horizon=6, chunk_size=4), twin.truth)


def same(one: RolloutResult, other: RolloutResult) -> bool:
    return all(
        np.array_equal(a.noise, b.noise)
        and np.array_equal(a.features, b.features)
        and np.array_equal(a.actions, b.actions)
        for a, b in zip(one.chunks(), other.chunks(), strict=True)
    )


def test_pictures_are_taken_at_decisions_only(rollout, camera):
    result = rollout.run(TASK, 1, PriorNoise(), max_steps=10)
    assert camera.reads == len(result.chunks()) == 3
    assert [chunk.step for chunk in result.chunks()] == [0, 4, 8]


def test_the_last_state_is_looked_at_where_a_learner_needs_it(rollout, camera):
    result = rollout.run(TASK, 1, PriorNoise(), max_steps=8, closing=True)
    assert camera.reads == len(result.chunks()) == 3
    closing = result.chunks()[-1]
    assert (closing.step, closing.index, closing.executed) == (8, 2, 0)


def test_an_episode_that_ends_inside_a_chunk_marks_it_cut(rollout):
    result = rollout.run(TASK, 1, PriorNoise(), max_steps=10)
    assert [chunk.executed for chunk in result.chunks()] == [4, 4, 2]
    assert len(result.flags()) == result.summary.n_steps == 10


def test_the_noise_is_a_function_of_seed_and_decision(rollout):
    first = rollout.run(TASK, 5, PriorNoise(), max_steps=8)
    for chunk in first.chunks():
        np.testing.assert_array_equal(chunk.noise, prior_noise(5, chunk.index, 6))
    rollout.run(TASK, 6, PriorNoise(), max_steps=4)
    assert same(first, rollout.run(TASK, 5, PriorNoise(), max_steps=8))
    assert not same(first, rollout.run(TASK, 6, PriorNoise(), max_steps=8))


def test_every_chooser_gives_its_own_noise(rollout):
    w = prior_noise(9, 9, 6)
    shrunk = rollout.run(TASK, 2, PriorNoise(0.5), max_steps=4).chunks()[0]
    np.testing.assert_array_equal(shrunk.noise, 0.5 * prior_noise(2, 0, 6))
    assert not rollout.run(TASK, 2, ConstantNoise(), max_steps=4).chunks()[0].noise.any()
    constant = rollout.run(TASK, 2, ConstantNoise(w), max_steps=8).chunks()
    assert all(np.array_equal(chunk.noise, w) for chunk in constant)
    actor = SteeringActor.prior(rollout.policy.spec.policy_id, 6)
    steered = rollout.run(TASK, 2, SteeredNoise(actor), max_steps=4).chunks()[0]
    want = actor_rng(2, 0).standard_normal((6, 7)).astype(np.float32)
    np.testing.assert_array_equal(steered.noise, want)
    assert steered.steered
    assert not constant[0].steered


def test_noise_of_another_horizon_is_refused(rollout):
    with pytest.raises(ConfigError, match="horizon"):
        rollout.run(TASK, 2, SteeredNoise(SteeringActor.prior("x", 4)), max_steps=4)
    with pytest.raises(ConfigError, match="ConstantNoise"):
        rollout.run(TASK, 2, ConstantNoise(np.zeros((4, 7), np.float32)), max_steps=4)


def test_success_is_judged_at_the_last_state(rollout, twin):
    results = rollout.run_many(TASK, [3, 4], PriorNoise(), max_steps=4)
    assert results[-1].truth == twin.truth()
    assert not any(result.success for result in results)
    assert [result.seed for result in results] == [3, 4]


def test_the_loop_trains_and_goes_on_where_it_stopped(rollout):
    config = DsrlConfig(
        hidden=(16,), ensemble=2, batch_size=16, warmup_episodes=2, warmup_updates=4,
        updates_per_episode=3, critic_only_updates=0,
    )  # fmt: skip

    def loop(learner: Learner, episodes: int) -> list[tuple[int, int, int]]:
        rounds = train_online(rollout, learner, TASK, 8, episodes, run_seed=1)
        return [
            (r.result.seed, r.result.summary.policy_version, r.metrics.grad_steps) for r in rounds
        ]

    whole = loop(Learner(config, rollout.policy.spec, 1), 4)
    assert whole == [(100000, 0, 0), (100001, 0, 7), (100002, 1, 10), (100003, 2, 13)]
    learner = Learner(config, rollout.policy.spec, 1)
    assert loop(learner, 2) + loop(learner, 4) == whole


def test_an_unlabelled_episode_leaves_the_prior_in_charge(rollout):
    learner = Learner(DsrlConfig(warmup_episodes=1), rollout.policy.spec)
    rounds = list(train_online(rollout, learner, TASK, 4, 2, 0, labeller=lambda result: None))
    assert all(r.label is None for r in rounds)
    assert isinstance(chooser_of(learner), PriorNoise)
