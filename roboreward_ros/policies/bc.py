# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Behaviour cloning of a diffusion policy: one loop, readable from top to bottom.

Deterministic under a seed on one thread. What is returned are the averaged (EMA) weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.checkpoint import Checkpoint, PolicyDescription, make_checkpoint
from roboreward_ros.policies.config import NetworkConfig, SamplerConfig, TrainConfig
from roboreward_ros.policies.dataset import Demonstrations
from roboreward_ros.policies.network import PolicyNetwork
from roboreward_ros.policies.normalise import Statistics
from roboreward_ros.policies.sampler import DdimSampler
from roboreward_ros.policies.text import Vocabulary

SURROUNDINGS = 0.8  # m from the base, each axis


@dataclass(frozen=True, slots=True)
class TrainProgress:
    """State of a running training.

    Attributes:
        step: optimiser steps done.
        steps: optimiser steps in all.
        loss: denoising loss, running mean (normalised units, squared).
        position_error: root mean square error of the position head, metres; NaN without one.
    """

    step: int
    steps: int
    loss: float
    position_error: float


def describe(
    data: Demonstrations, network: NetworkConfig, sampler: SamplerConfig
) -> PolicyDescription:
    """The description of a policy to be trained on ``data``, statistics included.

    Raises:
        ConfigError: data whose image side or horizon is not the network's.
    """
    got = (data.images.shape[1], data.chunks.shape[1])
    wanted = (network.image_size, network.prediction_horizon)
    if got != wanted:
        raise ConfigError("(image side, horizon) of data and network", got=got, allowed=str(wanted))
    return PolicyDescription(
        network=network,
        sampler=sampler,
        tasks=data.tasks,
        proprio=Statistics.fit(data.proprio),
        action=Statistics.fit(data.chunks),
    )


