# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cosine schedule and deterministic DDIM (Nichol & Dhariwal 2021; Song et al. 2021, eta = 0).

The chain starts at the last training step, where almost nothing of the clean chunk is left, so
that noise w ~ N(0, I) is what the network saw there in training. ``v`` is the velocity target of
Salimans & Ho (2022): v = sqrt(abar) eps - sqrt(1 - abar) x0.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from roboreward_ros.policies.config import SamplerConfig

Predictor = Callable[[Tensor, int], Tensor]
"""(noisy chunk ``[B, D]``, training step t) -> prediction ``[B, D]``."""


def cosine_alpha_bar(steps: int) -> Tensor:
    """Cumulative signal power abar_t ``[steps]`` float32, falling, each beta at most 0.999."""

    def signal(u: float) -> float:
        return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2

    power, table = 1.0, []
    for step in range(steps):
        beta = min(1 - signal((step + 1) / steps) / signal(step / steps), 0.999)
        power *= 1 - beta
        table.append(power)
    return torch.tensor(table, dtype=torch.float32)


class DdimSampler:
    """Maps noise to chunks without any randomness of its own."""

    def __init__(self, config: SamplerConfig) -> None:
        self.config = config
        self.alpha_bar = cosine_alpha_bar(config.train_steps)
        stride = config.train_steps / config.sample_steps
        self.steps = tuple(
            round(config.train_steps - index * stride) - 1 for index in range(config.sample_steps)
        )
        powers = [float(self.alpha_bar[step]) for step in self.steps]
        self._signal = [math.sqrt(power) for power in powers] + [1.0]
        self._noise = [math.sqrt(1 - power) for power in powers] + [0.0]

    def corrupt(self, clean: Tensor, noise: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
        """Noisy chunk and training target at ``steps`` ``[B]``; all else ``[B, D]``."""
        power = self.alpha_bar[steps].unsqueeze(-1)
        signal, sigma = power.sqrt(), (1 - power).sqrt()
        noisy = signal * clean + sigma * noise
        if self.config.prediction == "v":
            return noisy, signal * noise - sigma * clean
        return noisy, noise

    def sample(self, predict: Predictor, noise: Tensor) -> Tensor:
        """The chunk that ``noise`` ``[B, D]`` decodes to, normalised units."""
        x = noise
        for index in range(len(self.steps)):
            x = self.step(predict, x, index)
        return x

    def step(self, predict: Predictor, x: Tensor, index: int, clip: bool = True) -> Tensor:
        """The chunk ``[B, D]`` after step ``index``, from the one before it.

        Args:
            predict: the network.
            x: noisy chunk.
            index: 0 takes the noise, the last gives the clean chunk.
            clip: bound the predicted clean chunk as configured; without it the step is smooth.
        """
        signal, sigma = self._signal[index], self._noise[index]
        output = predict(x, self.steps[index])
        if self.config.prediction == "v":
            clean = signal * x - sigma * output
            eps = sigma * x + signal * output
        else:
            eps = output
            clean = (x - sigma * eps) / signal
        if clip and self.config.clip_x0 > 0:
            clean = clean.clamp(-self.config.clip_x0, self.config.clip_x0)
            eps = (x - signal * clean) / sigma
        return self._signal[index + 1] * clean + self._noise[index + 1] * eps
