# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Proximal policy optimisation over walks of denoising steps: one update, top to bottom.

Schulman et al. 2017, equation 7, with GAE (2016, equation 16) over decisions; all steps of a walk
share their decision's advantage, the earlier the less (DPPO, arXiv 2409.00588, equation 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.studies.lrm.actors import Actor
from roboreward_ros.studies.lrm.config import PpoConfig
from roboreward_ros.studies.lrm.lanes import STATE_DIM
from roboreward_ros.types import FloatArray


class Critic(nn.Module):
    """Value ``[...]`` of unit states ``[..., STATE_DIM]`` and the share of time left ``[...]``."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(STATE_DIM + 1, 128), nn.Tanh(), nn.Linear(128, 128), nn.Tanh(),
            nn.Linear(128, 1),
        )  # fmt: skip

    def forward(self, states: Tensor, left: Tensor) -> Tensor:
        value: Tensor = self.body(torch.cat([states, left[..., None]], -1)).squeeze(-1)
        return value


@dataclass(frozen=True, slots=True)
class Experience:
    """T decisions of N episodes.

    Attributes:
        states: unit states ``[T, N, STATE_DIM]``.
        left: share of time left ``[T, N]``.
        points: walks ``[T, N, S + 1, D]``.
        log_prob: when they were drawn ``[T, N, S]``.
        rewards: ``[T, N]``.
        live: whether the decision was executed ``[T, N]``.
    """

    states: Tensor
    left: Tensor
    points: Tensor
    log_prob: Tensor
    rewards: FloatArray
    live: FloatArray


@dataclass(frozen=True, slots=True)
class UpdateFigures:
    """Of one update: mean KL to the start per walk, share of clipped steps, value loss."""

    kl: float
    clipped: float
    value_loss: float


class Ppo:
    """Actor, critic and their optimisers.

    Args:
        actor: trained in place.
        config: of the update.
        seed: of the critic's start and of the minibatches.
    """

    def __init__(self, actor: Actor, config: PpoConfig, seed: int) -> None:
        self.actor = actor
        self._config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.critic = Critic()
        self._rng = torch.Generator().manual_seed(seed)
        self._actor_optimiser = torch.optim.Adam(
            actor.module.parameters(), actor.learning_rate, fused=True
        )
        self._critic_optimiser = torch.optim.Adam(
            self.critic.parameters(), config.value_learning_rate, fused=True
        )

    def update(self, seen: Experience) -> UpdateFigures:
        """One iteration's data, ``epochs`` times."""
        config = self._config
        with torch.no_grad():
            values = self.critic(seen.states, seen.left).numpy().astype(np.float64)
        advantage, returns = advantages(seen.rewards, values, seen.live, config)
        rows = np.flatnonzero(seen.live.reshape(-1) > 0)
        flat = advantage.reshape(-1)[rows]
        flat = (flat - flat.mean()) / (flat.std() + 1e-8)
        A = torch.from_numpy(flat.astype(np.float32))
        G = torch.from_numpy(returns.reshape(-1)[rows].astype(np.float32))
        states, left = seen.states.flatten(0, 1)[rows], seen.left.flatten()[rows]
        points, old = seen.points.flatten(0, 1)[rows], seen.log_prob.flatten(0, 1)[rows]
        S = self.actor.steps
        weight = config.denoising_discount ** torch.arange(S - 1, -1, -1, dtype=torch.float32)
        figures = []
        for _ in range(config.epochs):
            order = torch.randperm(len(rows), generator=self._rng)
            for part in torch.split(order, config.minibatch):
                log_prob, kl = self.actor.judge(states[part], points[part])
                ratio = (log_prob - old[part]).exp()
                gain = A[part, None] * weight
                bounded = ratio.clamp(1 - config.clip, 1 + config.clip)
                surrogate = torch.minimum(ratio * gain, bounded * gain)
                loss = config.kl_beta * kl.mean() - surrogate.mean()
                self._step(self._actor_optimiser, loss, self.actor.module)
                miss = functional.mse_loss(self.critic(states[part], left[part]), G[part])
                self._step(self._critic_optimiser, miss, self.critic)
                beyond = (ratio != bounded).float().mean()
                figures.append(torch.stack([kl.detach().sum(1).mean(), beyond, miss.detach()]))
        kl_mean, clipped, value_loss = torch.stack(figures).mean(0).tolist()
        return UpdateFigures(kl_mean, clipped, value_loss)

    def _step(self, optimiser: torch.optim.Optimizer, loss: Tensor, module: nn.Module) -> None:
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), self._config.max_grad_norm)
        optimiser.step()


def advantages(
    rewards: FloatArray, values: FloatArray, live: FloatArray, config: PpoConfig
) -> tuple[FloatArray, FloatArray]:
    """GAE advantages and returns ``[T, N]``; the episode's end is terminal.

    Time left is part of the critic's input, so the limit is a true end. Decisions that were not
    executed have no value to estimate: what they pay, discounted, belongs to the last one that was.

    Args:
        rewards: ``[T, N]``.
        values: the critic's ``[T, N]``.
        live: 1 where the decision was executed ``[T, N]``; a prefix of each episode.
        config: discounts.
    """
    T = len(rewards)
    advantage, following = np.zeros_like(values), np.zeros(values.shape[1])
    ahead = np.zeros(values.shape[1])  # value of what comes after the present decision
    for t in range(T - 1, -1, -1):
        step = rewards[t] + config.gamma * ahead
        delta = step - values[t]
        estimate = delta + config.gamma * config.gae_lambda * following
        on = live[t] > 0
        advantage[t] = np.where(on, estimate, 0.0)
        following = advantage[t]
        ahead = np.where(on, values[t], step)
    return advantage, advantage + values
