# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Each algorithm finds the known best noise of a toy, and says so in its critics."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from roboreward_ros.dsrl.actor import SteeringActor, load_actor
from roboreward_ros.dsrl.agent import Batch
from roboreward_ros.dsrl.config import Acting, Combine, CriticForm, DsrlConfig, NoiseForm
from roboreward_ros.dsrl.edit_actor import steered_chunk
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.dsrl.noise_aliased import NoiseAliased
from roboreward_ros.errors import CheckpointError, ConfigError, LearnerError
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.testing.steering_toy import SteeringToy, ToyEpisode

SAC = DsrlConfig(
    hidden=(32, 32), ensemble=2, batch_size=48, updates_per_episode=25, actor_lr=2e-3,
    critic_lr=2e-3,
)  # fmt: skip
NA = replace(SAC, critic=CriticForm.ALIASED)
EDIT = replace(
    SAC, critic=CriticForm.EDITED, candidates=2, edit_bound=10.0, kl_budget=60.0, actor_lr=2e-3
)


def played(toy: SteeringToy, actor: SteeringActor, seed: int) -> ToyEpisode:
    return toy.play(seed, lambda *at: steered_chunk(toy.decode, actor, *at), actor.version)


def trained(config: DsrlConfig, toy: SteeringToy, episodes: int = 50) -> Learner:
    learner = Learner(config, toy.spec, 0, decode=toy.decode)
    for k in range(episodes):
        episode = played(toy, learner.actor_snapshot(), k)
        learner.observe_episode(episode, episode.label)
        learner.update()
    return learner


def mean_score(toy: SteeringToy, actor: SteeringActor, n: int = 40) -> float:
    return float(np.mean([played(toy, actor, 10**6 + k).score for k in range(n)]))


@pytest.mark.parametrize(
    ("config", "gain"),
    [
        (replace(NA, acting=Acting.BEST_OF_PRIOR, candidates=16), 0.3),
        (replace(SAC, noise=NoiseForm.BASIS), 0.3),
        (replace(SAC, target_combine=Combine.SUBSET, ensemble=4), 0.5),
    ],
    ids=["best_of_n", "basis", "subset"],
)
def test_an_algorithm_beats_the_prior_on_a_toy_of_known_noise(config: DsrlConfig, gain: float):
    toy = SteeringToy()
    base = mean_score(toy, SteeringActor.prior("toy", 4))
    learner = trained(config, toy, episodes=26)
    assert mean_score(toy, learner.actor_snapshot()) > base + gain


@pytest.fixture(scope="module")
def aliased() -> Learner:
    return trained(NA, SteeringToy(), episodes=40)


def test_noise_aliasing_finds_the_known_noise(aliased: Learner):
    toy = SteeringToy()
    actor = aliased.actor_snapshot()
    assert mean_score(toy, actor) > mean_score(toy, SteeringActor.prior("toy", 4)) + 1.0
    unit = [toy.best_noise(k).reshape(-1) / np.linalg.norm(toy.best_noise(k)) for k in (0, 1)]
    for side in (0, 1):
        features = np.zeros(16, np.float32)
        features[0] = 1.0 if side else -1.0
        mean, _ = actor.distribution(features, 0.5)
        assert mean @ unit[side] > 0.3
        assert mean @ unit[side] > mean @ unit[1 - side]


def test_the_latent_critic_agrees_with_the_action_critic(aliased: Learner):
    """On fresh latents of prior and actor, correlated and close: Q_W(s, w) ~ Q_A(s, pi(s, w))."""
    learner = aliased
    agent, replay = learner.sac, learner.replay
    assert isinstance(agent, NoiseAliased)
    rows = replay.sample(np.random.default_rng(0), 400)
    state = Batch.of(replay, agent.states(replay), rows).state
    for z in (torch.randn(400, 28), agent.actor.draw(state, agent.rng).latent.detach()):
        a = agent.chunks.decode(replay, rows, z)
        by_action = agent.values(agent.critic(torch.cat([state, a], dim=1))).mean(dim=0)
        by_latent = agent.values(agent.latent_critic(torch.cat([state, z], dim=1))).mean(dim=0)
        both = np.stack([by_action.detach().numpy(), by_latent.detach().numpy()])
        assert np.corrcoef(both)[0, 1] > 0.8
        assert np.abs(both[0] - both[1]).mean() < 0.1


