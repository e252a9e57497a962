# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The small diffusion policy of the study: states in, chunks out; cloned from the demonstrators.

The denoiser's parts and the sampler are those of the shipped policy; the image encoder is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.errors import CheckpointError
from roboreward_ros.files import write_atomic
from roboreward_ros.policies.bc import AveragedWeights, learning_rate
from roboreward_ros.policies.config import SamplerConfig, TrainConfig
from roboreward_ros.policies.dataset import chunks_of
from roboreward_ros.policies.network import Block, time_waves
from roboreward_ros.policies.normalise import Statistics
from roboreward_ros.policies.sampler import DdimSampler
from roboreward_ros.sim.demonstrators import demonstrate
from roboreward_ros.sim.seeds import demo_seed
from roboreward_ros.studies.lowdim.view import ViewTwin
from roboreward_ros.studies.lrm.config import BaseConfig
from roboreward_ros.studies.lrm.lanes import STATE_DIM, TASK
from roboreward_ros.types import ACTION_DIM, Float32Array

_TIMES = 32
WARMUP = 200  # steps


@dataclass(frozen=True, slots=True)
class Clones:
    """Demonstrations: states ``[M, STATE_DIM]`` and chunks ``[M, C, 7]`` float32."""

    states: Float32Array
    chunks: Float32Array


class Denoiser(nn.Module):
    """Prediction ``[B, C * 7]`` from noisy chunks, times and unit states ``[B, STATE_DIM]``."""

    def __init__(self, config: BaseConfig) -> None:
        super().__init__()
        width, chunk = config.hidden, config.chunk_size * ACTION_DIM
        self.enter_chunk = nn.Linear(chunk, width)
        self.enter_time = nn.Linear(_TIMES, width)
        self.enter_state = nn.Sequential(
            nn.Linear(STATE_DIM, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.blocks = nn.Sequential(*(Block(width) for _ in range(config.blocks)))
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, chunk))

    def forward(self, x: Tensor, times: Tensor, states: Tensor) -> Tensor:
        mixed = self.enter_state(states) + self.enter_chunk(x) + self.enter_time(time_waves(times))
        out: Tensor = self.leave(self.blocks(mixed))
        return out


@dataclass(frozen=True, slots=True)
class BasePolicy:
    """A cloned policy: network, statistics, sampler.

    Attributes:
        config: sizes.
        network: the denoiser.
        state: statistics ``[STATE_DIM]``.
        action: statistics ``[7]``.
        sampler: noise to chunk.
    """

    config: BaseConfig
    network: Denoiser
    state: Statistics
    action: Statistics
    sampler: DdimSampler

    @property
    def chunk_dim(self) -> int:
        """Length of a flattened chunk and of its noise."""
        return self.config.chunk_size * ACTION_DIM

    def unit_states(self, states: Float32Array) -> Tensor:
        """Normalised states ``[N, STATE_DIM]``."""
        return torch.from_numpy(self.state.normalise(states))

    def chunk(self, unit: Tensor) -> Float32Array:
        """Physical chunks ``[N, C, 7]`` of normalised ones ``[N, C * 7]``."""
        shaped = unit.numpy().reshape(len(unit), self.config.chunk_size, ACTION_DIM)
        return self.action.restore(shaped)

    def decode(self, states: Tensor, noise: Tensor, network: Denoiser | None = None) -> Tensor:
        """Chunks ``[B, C * 7]`` of unit states and noise, without any randomness of its own."""
        denoiser = network or self.network
        return self.sampler.sample(
            lambda x, step: denoiser(x, self.times(step, len(x)), states), noise
        )

    def times(self, step: int, rows: int) -> Tensor:
        """Unit time of a step of the schedule for ``rows`` rows."""
        return torch.full((rows,), step / self.config.train_steps)


