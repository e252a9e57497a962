# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Deterministic DDIM (Song et al. 2021, eq. 12 with eta = 0) over any table of signal powers.

A policy that was trained for the ancestral sampler keeps its network: only the sampler's own noise
goes, which leaves the map from the first noise to the chunk that steering needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from roboreward_ros.errors import ConfigError


class Predicts(StrEnum):
    """What a denoiser predicts."""

    EPSILON = "epsilon"
    SAMPLE = "sample"


class Betas(StrEnum):
    """Noise schedules by the names they are saved under; VP has betas from 0.1/T to 10/T."""

    COSINE = "squaredcos_cap_v2"
    LINEAR = "linear"
    SCALED_LINEAR = "scaled_linear"
    VP = "vp"


def alpha_bars(kind: Betas, steps: int, first: float, last: float) -> Tensor:
    """Signal powers abar_t ``[steps]`` float32.

    Args:
        kind: COSINE and VP ignore ``first`` and ``last``.
        steps: T.
        first: beta of the first step.
        last: beta of the last step.
    """
    if kind is Betas.COSINE:

        def signal(u: float) -> float:
            return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2

        table = [min(1 - signal((t + 1) / steps) / signal(t / steps), 0.999) for t in range(steps)]
        betas = torch.tensor(table, dtype=torch.float32)
    elif kind is Betas.VP:
        t = torch.arange(1, steps + 1, dtype=torch.float32)
        betas = 1 - torch.exp(-0.1 / steps - 0.5 * (10.0 - 0.1) * (2 * t - 1) / steps**2)
    elif kind is Betas.LINEAR:
        betas = torch.linspace(first, last, steps, dtype=torch.float32)
    else:
        betas = torch.linspace(first**0.5, last**0.5, steps, dtype=torch.float32) ** 2
    return torch.cumprod(1.0 - betas, dim=0)


@dataclass(frozen=True, slots=True)
class Ddim:
    """The chain from noise to chunk.

    Attributes:
        powers: abar of every training step ``[T]``.
        steps: training steps that are visited, falling; the noise enters at the first.
        predicts: what the network predicts.
        clip: bound on the predicted clean chunk; 0: none.
        consistent: after clipping, derive eps anew from the clipped chunk.
    """

    powers: Tensor
    steps: tuple[int, ...]
    predicts: Predicts
    clip: float = 0.0
    consistent: bool = False

    @classmethod
    def leading(
        cls,
        powers: Tensor,
        count: int,
        predicts: Predicts,
        clip: float = 0.0,
        consistent: bool = False,
    ) -> Ddim:
        """``count`` steps at multiples of T // count, from the highest down to 0.

        Raises:
            ConfigError: more steps than there are.
        """
        if not 1 <= count <= len(powers):
            raise ConfigError("steps of the sampler", got=count, allowed=f"1..{len(powers)}")
        stride = len(powers) // count
        steps = tuple(index * stride for index in reversed(range(count)))
        return cls(powers, steps, predicts, clip, consistent)

    def sample(self, predict: Callable[[Tensor, int], Tensor], noise: Tensor) -> Tensor:
        """The chunk that ``noise`` decodes to; ``predict`` takes (noisy chunk, training step)."""
        x = noise
        for index, step in enumerate(self.steps):
            power = float(self.powers[step])
            after = float(self.powers[self.steps[index + 1]]) if step != self.steps[-1] else 1.0
            signal, sigma = math.sqrt(power), math.sqrt(1 - power)
            output = predict(x, step)
            if self.predicts is Predicts.EPSILON:
                eps, clean = output, (x - sigma * output) / signal
            else:
                eps, clean = (x - signal * output) / sigma, output
            if self.clip > 0:
                clean = clean.clamp(-self.clip, self.clip)
                if self.consistent:
                    eps = (x - signal * clean) / sigma
            x = math.sqrt(after) * clean + math.sqrt(1 - after) * eps
        return x
