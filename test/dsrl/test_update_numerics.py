# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One update against an independent step, written from the equations alone in plain float64 torch.

Same weights, same batch, same draws (read off a copy of the generator); nothing of ``dsrl`` takes
part in the reference computation.
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from roboreward_ros.dsrl.agent import Agent, Batch
from roboreward_ros.dsrl.config import (
    Activation,
    ActorForm,
    Backup,
    Combine,
    CriticForm,
    DsrlConfig,
)
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.testing.steering_toy import SteeringToy

TOY = SteeringToy()
REFERENCE = DsrlConfig(
    actor=ActorForm.SQUASHED, backup=Backup.SOFT, target_combine=Combine.MIN,
    actor_combine=Combine.MIN, monte_carlo=0.0, gamma=0.99, hidden=(24, 24, 24),
    activation=Activation.TANH, ensemble=2, bounded=False, clip_targets=False, critic_lr=3e-4,
    actor_lr=3e-4, alpha_lr=3e-4, alpha_init=1.0, magnitude=1.5, tau=0.005, batch_size=32,
    warmup_episodes=3, warmup_updates=0, updates_per_episode=1, critic_only_updates=0,
    time_input=False, distil_every=1, distil_updates=1, distil_actor_share=0.0,
)  # fmt: skip
OURS = replace(
    REFERENCE, actor=ActorForm.RESIDUAL, backup=Backup.CAPPED, alpha_cap=0.3, magnitude=1.0,
    target_combine=Combine.MEAN, actor_combine=Combine.PESSIMISTIC, bounded=True,
    clip_targets=True, monte_carlo=0.5, activation=Activation.SILU, kl_budget=5.0,
)  # fmt: skip


def prior(features, remaining, seed, chunk):
    return np.clip(prior_noise(seed, chunk, 4), -1.5, 1.5)


def ready(config: DsrlConfig) -> Learner:
    learner = Learner(config, TOY.spec, 0, decode=TOY.decode)
    for k in range(4):
        episode = TOY.run(k, prior)
        learner.observe_episode(episode, episode.label)
    with torch.no_grad():  # an actor that is somewhere, so that every term counts
        rng = torch.Generator().manual_seed(5)
        learner.sac.actor.head_weight.normal_(0, 0.05, generator=rng)
    return learner


class Net:
    """Linear, LayerNorm (eps 1e-5), activation; a linear head."""

    def __init__(self, module: torch.nn.Module, act: Activation) -> None:
        self.p = {
            k: v.detach().double().clone().requires_grad_() for k, v in module.named_parameters()
        }
        self.act = {Activation.TANH: torch.tanh, Activation.SILU: lambda x: x * torch.sigmoid(x)}[
            act
        ]

    def __call__(self, x: Tensor) -> Tensor:
        layer = 0
        while f"weight.{layer}" in self.p:
            x = x @ self.p[f"weight.{layer}"] + self.p[f"bias.{layer}"]
            mean = x.mean(-1, keepdim=True)
            var = ((x - mean) ** 2).mean(-1, keepdim=True)
            x = (x - mean) / torch.sqrt(var + 1e-5)
            x = self.act(x * self.p[f"gain.{layer}"] + self.p[f"shift.{layer}"])
            layer += 1
        return x @ self.p["head_weight"] + self.p["head_bias"]

    def step(self, loss: Tensor, lr: float) -> None:
        """Adam's first step from zero moments."""
        names = list(self.p)
        for name, g in zip(names, torch.autograd.grad(loss, list(self.p.values())), strict=True):
            m_hat, v_hat = g, g * g
            new = self.p[name] - lr * m_hat / (torch.sqrt(v_hat) + 1e-8)
            self.p[name] = new.detach().requires_grad_()