def collect(config: BaseConfig) -> Clones:
    """Demonstrate with the twin's default style, successes and failures alike."""
    twin = ViewTwin()
    states, chunks = [], []
    for index in range(config.demonstrations):
        rng = np.random.default_rng((config.seed, index))
        seed = demo_seed(config.seed * 100_000 + index)
        episode = demonstrate(twin, TASK.sentence, seed, rng)
        states.append(np.stack(twin.seen).astype(np.float32))
        chunks.append(chunks_of(episode.actions, config.chunk_size))
    twin.close()
    return Clones(np.concatenate(states), np.concatenate(chunks))


def clone(
    data: Clones, config: BaseConfig, on_step: Callable[[int, float], None] = lambda *_: None
) -> BasePolicy:
    """Behaviour cloning; the averaged weights are kept. Deterministic on one thread."""
    torch.set_num_threads(1)
    policy = _empty(config, Statistics.fit(data.states), Statistics.fit(data.chunks))
    schedule = TrainConfig(
        steps=config.steps,
        learning_rate=config.learning_rate,
        warmup_steps=max(1, min(WARMUP, config.steps // 10)),
    )
    states = policy.unit_states(data.states)
    chunks = torch.from_numpy(policy.action.normalise(data.chunks)).flatten(1)
    optimiser = torch.optim.AdamW(
        policy.network.parameters(), config.learning_rate, weight_decay=1e-4, fused=True
    )
    average = AveragedWeights(policy.network, 0.995)
    rng = torch.Generator().manual_seed(config.seed)
    for step in range(config.steps):
        rows = torch.randint(0, len(chunks), (config.batch_size,), generator=rng)
        times = torch.randint(0, config.train_steps, (config.batch_size,), generator=rng)
        noise = torch.randn((config.batch_size, policy.chunk_dim), generator=rng)
        noisy, target = policy.sampler.corrupt(chunks[rows], noise, times)
        unit_times = times.to(torch.float32) / config.train_steps
        loss = functional.mse_loss(policy.network(noisy, unit_times, states[rows]), target)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, schedule)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(policy.network.parameters(), 1.0)
        optimiser.step()
        average.update()
        if (step + 1) % 500 == 0:
            on_step(step + 1, float(loss.detach()))
    policy.network.load_state_dict(average.weights)
    policy.network.requires_grad_(False)
    return policy


def save_base(path: Path, policy: BasePolicy) -> None:
    """Weights and statistics in one safetensors file, whole or not at all."""
    tensors = {f"network.{k}": v.contiguous() for k, v in policy.network.state_dict().items()}
    for name, statistics in (("state", policy.state), ("action", policy.action)):
        tensors[f"{name}.mean"] = torch.tensor(statistics.mean, dtype=torch.float64)
        tensors[f"{name}.spread"] = torch.tensor(statistics.spread, dtype=torch.float64)
    write_atomic(path, save(tensors))


def load_base(path: Path, config: BaseConfig) -> BasePolicy:
    """Read what :func:`save_base` wrote.

    Raises:
        CheckpointError: missing or damaged, or of other sizes.
    """
    try:
        tensors = load(path.read_bytes())
        fits = [
            Statistics(*(tuple(tensors[f"{name}.{part}"].tolist()) for part in ("mean", "spread")))
            for name in ("state", "action")
        ]
        policy = _empty(config, *fits)
        weights = {k[8:]: v for k, v in tensors.items() if k.startswith("network.")}
        policy.network.load_state_dict(weights)
    except Exception as error:
        raise CheckpointError(
            "the study's base policy cannot be read",
            got=f"{path}: {error}",
            next_step="Delete the study's folder and run it again.",
        ) from error
    policy.network.requires_grad_(False)
    return policy


def _empty(config: BaseConfig, state: Statistics, action: Statistics) -> BasePolicy:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = Denoiser(config)
    sampler = DdimSampler(SamplerConfig(config.train_steps, config.sample_steps))
    return BasePolicy(config, network, state, action, sampler)