def test_edits_reach_what_no_noise_reaches():
    toy = SteeringToy(horizon=1, reach=0.1, graded=True, needed=6)
    ceiling = np.mean(
        [
            toy.run(10**6 + k, lambda f, r, s, c: 50 * toy.best_noise(toy.side(s))).score
            for k in range(40)
        ]
    )
    learner = trained(EDIT, toy, episodes=40)
    assert mean_score(toy, learner.actor_snapshot()) > ceiling + 0.4


def test_edits_stay_within_their_bound_and_leave_constants_alone():
    toy = SteeringToy()
    learner = Learner(replace(EDIT, edit_bound=0.5), toy.spec, 0, decode=toy.decode)
    for k in range(12):
        episode = toy.play(k, lambda f, r, s, c: _frozen_gripper(prior_noise(s, c, 4)))
        learner.observe_episode(episode, episode.label)
    learner.update(30)
    actor = learner.actor_snapshot()
    scale = actor.weights["actions.scale"]
    assert (scale.reshape(4, 7)[:, 6] == 0).all()
    changed = 0
    for k in range(40):
        w, actions = steered_chunk(toy.decode, actor, np.zeros(16, np.float32), 0.5, k, 0)
        edit = (actions - w).reshape(-1)
        assert np.all(np.abs(edit * scale) <= 0.5 + 1e-5)
        assert np.all(edit.reshape(4, 7)[:, 6] == 0)
        changed += bool(np.abs(edit).max() > 0)
    assert 0 < changed < 40  # edited and unedited chunks are both among the choices


def _frozen_gripper(w):
    actions = w.copy()
    actions[:, 6] = 0.25
    return w, actions


def test_an_edit_actor_survives_its_file_and_repeats_itself(tmp_path: Path):
    toy = SteeringToy()
    learner = trained(EDIT, toy, episodes=11)
    actor = learner.actor_snapshot()
    sha256 = actor.save(tmp_path / "actor.safetensors")
    again = load_actor(tmp_path / "actor.safetensors", sha256, "toy")
    features = np.ones(16, np.float32)
    for one, other in zip(
        steered_chunk(toy.decode, actor, features, 0.5, 3, 1),
        steered_chunk(toy.decode, again, features, 0.5, 3, 1),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(CheckpointError, match="longer chunks"):
        steered_chunk(lambda f, w: w[:, :2], replace(again, horizon=4), features, 0.5, 3, 1)


def test_algorithms_that_decode_refuse_to_start_without_the_policy():
    for config in (NA, EDIT):
        with pytest.raises(LearnerError, match="policy"):
            Learner(config, SteeringToy().spec, 0)


def test_best_of_n_needs_a_latent_critic():
    with pytest.raises(ConfigError, match="critic"):
        replace(EDIT, acting=Acting.BEST_OF_PRIOR)


@pytest.mark.parametrize("config", [SAC, NA, EDIT], ids=["sac", "noise_aliased", "edit"])
def test_the_first_updates_neither_move_far_nor_pay_for_entropy(config: DsrlConfig):
    """No early dip: the price of a nat is small and the divergence keeps to its budget."""
    toy = SteeringToy()
    learner = Learner(config, toy.spec, 0, decode=toy.decode)
    for k in range(10):
        episode = played(toy, learner.actor_snapshot(), k)
        learner.observe_episode(episode, episode.label)
    previous = 0.0
    for _ in range(6):
        learner.update(40)
        last = learner.last
        assert last.alpha <= config.alpha_init * 1.5
        assert last.kl <= 1.5 * config.kl_budget
        assert 0.0 <= last.q_mean <= 1.0  # no bonus lifts values out of the range of scores
        previous = max(previous, last.kl)
    assert previous > 0.01  # it does move
