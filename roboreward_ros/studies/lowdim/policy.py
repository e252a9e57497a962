# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A diffusion policy over states: the shipped policy's denoiser, sampler and training, no encoder.

Features are the normalised state, so whoever steers the noise sees what the policy sees.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.files import write_atomic
from roboreward_ros.policies.bc import AveragedWeights, learning_rate
from roboreward_ros.policies.config import MAX_BLOCKS, SamplerConfig, TrainConfig, check_sizes
from roboreward_ros.policies.network import Block, time_waves
from roboreward_ros.policies.normalise import Statistics
from roboreward_ros.policies.sampler import DdimSampler
from roboreward_ros.studies.lowdim.demonstrations import StateDemos
from roboreward_ros.types import (
    ACTION_DIM,
    Float32Array,
    FloatArray,
    ImageU8,
    PolicySpec,
    require_shape,
)

_TIME_DIM = 32


@dataclass(frozen=True, slots=True)
class StateNetConfig:
    """Sizes of the denoiser.

    Attributes:
        state_dim: S.
        horizon: P, all executed.
        hidden: width.
        blocks: residual blocks.
    """

    state_dim: int
    horizon: int = 4
    hidden: int = 192
    blocks: int = 3

    def __post_init__(self) -> None:
        check_sizes(
            "StateNetConfig", state_dim=self.state_dim, horizon=self.horizon, hidden=self.hidden
        )
        check_sizes("StateNetConfig", most=MAX_BLOCKS, blocks=self.blocks)


class StateNetwork(nn.Module):
    """Noisy chunk, time and state to a prediction."""

    def __init__(self, config: StateNetConfig) -> None:
        super().__init__()
        width, chunk_dim = config.hidden, config.horizon * ACTION_DIM
        self.enter_chunk = nn.Linear(chunk_dim, width)
        self.enter_state = nn.Linear(config.state_dim, width)
        self.enter_time = nn.Linear(_TIME_DIM, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(config.blocks)))
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, chunk_dim))

    def predict(self, chunk: Tensor, times: Tensor, condition: Tensor) -> Tensor:
        """Prediction ``[B, P*7]`` for noisy chunks ``[B, P*7]`` at times ``[B]`` in [0, 1]."""
        return self.predict_at(chunk, self.moment(times), condition)

    def moment(self, times: Tensor) -> Tensor:
        """What the blocks are told of times ``[B]`` in [0, 1], ``[B, hidden]``."""
        out: Tensor = self.enter_time(time_waves(times))
        return out

    def predict_at(self, chunk: Tensor, moment: Tensor, condition: Tensor) -> Tensor:
        """As ``predict``, of a moment that is known already."""
        x = condition + self.enter_chunk(chunk) + moment
        out: Tensor = self.leave(self.blocks(x))
        return out


class StatePolicy:
    """A frozen policy over states steered by its noise (protocol ``Policy`` but for pictures).

    Args:
        config: sizes.
        sampler: schedule.
        state: statistics ``[S]``.
        action: statistics ``[7]``.
        weights: of the network.
        task: sentence.
    """

    def __init__(
        self,
        config: StateNetConfig,
        sampler: SamplerConfig,
        state: Statistics,
        action: Statistics,
        weights: Mapping[str, Tensor],
        task: str,
    ) -> None:
        self._config, self._state, self._action = config, state, action
        self._task = task
        self._network = StateNetwork(config)
        self._network.load_state_dict(dict(weights))
        self._network.eval().requires_grad_(False)
        self._sampler = DdimSampler(sampler)
        self._moments = {
            step: self._network.moment(torch.tensor([step / sampler.train_steps]))
            for step in self._sampler.steps
        }
        self._packed = bytes(save({name: weights[name].contiguous() for name in sorted(weights)}))
        identity = hashlib.sha256(self._packed + self._header().encode()).hexdigest()
        self._spec = PolicySpec(
            policy_id=identity,
            prediction_horizon=config.horizon,
            chunk_size=config.horizon,
            feature_dim=config.state_dim,
            image_size=0,
            control_hz=5.0,
            tasks=(task,),
        )

    @property
    def spec(self) -> PolicySpec:
        """Sizes, rate and identity."""
        return self._spec

    def features(self, states: FloatArray) -> Float32Array:
        """Normalised states ``[B, S]`` float32."""
        require_shape("states", states, (None, self._config.state_dim))
        return self._state.normalise(states)

    def encode(
        self, images: Sequence[ImageU8], proprio: FloatArray, tasks: Sequence[str]
    ) -> Float32Array:
        """Refused: this policy has no eyes.

        Raises:
            ConfigError: always.
        """
        del images, proprio, tasks
        raise ConfigError(
            "a policy over states has no pictures to encode",
            next_step="Run it through studies.lowdim.lanes.",
        )

    @torch.inference_mode()
    def decode(self, features: Float32Array, noise: Float32Array) -> Float32Array:
        """Unclipped actions ``[B, P, 7]``, physical units; noise is ``[B, P, 7]``."""
        shape = (len(features), self._config.horizon, ACTION_DIM)
        require_shape("features", features, (None, self._config.state_dim))
        require_shape("noise", noise, shape)
        condition = self._network.enter_state(torch.from_numpy(np.ascontiguousarray(features)))
        w = torch.from_numpy(np.ascontiguousarray(noise)).flatten(1)
        unit = self._sampler.sample(
            lambda x, step: self._network.predict_at(x, self._moments[step], condition), w
        )
        return self._action.restore(unit.numpy().reshape(shape))

    def save(self, path: Path, provenance: Mapping[str, object]) -> None:
        """Write ``path`` and, last, ``path.json`` beside it."""
        write_atomic(path, self._packed)
        content = {**json.loads(self._header()), "provenance": dict(provenance)}
        write_atomic(path.with_suffix(".json"), json.dumps(content, indent=1) + "\n")

    def _header(self) -> str:
        return json.dumps(
            {
                "format": 1,
                "task": self._task,
                "network": asdict(self._config),
                "sampler": asdict(self._sampler.config),
                "state": asdict(self._state),
                "action": asdict(self._action),
            },
            sort_keys=True,
        )


