# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from roboreward_ros.dsrl.actor_network import kl_to_prior
from roboreward_ros.dsrl.agent import Batch
from roboreward_ros.dsrl.checkpoint import load_learner, save_learner
from roboreward_ros.dsrl.config import Backup, Combine, DsrlConfig, RewardForm
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.dsrl.shaping import value_bounds
from roboreward_ros.errors import CheckpointError, LearnerError
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.testing.steering_toy import Choose, SteeringToy, ToyEpisode, rubric

TOY = SteeringToy()
SMALL = DsrlConfig(
    hidden=(32, 32), ensemble=2, batch_size=32, warmup_episodes=3, warmup_updates=20,
    updates_per_episode=10, critic_only_updates=5,
)  # fmt: skip


def prior(features, remaining, seed, chunk):
    return prior_noise(seed, chunk, 4)


def success(choose: Choose, n: int = 60) -> float:
    return float(np.mean([TOY.run(10**6 + k, choose).score == 5 for k in range(n)]))


def fed(config: DsrlConfig = SMALL, episodes: int = 6, seed: int = 0) -> Learner:
    learner = Learner(config, TOY.spec, seed)
    for k in range(episodes):
        episode = TOY.run(k, prior)
        learner.observe_episode(episode, episode.label)
    return learner


def targets(learner: Learner, rows) -> torch.Tensor:
    sac = learner.sac
    return sac.targets(Batch.of(learner.replay, sac.states(learner.replay), rows))


def weights(learner: Learner) -> bytes:
    return replace(learner.actor_snapshot(), version=0).to_bytes()


def test_steering_learns_the_known_noise_and_beats_the_prior():
    config = DsrlConfig(
        hidden=(64, 64), ensemble=2, batch_size=64, updates_per_episode=30, actor_lr=1e-3,
        critic_lr=1e-3,
    )  # fmt: skip
    learner = Learner(config, TOY.spec, 0)
    for index in range(50):
        actor = learner.actor_snapshot()
        episode = TOY.run(index, actor.steer, actor.version)
        learner.observe_episode(episode, episode.label)
        learner.update()
    base = success(prior)
    assert base < 0.4
    assert success(learner.actor_snapshot().steer) > base + 0.4


def test_the_quota_depends_on_episodes_alone():
    learner = Learner(SMALL, TOY.spec)
    owed = []
    for k in range(5):
        episode = TOY.run(k, prior)
        learner.observe_episode(episode, episode.label)
        learner.observe_episode(episode, episode.label)  # the same again owes nothing
        owed.append(learner.owed)
    assert owed == [0, 0, 30, 40, 50]
    assert learner.update(15) == 15
    assert learner.update() == 35
    assert learner.update() == 0
    assert learner.metrics().grad_steps == 50


def test_unlabelled_episodes_do_not_end_the_warm_up_until_their_labels_come():
    learner = Learner(SMALL, TOY.spec)
    for k in range(5):
        learner.observe_episode(TOY.run(k, prior), None)
    assert learner.update() == 0
    assert learner.actor_snapshot().version == 0
    for k in range(3):
        learner.relabel(f"ep_{k:06d}", rubric(3))
    assert learner.owed == 30
    with pytest.raises(LearnerError, match="not observed"):
        learner.relabel("ep_999999", rubric(3))


def test_each_critic_learns_from_its_own_share_of_the_episodes():
    learner = fed(replace(SMALL, ensemble=5, bootstrap=0.5), episodes=40)
    per_episode = learner.replay.members[[e.start for e in learner.replay.episodes.values()]]
    assert np.all(per_episode.sum(axis=1) >= 1)
    assert np.all(np.abs(per_episode.mean(axis=0) - 0.5) < 0.3)
    assert len(np.unique(per_episode, axis=0)) > 10
    assert fed(replace(SMALL, bootstrap=1.0)).replay.members[:6].all()


def test_an_unlabelled_end_teaches_nothing():
    learner = fed()
    hidden = TOY.run(50, prior)
    learner.observe_episode(hidden, None)
    stored = learner.replay.episodes["ep_000050"]
    rows = set(learner.replay.trainable_rows().tolist())
    assert stored.start + stored.rows - 1 not in rows
    assert stored.start in rows


def test_an_episode_of_another_policy_is_refused():
    learner = Learner(SMALL, replace(TOY.spec, policy_id="other"))
    with pytest.raises(LearnerError, match="another policy"):
        learner.observe_episode(TOY.run(0, prior), None)


def test_versions_count_changes_of_the_actor():
    learner = fed()
    assert learner.actor_snapshot().version == 0
    learner.update(10)
    assert learner.actor_snapshot().version == 1
    assert learner.actor_snapshot().version == 1
    learner.update(1)
    assert learner.actor_snapshot().version == 2