def learning_rate(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then half a cosine to zero."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


class AveragedWeights:
    """Exponential moving average of a network's weights, faster over the first steps."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self._step = 0
        self._source = dict(network.named_parameters())
        self.weights = {name: value.detach().clone() for name, value in self._source.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the network's present weights."""
        self._step += 1
        decay = min(self._decay, self._step / (10 + self._step))
        torch._foreach_lerp_(list(self.weights.values()), list(self._source.values()), 1 - decay)

    @torch.no_grad()
    def restore(self, weights: Mapping[str, Tensor], step: int) -> None:
        """Go on from averages that were saved after ``step`` updates."""
        self._step = step
        for name, value in self.weights.items():
            value.copy_(weights[name])


def train(
    data: Demonstrations,
    network_config: NetworkConfig,
    sampler_config: SamplerConfig,
    config: TrainConfig,
    on_progress: Callable[[TrainProgress], None] = lambda _: None,
    report_every: int = 200,
) -> Checkpoint:
    """Train a policy and return it without provenance.

    Args:
        data: demonstrations.
        network_config: sizes.
        sampler_config: schedule and sampler.
        config: optimisation.
        on_progress: called every ``report_every`` steps and at the end.
        report_every: see above.

    Raises:
        ConfigError: data that does not fit the network.
    """
    # How many threads share a sum decides its rounding: with one, a recipe gives one checkpoint.
    torch.set_num_threads(1)
    description = describe(data, network_config, sampler_config)
    vocabulary = Vocabulary(data.tasks)
    sampler = DdimSampler(sampler_config)
    noise_rng = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = PolicyNetwork(network_config, len(vocabulary.words))
        outputs = data.positions.shape[1]
        head = nn.Linear(network_config.visual_dim, outputs) if outputs else None
    use_head = head is not None and config.position_weight > 0

    pixels = torch.from_numpy(data.images)
    proprio = torch.from_numpy(description.proprio.normalise(data.proprio))
    chunks = torch.from_numpy(description.action.normalise(data.chunks)).flatten(1)
    bags = torch.from_numpy(vocabulary.bags(data.tasks))[torch.from_numpy(data.task)]
    positions, scale = _standardise(torch.from_numpy(data.positions))

    parameters = [*network.parameters(), *(head.parameters() if head is not None else ())]
    optimiser = torch.optim.AdamW(
        parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    average = AveragedWeights(network, config.ema_decay)
    batches = _Batches(len(pixels), np.random.default_rng(config.seed))
    cached: Tensor | None = None
    losses: list[Tensor] = []
    errors: list[Tensor] = []
    for step in range(config.steps):
        if cached is None and 0 < config.encoder_steps <= step:
            cached = _freeze_encoder(network, average, pixels)
        rows = batches.draw(config.batch_size if cached is None else config.frozen_batch_size)
        repeats = config.noises_per_image if cached is None else 1
        keypoints = network.image(pixels[rows]) if cached is None else cached[rows]
        features = network.mix(keypoints, proprio[rows], bags[rows])
        clean = chunks[rows].repeat(repeats, 1)
        noise = torch.randn(clean.shape, generator=noise_rng)
        times = torch.randint(0, sampler_config.train_steps, (len(clean),), generator=noise_rng)
        noisy, target = sampler.corrupt(clean, noise, times)
        condition = network.condition(features).repeat(repeats, 1)
        unit_times = times.to(torch.float32) / sampler_config.train_steps
        loss = functional.mse_loss(network.predict(noisy, unit_times, condition), target)
        losses.append(loss.detach())
        if use_head and head is not None:
            visual, _, _ = network.split(features)
            wanted = positions[rows]
            known = wanted.isfinite()
            difference = torch.where(known, head(visual) - wanted, 0.0)
            loss = loss + config.position_weight * difference.square().sum() / known.sum().clamp(1)
            errors.append(((difference * scale).square().sum() / known.sum().clamp(1)).detach())

        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, config)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        average.update()

        if (step + 1) % report_every == 0 or step + 1 == config.steps:
            error = math.sqrt(float(torch.stack(errors).mean())) if errors else math.nan
            mean = float(torch.stack(losses).mean())
            on_progress(TrainProgress(step + 1, config.steps, mean, error))
            losses, errors = [], []
    return make_checkpoint(description, average.weights)


class _Batches:
    """Row numbers without replacement, shuffled anew each epoch."""

    def __init__(self, rows: int, rng: np.random.Generator) -> None:
        self._rows = rows
        self._rng = rng
        self._left: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def draw(self, count: int) -> Tensor:
        while len(self._left) < count:
            self._left = np.concatenate([self._left, self._rng.permutation(self._rows)])
        drawn, self._left = self._left[:count], self._left[count:]
        return torch.from_numpy(drawn)


@torch.no_grad()
def _freeze_encoder(network: PolicyNetwork, average: AveragedWeights, pixels: Tensor) -> Tensor:
    """Put the averaged weights into the encoder, stop its training, return all keypoints."""
    for name, value in network.image.named_parameters():
        value.copy_(average.weights[f"image.{name}"])
        value.requires_grad_(False)
        value.grad = None
    return torch.cat([network.image(part) for part in torch.split(pixels, 256)])


def _standardise(positions: Tensor) -> tuple[Tensor, Tensor]:
    """Positions ``[N, K]`` with zero mean and unit spread over known entries, and the spread.

    Entries out of the arm's surroundings become unknown: an object that was flung off the table
    would otherwise set the scale of all others.
    """
    known = positions.abs() < SURROUNDINGS
    positions = torch.where(known, positions, torch.nan)
    count = known.sum(dim=0).clamp(min=1)
    zeroed = torch.where(known, positions, 0.0)
    mean = zeroed.sum(dim=0) / count
    centred = torch.where(known, positions - mean, 0.0)
    spread = (centred.square().sum(dim=0) / count).sqrt().clamp(min=1e-3)
    return (positions - mean) / spread, spread
