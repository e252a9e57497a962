# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Behaviour cloning that goes on from a trained policy, on rollouts that were kept.

Statistics, sentences, sampler and image encoder stay the old policy's; what maps keypoints and
sentence to features, and the denoiser, are trained. So nothing that steers the old policy fits the
new one: it has an id of its own. Large Reward Models call this rollout filtering
(arXiv 2603.16065, real-robot section).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.bc import AveragedWeights, TrainProgress, learning_rate
from roboreward_ros.policies.checkpoint import (
    Checkpoint,
    PolicyDescription,
    load_checkpoint,
    make_checkpoint,
)
from roboreward_ros.policies.config import TrainConfig
from roboreward_ros.policies.dataset import Demonstrations
from roboreward_ros.policies.diffusion import DEMO_POLICY
from roboreward_ros.policies.network import PolicyNetwork
from roboreward_ros.policies.sampler import DdimSampler
from roboreward_ros.policies.text import Vocabulary

_ENCODED_AT_ONCE = 256
_SHIPPED = "assets/policies/widowx_twin"


@dataclass(frozen=True, slots=True)
class FinetuneConfig:
    """How far a policy is moved.

    Attributes:
        steps: optimiser steps.
        batch_size: rows of a step.
        learning_rate: peak, after a tenth of the steps at most; a tenth of a training's own.
        rehearsal: share of a batch from the rehearsal data, where there is any.
        weight_decay: of AdamW.
        ema_decay: of the averaged weights, which are the ones that are kept.
        seed: of batches and noise.
    """

    steps: int = 2000
    batch_size: int = 256
    learning_rate: float = 1e-4
    rehearsal: float = 0.5
    weight_decay: float = 1e-4
    ema_decay: float = 0.995
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size) < 1 or not self.learning_rate > 0 or self.seed < 0:
            raise ConfigError("a number of FinetuneConfig is not positive", got=self)
        if not (0 <= self.rehearsal < 1 and 0 <= self.ema_decay < 1 and self.weight_decay >= 0):
            raise ConfigError("a share of FinetuneConfig is out of range", got=self)


@dataclass(frozen=True, slots=True)
class _Rows:
    """One data set as the loop reads it, all ``[N, ...]``."""

    keypoints: Tensor
    proprio: Tensor
    bags: Tensor
    chunks: Tensor


def read_checkpoint(source: str) -> Checkpoint:
    """Weights and description of a policy's folder, or of the shipped policy, ``demo``.

    Raises:
        CheckpointError: missing, damaged, or not a policy of this package.
    """
    if source != DEMO_POLICY:
        return load_checkpoint(Path(source))
    with as_file(files("roboreward_ros").joinpath(_SHIPPED)) as folder:
        return load_checkpoint(folder)


def finetune(
    checkpoint: Checkpoint,
    data: Demonstrations,
    config: FinetuneConfig,
    rehearsal: Demonstrations | None = None,
    on_progress: Callable[[TrainProgress], None] = lambda _: None,
    report_every: int = 200,
) -> Checkpoint:
    """A policy that goes on from ``checkpoint``; deterministic under a seed, no provenance.

    Args:
        checkpoint: the old policy; unchanged.
        data: what was kept, tasks that the old policy knows.
        config: how far.
        rehearsal: what the policy was first trained on, so that it is not forgotten.
        on_progress: called every ``report_every`` steps and at the end; without position error.
        report_every: see above.

    Raises:
        ConfigError: data that does not fit the policy.
    """
    torch.set_num_threads(1)
    description = checkpoint.description
    vocabulary = Vocabulary(description.tasks)
    network = PolicyNetwork(description.network, len(vocabulary.words))
    network.load_state_dict(checkpoint.weights)
    network.image.requires_grad_(False)
    kept = _rows(network, description, vocabulary, data)
    old = None if rehearsal is None else _rows(network, description, vocabulary, rehearsal)
    share = config.rehearsal if old is not None else 0.0
    sampler = DdimSampler(description.sampler)
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    schedule = TrainConfig(
        steps=config.steps,
        learning_rate=config.learning_rate,
        warmup_steps=max(1, config.steps // 10),
    )
    average = AveragedWeights(network, config.ema_decay)
    rng = torch.Generator().manual_seed(config.seed)
    losses: list[Tensor] = []
    for step in range(config.steps):
        from_old = round(share * config.batch_size)
        batch = _draw(kept, config.batch_size - from_old, rng)
        if old is not None and from_old:
            batch = _joined(batch, _draw(old, from_old, rng))
        clean = batch.chunks
        noise = torch.randn(clean.shape, generator=rng)
        times = torch.randint(0, description.sampler.train_steps, (len(clean),), generator=rng)
        noisy, target = sampler.corrupt(clean, noise, times)
        features = network.mix(batch.keypoints, batch.proprio, batch.bags)
        unit_times = times.to(torch.float32) / description.sampler.train_steps
        predicted = network.predict(noisy, unit_times, network.condition(features))
        loss = functional.mse_loss(predicted, target)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, schedule)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        average.update()
        losses.append(loss.detach())
        if (step + 1) % report_every == 0 or step + 1 == config.steps:
            mean = float(torch.stack(losses).mean())
            on_progress(TrainProgress(step + 1, config.steps, mean, float("nan")))
            losses = []
    return make_checkpoint(description, average.weights)


@torch.no_grad()
def _rows(
    network: PolicyNetwork,
    description: PolicyDescription,
    vocabulary: Vocabulary,
    data: Demonstrations,
) -> _Rows:
    got = (data.images.shape[1], data.chunks.shape[1])
    wanted = (description.network.image_size, description.network.prediction_horizon)
    if got != wanted:
        raise ConfigError("(image side, horizon) of data and policy", got=got, allowed=str(wanted))
    unknown = [task for task in data.tasks if task not in description.tasks]
    if unknown:
        raise ConfigError(
            "the rollouts are of a task that the policy was not trained on",
            got=unknown,
            allowed=description.tasks,
        )
    pixels = torch.from_numpy(data.images)
    return _Rows(
        keypoints=torch.cat(
            [network.image(part) for part in torch.split(pixels, _ENCODED_AT_ONCE)]
        ),
        proprio=torch.from_numpy(description.proprio.normalise(data.proprio)),
        bags=torch.from_numpy(vocabulary.bags(data.tasks))[torch.from_numpy(data.task)],
        chunks=torch.from_numpy(description.action.normalise(data.chunks)).flatten(1),
    )


def _draw(rows: _Rows, count: int, rng: torch.Generator) -> _Rows:
    picked = torch.randint(0, len(rows.chunks), (count,), generator=rng)
    return _Rows(
        rows.keypoints[picked], rows.proprio[picked], rows.bags[picked], rows.chunks[picked]
    )


def _joined(first: _Rows, second: _Rows) -> _Rows:
    return _Rows(
        torch.cat([first.keypoints, second.keypoints]),
        torch.cat([first.proprio, second.proprio]),
        torch.cat([first.bags, second.bags]),
        torch.cat([first.chunks, second.chunks]),
    )