def test_the_actor_is_the_prior_while_only_critics_train():
    learner = fed()
    learner.update(5)
    w0 = prior_noise(1, 1, 4)
    features = np.ones(TOY.spec.feature_dim, np.float32)
    np.testing.assert_array_equal(learner.actor_snapshot().choose(features, 0.5, w0), w0)
    learner.update(5)
    assert not np.array_equal(learner.actor_snapshot().choose(features, 0.5, w0), w0)


@pytest.mark.parametrize("form", [RewardForm.TERMINAL_SCORE, RewardForm.STEP_COST])
@pytest.mark.parametrize("backup", list(Backup))
@pytest.mark.parametrize("how", list(Combine))
@pytest.mark.parametrize("bounded", [True, False])
def test_targets_stay_within_the_range_of_possible_returns(form, backup, how, bounded):
    config = replace(
        SMALL, reward=form, backup=backup, target_combine=how, bounded=bounded, alpha_init=5.0
    )
    learner = fed(config)
    with torch.no_grad():  # a critic that lies as far as it can
        learner.sac.target.head_bias.fill_(30.0)
        learner.sac.actor.head_bias.fill_(2.0)
    low, high = value_bounds(config)
    for sign in (1, -1):
        with torch.no_grad():
            learner.sac.target.head_bias.mul_(sign)
        y = targets(learner, learner.replay.trainable_rows())
        assert bool(torch.isfinite(y).all())
        assert float(y.min()) >= low
        assert float(y.max()) <= high


def test_a_terminal_target_is_the_reward_itself():
    learner = fed(replace(SMALL, monte_carlo=0.0))
    stored = learner.replay.episodes["ep_000000"]
    row = np.array([stored.start + stored.rows - 1])
    y = targets(learner, row)
    assert float(y) == pytest.approx((TOY.run(0, prior).score - 1) / 4)


def test_the_divergence_is_zero_at_the_prior_and_exact_elsewhere():
    zeros = torch.zeros(1, 3)
    assert float(kl_to_prior(zeros, zeros)) == 0.0
    mean, std = torch.tensor([[1.0, -2.0, 0.5]]), torch.tensor([[0.5, 1.5, 1.0]])
    want = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, std), torch.distributions.Normal(0.0, 1.0)
    ).sum()
    assert float(kl_to_prior(mean, std.log())) == pytest.approx(float(want), rel=1e-6)


def test_the_actor_keeps_to_its_divergence_budget():
    config = replace(SMALL, kl_budget=3.0, warmup_updates=250, actor_lr=3e-3, alpha_lr=0.03)
    learner = fed(config, episodes=3)
    learner.update(210)
    learner.update(50)
    assert learner.last.kl == pytest.approx(3.0, abs=0.7)


def test_a_run_is_the_same_however_its_quota_is_divided():
    config = replace(SMALL, critic_only_updates=20)
    one, many = fed(config), fed(config)
    one.update()
    while many.update(7):
        pass
    assert weights(one) == weights(many)
    assert weights(one) != weights(_updated(fed(config, seed=1)))


def _updated(learner: Learner) -> Learner:
    learner.update()
    return learner


def test_a_resumed_learner_equals_one_that_was_never_stopped(tmp_path: Path):
    path = tmp_path / "checkpoints" / "learner.safetensors"

    def more(learner: Learner) -> bytes:
        learner.relabel("ep_000001", rubric(1))
        for k in range(6, 9):
            episode: ToyEpisode = TOY.run(k, learner.actor_snapshot().steer)
            learner.observe_episode(episode, episode.label if k != 7 else None)
            learner.update()
        return learner.actor_snapshot().to_bytes()

    learner = _updated(fed())
    learner.actor_snapshot()
    save_learner(learner, path)
    resumed = load_learner(path, TOY.spec)
    assert resumed.metrics() == learner.metrics()
    assert more(resumed) == more(learner)
    save_learner(resumed, path)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_fresh_learner_can_be_saved_too(tmp_path: Path):
    path = tmp_path / "learner.safetensors"
    save_learner(Learner(SMALL, TOY.spec), path)
    resumed = load_learner(path, TOY.spec)
    assert resumed.metrics() == Learner(SMALL, TOY.spec).metrics()


def test_wrong_checkpoints_are_refused(tmp_path: Path):
    path = tmp_path / "learner.safetensors"
    with pytest.raises(CheckpointError, match="no such"):
        load_learner(path, TOY.spec)
    save_learner(fed(), path)
    with pytest.raises(CheckpointError, match="another policy"):
        load_learner(path, replace(TOY.spec, policy_id="other"))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="not a learner"):
        load_learner(path, TOY.spec)