def load_state_policy(path: Path) -> StatePolicy:
    """Read what ``StatePolicy.save`` wrote.

    Raises:
        CheckpointError: missing, damaged or foreign files.
    """
    try:
        header = json.loads(path.with_suffix(".json").read_text())
        if header["format"] != 1:
            raise CheckpointError("a state policy of another format", got=header["format"])
        network, sampler = StateNetConfig(**header["network"]), SamplerConfig(**header["sampler"])
        state, action = (
            Statistics(tuple(header[key]["mean"]), tuple(header[key]["spread"]))
            for key in ("state", "action")
        )
        weights = load(path.read_bytes())
        return StatePolicy(network, sampler, state, action, weights, header["task"])
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            "a state policy cannot be read",
            got=f"{path}: {error}",
            next_step="Delete the file: the study trains it again.",
        ) from error


def train_state_policy(
    demos: StateDemos,
    task: str,
    config: StateNetConfig,
    train: TrainConfig,
    on_progress: Callable[[int, float], None] = lambda _step, _loss: None,
) -> StatePolicy:
    """Behaviour cloning as ``policies.bc`` does it, on states; the averaged weights are returned.

    Args:
        demos: demonstrations.
        task: sentence.
        config: sizes.
        train: steps, ``frozen_batch_size`` rows each, learning rate, averaging, seed.
        on_progress: (step, denoising loss) every 500 steps.
    """
    states, chunks = demos.states[:, :-1], demos.chunks
    states = states.reshape(-1, states.shape[-1])
    chunks = chunks.reshape(-1, *chunks.shape[2:])
    return train_rows(states, chunks, task, config, train, on_progress)


def train_rows(
    states: Float32Array,
    chunks: Float32Array,
    task: str,
    config: StateNetConfig,
    train: TrainConfig,
    on_progress: Callable[[int, float], None] = lambda _step, _loss: None,
) -> StatePolicy:
    """As ``train_state_policy``, of states ``[N, S]`` and their chunks of actions ``[N, P, 7]``."""
    torch.set_num_threads(1)
    rows = len(states)
    state, action = Statistics.fit(states), Statistics.fit(chunks)
    sampler_config = SamplerConfig()
    sampler = DdimSampler(sampler_config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(train.seed)
        network = StateNetwork(config)
    rng = torch.Generator().manual_seed(train.seed)
    known = torch.from_numpy(state.normalise(states))
    unit = torch.from_numpy(action.normalise(chunks)).reshape(rows, -1)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=train.learning_rate, weight_decay=train.weight_decay, fused=True
    )
    average = AveragedWeights(network, train.ema_decay)
    for step in range(train.steps):
        drawn = torch.randint(0, rows, (train.frozen_batch_size,), generator=rng)
        clean = unit[drawn]
        noise = torch.randn(clean.shape, generator=rng)
        times = torch.randint(0, sampler_config.train_steps, (len(clean),), generator=rng)
        noisy, target = sampler.corrupt(clean, noise, times)
        unit_times = times.to(torch.float32) / sampler_config.train_steps
        predicted = network.predict(noisy, unit_times, network.enter_state(known[drawn]))
        loss = functional.mse_loss(predicted, target)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, train)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        average.update()
        if (step + 1) % 500 == 0:
            on_progress(step + 1, float(loss.detach()))
    return StatePolicy(config, sampler_config, state, action, average.weights, task)
