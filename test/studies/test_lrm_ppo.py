# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from roboreward_ros.errors import ConfigError
from roboreward_ros.studies.lrm.actors import Actor, ChainActor, NoiseActor
from roboreward_ros.studies.lrm.config import BaseConfig, LrmConfig, PpoConfig
from roboreward_ros.studies.lrm.lanes import STATE_DIM
from roboreward_ros.studies.lrm.policy import BasePolicy, Clones, clone
from roboreward_ros.studies.lrm.ppo import Experience, Ppo, advantages

CONFIG = PpoConfig(gamma=0.9, gae_lambda=1.0)
BASE = BaseConfig(
    steps=600, learning_rate=4e-3, hidden=64, blocks=1, sample_steps=4, batch_size=128
)


@pytest.fixture(scope="module")
def base() -> BasePolicy:
    """Cloned from chunks that go 2 cm to one side or the other, whatever the state."""
    rng = np.random.default_rng(0)
    chunks = np.zeros((256, BASE.chunk_size, 7), np.float32)
    chunks[..., 1] = np.where(rng.random(256) < 0.5, 0.02, -0.02)[:, None]
    states = rng.normal(0, 0.1, (256, STATE_DIM)).astype(np.float32)
    return clone(Clones(states, chunks), BASE)


@pytest.fixture(params=[ChainActor, NoiseActor])
def actor(request: pytest.FixtureRequest, base: BasePolicy) -> Actor:
    torch.manual_seed(0)
    return request.param(base, PpoConfig())


def states(count: int) -> torch.Tensor:
    return torch.randn((count, STATE_DIM), generator=torch.Generator().manual_seed(3))


def test_with_lambda_1_the_return_is_the_discounted_sum():
    rng = np.random.default_rng(0)
    rewards, values = rng.random((4, 3)), rng.random((4, 3))
    _, returns = advantages(rewards, values, np.ones((4, 3)), CONFIG)
    sums = np.zeros((4, 3))
    for t in reversed(range(4)):
        sums[t] = rewards[t] + (0.9 * sums[t + 1] if t < 3 else 0)
    assert returns == pytest.approx(sums)


def test_with_lambda_0_only_the_next_value_counts():
    config = dataclasses.replace(CONFIG, gae_lambda=1e-12)
    rewards, values = np.ones((3, 1)), np.array([[1.0], [2.0], [3.0]])
    advantage, _ = advantages(rewards, values, np.ones((3, 1)), config)
    assert advantage.ravel() == pytest.approx([1 + 0.9 * 2 - 1, 1 + 0.9 * 3 - 2, 1 - 3])


def test_what_follows_the_physics_end_is_paid_to_the_last_decision():
    rewards = np.array([[0.1], [1.0], [1.0], [1.0]])
    live = np.array([[1.0], [1.0], [0.0], [0.0]])
    values = np.array([[0.3], [0.5], [77.0], [88.0]])  # where nothing was decided: no matter
    advantage, returns = advantages(rewards, values, live, CONFIG)
    worth = 1 + 0.9 + 0.81
    assert returns[:2].ravel() == pytest.approx([0.1 + 0.9 * worth, worth])
    assert not advantage[2:].any()


def test_a_walk_is_as_likely_as_it_was_when_drawn(actor: Actor):
    walk = actor.walk(states(16), torch.Generator().manual_seed(0))
    log_prob, apart = actor.judge(states(16), walk.points)
    assert walk.points.shape == (16, actor.steps + 1, BASE.chunk_size * 7)
    assert torch.allclose(log_prob, walk.log_prob, atol=1e-3)
    assert apart.abs().max() < 1e-9  # nothing was learned yet


def test_untrained_the_actor_is_the_base_policy(actor: Actor, base: BasePolicy):
    noise = torch.randn((8, base.chunk_dim), generator=torch.Generator().manual_seed(1))
    assert torch.equal(actor.deploy(states(8), noise), base.decode(states(8), noise))


def test_exploring_spreads_like_the_base_policy(base: BasePolicy):
    rng = torch.Generator().manual_seed(0)
    walk = ChainActor(base, PpoConfig()).walk(states(400), rng)
    plain = base.decode(states(400), torch.randn((400, base.chunk_dim), generator=rng))
    exploring, sampled = (base.chunk(c)[:, :, 1].mean(axis=1) for c in (walk.chunk, plain))
    assert np.abs(exploring).mean() == pytest.approx(np.abs(sampled).mean(), rel=0.25)
    assert 0.2 < (exploring > 0).mean() < 0.8


def test_ppo_finds_the_side_that_pays(actor: Actor, base: BasePolicy):
    config = PpoConfig(learning_rate=1e-3, epochs=4, kl_beta=0.0, clip=0.2)
    ppo = Ppo(actor, config, seed=0)
    rng = torch.Generator().manual_seed(0)
    share = []
    for _ in range(15):
        now = torch.randn((1, 256, STATE_DIM), generator=rng)
        walk = actor.walk(now[0], rng)
        left = (base.chunk(walk.chunk)[:, :, 1].mean(axis=1) > 0).astype(np.float64)
        share.append(left.mean())
        ppo.update(
            Experience(
                states=now,
                left=torch.ones((1, 256)),
                points=walk.points[None],
                log_prob=walk.log_prob[None],
                rewards=left[None],
                live=np.ones((1, 256)),
            )
        )
    assert share[0] < 0.65
    assert share[-1] > 0.85


def test_kl_holds_the_actor_at_the_base_policy(base: BasePolicy):
    def moved(beta: float) -> float:
        torch.manual_seed(0)
        actor = ChainActor(base, PpoConfig())
        ppo = Ppo(actor, PpoConfig(learning_rate=1e-3, kl_beta=beta), seed=0)
        rng = torch.Generator().manual_seed(0)
        for _ in range(4):
            walk = actor.walk(states(128), rng)
            paid = walk.chunk[:, 0].numpy().astype(np.float64)
            figures = ppo.update(
                Experience(
                    states=states(128)[None], left=torch.ones((1, 128)),
                    points=walk.points[None], log_prob=walk.log_prob[None],
                    rewards=paid[None], live=np.ones((1, 128)),
                )
            )  # fmt: skip
        return figures.kl

    assert moved(beta=10.0) < 0.2 * moved(beta=0.0)


def test_queries_and_limits_fall_on_decisions():
    with pytest.raises(ConfigError, match="fall on decisions"):
        LrmConfig(hold_steps=6)
    with pytest.raises(ConfigError, match="fall on decisions"):
        LrmConfig(max_steps=30)
    with pytest.raises(ConfigError, match="twice"):
        LrmConfig(seeds=(1, 1))
    with pytest.raises(ConfigError, match="discount"):
        PpoConfig(gamma=0.0)
