# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What PPO trains: every denoising step as an action (DPPO), or the noise of the frozen policy.

A decision is a walk of S Gaussian steps. On the denoising chain (arXiv 2409.00588, section 4) these
are the sampler's own steps with its stochastic variant's spread (eta = 1 in Song et al. 2021,
equation 16), at least ``min_std``; over the noise there is one, from nothing to w.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from roboreward_ros.studies.lrm.config import PpoConfig
from roboreward_ros.studies.lrm.lanes import STATE_DIM
from roboreward_ros.studies.lrm.policy import BasePolicy, Denoiser


@dataclass(frozen=True, slots=True)
class Walk:
    """How a batch of decisions came about.

    Attributes:
        points: ``[B, S + 1, D]``, normalised; the first is where the walk starts.
        log_prob: of each step ``[B, S]``.
        chunk: normalised actions ``[B, D]`` that are executed.
    """

    points: Tensor
    log_prob: Tensor
    chunk: Tensor


class Actor(Protocol):
    """A policy that PPO can train. All states are unit states ``[B, STATE_DIM]``."""

    @property
    def module(self) -> nn.Module:
        """What is trained."""

    @property
    def steps(self) -> int:
        """S of a decision."""

    @property
    def learning_rate(self) -> float:
        """Of its optimiser."""

    def walk(self, states: Tensor, rng: torch.Generator) -> Walk:
        """Explore."""

    def judge(self, states: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probability ``[B, S]`` of walks and KL(actor || start) ``[B, S]`` along them."""

    def deploy(self, states: Tensor, noise: Tensor) -> Tensor:
        """The chunk ``[B, D]`` that is executed after training, given w ~ N(0, I) ``[B, D]``."""


class ChainActor:
    """The denoiser itself is trained.

    Args:
        base: start and anchor.
        config: spread while exploring.
    """

    def __init__(self, base: BasePolicy, config: PpoConfig) -> None:
        self._base = base
        self.learning_rate = config.learning_rate
        self._network: Denoiser = copy.deepcopy(base.network).requires_grad_(True)
        sampler = base.sampler
        powers = [float(sampler.alpha_bar[step]) for step in sampler.steps] + [1.0]
        self._signal = [math.sqrt(power) for power in powers]
        self._sigma = [math.sqrt(1 - power) for power in powers]
        self._std = [self._spread(index, config.min_std) for index in range(self.steps)]

    @property
    def module(self) -> nn.Module:
        return self._network

    @property
    def steps(self) -> int:
        return len(self._base.sampler.steps)

    @torch.no_grad()
    def walk(self, states: Tensor, rng: torch.Generator) -> Walk:
        x = torch.randn((len(states), self._base.chunk_dim), generator=rng)
        points, log_prob = [x], []
        for index in range(self.steps):
            mean = self._mean(self._network, states, x, index)
            x = mean + self._std[index] * torch.randn(mean.shape, generator=rng)
            points.append(x)
            log_prob.append(_log_prob(x, mean, self._std[index]))
        return Walk(torch.stack(points, 1), torch.stack(log_prob, 1), x)

    def judge(self, states: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        log_prob, apart = [], []
        for index in range(self.steps):
            mean = self._mean(self._network, states, points[:, index], index)
            with torch.no_grad():
                anchor = self._mean(self._base.network, states, points[:, index], index)
            std = self._std[index]
            log_prob.append(_log_prob(points[:, index + 1], mean, std))
            apart.append(((mean - anchor) / std).square().sum(1) / 2)
        return torch.stack(log_prob, 1), torch.stack(apart, 1)

    @torch.no_grad()
    def deploy(self, states: Tensor, noise: Tensor) -> Tensor:
        return self._base.decode(states, noise, self._network)

    def _mean(self, network: Denoiser, states: Tensor, x: Tensor, index: int) -> Tensor:
        """Where step ``index`` leads on average ``[B, D]``."""
        signal, sigma = self._signal[index], self._sigma[index]
        times = self._base.times(self._base.sampler.steps[index], len(x))
        v: Tensor = network(x, times, states)
        clean, eps = signal * x - sigma * v, sigma * x + signal * v
        left = math.sqrt(max(self._sigma[index + 1] ** 2 - self._std[index] ** 2, 0.0))
        return self._signal[index + 1] * clean + left * eps

    def _spread(self, index: int, least: float) -> float:
        if index + 1 == self.steps:
            return least
        shrink = self._sigma[index + 1] / self._sigma[index]
        fresh = 1 - (self._signal[index] / self._signal[index + 1]) ** 2
        return max(shrink * math.sqrt(fresh), least)


class NoiseActor:
    """The policy stays frozen; a Gaussian over w is trained from the prior N(0, I) on.

    Args:
        base: frozen.
        config: initial spread.
    """

    def __init__(self, base: BasePolicy, config: PpoConfig) -> None:
        self._base = base
        self.learning_rate = config.noise_learning_rate
        self._network = _NoiseNetwork(base.chunk_dim, config.noise_std)

    @property
    def module(self) -> nn.Module:
        return self._network

    @property
    def steps(self) -> int:
        return 1

    @torch.no_grad()
    def walk(self, states: Tensor, rng: torch.Generator) -> Walk:
        draw = torch.randn((len(states), self._base.chunk_dim), generator=rng)
        mean, log_std = self._network(states)
        w = mean + log_std.exp() * draw
        points = torch.stack([torch.zeros_like(w), w], 1)
        log_prob, _ = self.judge(states, points)
        return Walk(points, log_prob, self._base.decode(states, w))

    def judge(self, states: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = self._network(states)
        unit = (points[:, 1] - mean) / log_std.exp()
        log_prob = -(0.5 * unit.square() + log_std + 0.5 * math.log(2 * math.pi)).sum(1)
        apart = 0.5 * ((2 * log_std).exp() + mean.square() - 1 - 2 * log_std).sum(1)
        return log_prob[:, None], apart[:, None]

    @torch.no_grad()
    def deploy(self, states: Tensor, noise: Tensor) -> Tensor:
        mean, log_std = self._network(states)
        return self._base.decode(states, mean + log_std.exp() * noise)


class _NoiseNetwork(nn.Module):
    """Mean and logarithm of the spread of w, both ``[B, D]``; the prior at first."""

    def __init__(self, chunk_dim: int, std: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(STATE_DIM, 128), nn.Tanh(), nn.Linear(128, 128), nn.Tanh()
        )
        self.mean = nn.Linear(128, chunk_dim)
        nn.init.zeros_(self.mean.weight)
        nn.init.zeros_(self.mean.bias)
        self.log_std = nn.Parameter(torch.full((chunk_dim,), math.log(std)))

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        mean: Tensor = self.mean(self.body(states))
        return mean, self.log_std.expand_as(mean)


def _log_prob(x: Tensor, mean: Tensor, std: float) -> Tensor:
    unit = (x - mean) / std
    constant = x.shape[1] * (math.log(std) + 0.5 * math.log(2 * math.pi))
    return -0.5 * unit.square().sum(1) - constant