class Reference:
    """The equations, in the order of the algorithm."""

    def __init__(self, agent: Agent) -> None:
        c = agent.config
        self.c = c
        self.actor = Net(agent.actor, c.activation)
        self.critic = Net(agent.critic, c.activation)
        self.target = Net(agent.target, c.activation)
        self.alpha = torch.tensor(c.alpha_init, dtype=torch.float64)
        self.rng = torch.Generator()
        self.rng.set_state(agent.rng.get_state())

    def latent(self, s: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = self.actor(s).chunk(2, -1)
        z0 = torch.randn(mean.shape, generator=self.rng).double()
        if self.c.actor is ActorForm.SQUASHED:
            std = torch.exp(log_std.clamp(-20, 2))
            u = mean + std * z0
            log_n = torch.distributions.Normal(mean, std).log_prob(u).sum(-1)
            m = self.c.magnitude
            return m * torch.tanh(u), log_n - torch.log(m * (1 - torch.tanh(u) ** 2)).sum(-1)
        mean = self.c.mean_bound * torch.tanh(mean / self.c.mean_bound)
        std = torch.exp(self.c.log_std_bound * torch.tanh(log_std / self.c.log_std_bound))
        kl = torch.distributions.kl_divergence(
            torch.distributions.Normal(mean, std), torch.distributions.Normal(0.0, 1.0)
        )
        return mean + std * z0, kl.sum(-1)

    def q(self, net: Net, s: Tensor, a: Tensor, how: Combine) -> Tensor:
        q = self.squash(net(torch.cat([s, a], -1)).squeeze(-1))
        if how is Combine.MIN:
            return q.min(0).values
        spread = q.std(0) if how is Combine.PESSIMISTIC else 0.0
        return q.mean(0) - self.c.pessimism * spread

    def squash(self, raw: Tensor) -> Tensor:
        return torch.sigmoid(raw) if self.c.bounded else raw  # returns lie in [0, 1]

    def y(self, b: Batch, value: Tensor, price: Tensor) -> Tensor:
        alpha = min(self.alpha, torch.tensor(0.3)) if self.c.backup is Backup.CAPPED else self.alpha
        y = b.reward.double() + self.c.gamma * b.mask.double() * (value - alpha * price)
        if self.c.monte_carlo:
            g = b.returns.double()
            y = torch.where(g.isnan(), y, 0.5 * y + 0.5 * g)
        return y.clamp(0, 1) if self.c.clip_targets else y

    def regress(self, net: Net, s: Tensor, a: Tensor, y: Tensor) -> None:
        raw = net(torch.cat([s, a], -1)).squeeze(-1)
        if self.c.bounded:
            q = torch.sigmoid(raw)
            loss = -(y * torch.log(q) + (1 - y) * torch.log(1 - q)).mean(1).sum()
        else:
            loss = 0.5 * ((raw - y) ** 2).mean(1).sum()
        net.step(loss, self.c.critic_lr)

    def improve(self, critic: Net, s: Tensor) -> None:
        w, price = self.latent(s)
        loss = (self.alpha * price - self.q(critic, s, w, self.c.actor_combine)).mean()
        mean_price = price.mean().detach()
        self.actor.step(loss, self.c.actor_lr)
        budget = -self.c.target_entropy
        if self.c.actor is ActorForm.RESIDUAL:
            budget = self.c.kl_budget
        # Adam's first step moves by lr against the gradient's sign, whatever its size.
        g = budget - mean_price
        self.alpha = torch.exp(torch.log(self.alpha) - self.c.alpha_lr * g / (g.abs() + 1e-8))

    def polyak(self) -> None:
        for name, old in self.target.p.items():
            self.target.p[name] = (1 - self.c.tau) * old + self.c.tau * self.critic.p[name]


def assert_equal(agent: Agent, ref: Reference, **nets: Net) -> None:
    pairs = {"actor": ref.actor, "critic": ref.critic, "target": ref.target, **nets}
    for part, net in pairs.items():
        for name, value in agent.modules()[part].named_parameters():
            want = net.p[name].detach()
            worst = float((value.detach().double() - want).abs().max())
            assert worst < 1e-5, f"{part}.{name} is off by {worst}"
    assert math.exp(float(agent.log_alpha.detach())) == pytest.approx(float(ref.alpha), abs=1e-5)


@pytest.mark.parametrize("config", [REFERENCE, OURS], ids=["reference", "ours"])
def test_one_sac_update_equals_an_independent_step(config: DsrlConfig):
    learner = ready(config)
    agent, replay = learner.sac, learner.replay
    rows = replay.sample(np.random.default_rng(1), config.batch_size)
    batch = Batch.of(replay, agent.states(replay), rows)
    before = copy.deepcopy(dict(agent.critic.named_parameters()))
    ref = Reference(agent)

    s, s2, w = batch.state.double(), batch.following.double(), batch.noise.double()
    with torch.no_grad():
        w2, price = ref.latent(s2)
        y = ref.y(batch, ref.q(ref.target, s2, w2, config.target_combine), price)
    ref.regress(ref.critic, s, w, y)
    ref.improve(ref.critic, s)
    ref.polyak()

    agent.step(batch, replay, measure=False)
    assert_equal(agent, ref)
    moved = [(v - before[k]).abs().max() for k, v in agent.critic.named_parameters()]
    assert min(moved) > 1e-4  # every tensor took part


@pytest.mark.parametrize("config", [REFERENCE, OURS], ids=["reference", "ours"])
def test_one_noise_aliased_update_equals_an_independent_step(config: DsrlConfig):
    config = replace(config, critic=CriticForm.ALIASED)
    learner = ready(config)
    agent, replay = learner.sac, learner.replay
    states = agent.states(replay)
    batch = Batch.of(replay, states, replay.sample(np.random.default_rng(1), config.batch_size))
    fresh = Batch.of(replay, states, replay.sample(np.random.default_rng(2), config.batch_size))
    ref = Reference(agent)
    latent = Net(agent.modules()["latent_critic"], config.activation)
    mean, scale = agent.vectors()["action_mean"], agent.vectors()["action_scale"]

    def decode(w: Tensor) -> Tensor:  # the toy's policy is the identity
        return ((w.float() - mean) * scale).double()

    s, s2, a = batch.state.double(), batch.following.double(), decode(batch.noise)
    with torch.no_grad():
        w2, price = ref.latent(s2)
        y = ref.y(batch, ref.q(ref.target, s2, decode(w2), config.target_combine), price)
    ref.regress(ref.critic, s, a, y)
    ref.improve(latent, s)
    ref.polyak()
    z = torch.randn(config.batch_size, 28, generator=ref.rng).double()
    with torch.no_grad():
        goal = ref.squash(ref.critic(torch.cat([fresh.state.double(), decode(z)], -1)).squeeze(-1))
    ref.regress(latent, fresh.state.double(), z, goal)

    agent.step(batch, replay, measure=False)
    agent.distil(fresh, replay)
    assert_equal(agent, ref, latent_critic=latent)
