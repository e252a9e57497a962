# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""bfloat16 changes how the hidden layers multiply, and nothing that is kept."""

import numpy as np
import pytest
import torch

from roboreward_ros.dsrl.checkpoint import load_learner, save_learner
from roboreward_ros.dsrl.compute import Compute, Precision, bf16_path
from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.testing.steering_toy import SteeringToy

TOY = SteeringToy()
BF16 = Compute(precision=Precision.BF16)
CONFIG = DsrlConfig(
    hidden=(64, 64), ensemble=2, batch_size=64, updates_per_episode=30, actor_lr=1e-3,
    critic_lr=1e-3, warmup_episodes=4, warmup_updates=30, critic_only_updates=5,
)  # fmt: skip


def prior(features, remaining, seed, chunk):
    return prior_noise(seed, chunk, 4)


def fed(compute=None, episodes=5):
    learner = Learner(CONFIG, TOY.spec, 0, compute or Compute())
    for k in range(episodes):
        episode = TOY.run(k, prior)
        learner.observe_episode(episode, episode.label)
    return learner


def test_weights_moments_and_the_published_actor_stay_float32():
    learner = fed(BF16)
    learner.update(20)
    for module in learner.sac.modules().values():
        assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert all(value.dtype == np.float32 for value in learner.actor_snapshot().weights.values())


def test_the_copies_follow_their_weights():
    learner = fed(BF16)
    learner.update(21)
    trained = [c for c in learner.copies if c.masters[0].requires_grad]
    assert trained
    for copies in trained:
        for master, copy in zip(copies.masters, copies.copies, strict=True):
            assert copy.dtype == torch.bfloat16
            torch.testing.assert_close(copy, master.detach().to(torch.bfloat16))


def test_one_update_in_bfloat16_moves_the_weights_as_one_in_float32_does():
    plain, low = fed(), fed(BF16)
    before = {n: p.detach().clone() for n, p in plain.sac.critic.named_parameters()}
    plain.update(8)
    low.update(8)
    moved = torch.cat(
        [(p.detach() - before[n]).flatten() for n, p in plain.sac.critic.named_parameters()]
    )
    also = torch.cat(
        [(p.detach() - before[n]).flatten() for n, p in low.sac.critic.named_parameters()]
    )
    assert float(torch.cosine_similarity(moved, also, dim=0)) > 0.9
    assert float((moved - also).norm()) > 0, "it really computed in another precision"


def test_steering_learns_in_bfloat16_too():
    learner = Learner(CONFIG, TOY.spec, 0, BF16)
    for index in range(40):
        actor = learner.actor_snapshot()
        episode = TOY.run(index, actor.steer, actor.version)
        learner.observe_episode(episode, episode.label)
        learner.update()
    steer = learner.actor_snapshot().steer
    base = np.mean([TOY.run(10**6 + k, prior).score == 5 for k in range(60)])
    assert np.mean([TOY.run(10**6 + k, steer).score == 5 for k in range(60)]) > base + 0.4


def test_a_resume_in_bfloat16_equals_the_uninterrupted_run(tmp_path):
    path = tmp_path / "learner.safetensors"
    learner = fed(BF16)
    learner.update(13)
    save_learner(learner, path)
    resumed = load_learner(path, TOY.spec, BF16)
    learner.update(9)
    resumed.update(9)
    assert learner.actor_snapshot().to_bytes() == resumed.actor_snapshot().to_bytes()


def test_narrow_layers_stay_in_float32_by_themselves():
    auto = Compute(precision=Precision.AUTO)
    assert not auto.lowers(128)
    assert auto.lowers(2048) == bool(bf16_path())


def test_another_device_is_refused_by_name():
    with pytest.raises(ConfigError, match="cuda"):
        Compute("cuda")
