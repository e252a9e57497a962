# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Behaviour cloning of a diffusion transformer: one loop, readable from top to bottom.

What a step does depends on its number and the seed alone; a training that was killed and goes on
from its saved state ends, on a CPU, with the very weights of one that was never stopped.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.bc import AveragedWeights, learning_rate
from roboreward_ros.policies.config import TrainConfig
from roboreward_ros.policies.decoding import Decoding
from roboreward_ros.policies.normalise import Statistics
from roboreward_ros.policies.sampler import DdimSampler
from roboreward_ros.policies.transformer.batches import Batch, RowBatches, step_seed
from roboreward_ros.policies.transformer.config import CloneConfig, Precision, Vision
from roboreward_ros.policies.transformer.files import TransformerDescription, build
from roboreward_ros.policies.transformer.network import TransformerNetwork
from roboreward_ros.policies.transformer.recipe import TransformerRecipe, published_statistics
from roboreward_ros.policies.transformer.rows import RowStore, split_episodes
from roboreward_ros.policies.transformer.sentences import SentenceEncoder
from roboreward_ros.policies.transformer.state import STATE_FILE, load_state, save_state
from roboreward_ros.policies.transformer.vision import Json

REPORT_EVERY = 50


@dataclass(frozen=True, slots=True)
class CloneProgress:
    """State of a running training.

    Attributes:
        step, steps: optimiser steps done and in all.
        loss: denoising loss since the last report (normalised units, squared).
        learning_rate: of the last step.
        held_out_loss: denoising loss of the averaged weights on held-out episodes; NaN between
            validations.
        held_out_error: root mean square difference of sampled and demonstrated actions there, in
            spreads; NaN likewise.
    """

    step: int
    steps: int
    loss: float
    learning_rate: float
    held_out_loss: float
    held_out_error: float


@dataclass(frozen=True, slots=True)
class Start:
    """What a training begins from.

    Attributes:
        sentences: text model.
        text_identity: of the text model's files; "" for bags of words.
        vision: configuration of a pre-trained vision model; empty for none.
        vision_weights: its weights.
    """

    sentences: SentenceEncoder
    text_identity: str
    vision: Mapping[str, Json]
    vision_weights: Mapping[str, Tensor]


def describe_rows(
    store: RowStore, recipe: TransformerRecipe, start: Start
) -> TransformerDescription:
    """The description of a policy to be trained, statistics included.

    Raises:
        ConfigError: rows of another picture size, or a vision model too much or missing.
    """
    network = recipe.network
    if store.image_size != network.image_size:
        raise ConfigError(
            "picture side of rows and network", got=store.image_size, allowed=network.image_size
        )
    if bool(start.vision) != (network.vision is Vision.PRETRAINED):
        raise ConfigError(
            f"a network whose vision is {network.vision}",
            got="a vision model" if start.vision else "no vision model",
            next_step="Give --vision FOLDER with vision: pretrained, and only then.",
        )
    if network.open_vocabulary and not start.text_identity:
        raise ConfigError(
            "an open vocabulary needs a text model", got="none", next_step="Give --text FOLDER."
        )
    if recipe.data.statistics:
        proprio, action = published_statistics(recipe.data.statistics)
    else:
        rows, _ = split_episodes(store, recipe.train.validation, recipe.train.seed)
        proprio = Statistics.fit(np.asarray(store.proprio[rows]))
        action = Statistics.fit(np.asarray(store.actions[rows]))
    return TransformerDescription(
        network=network,
        sampler=recipe.sampler,
        tasks=() if network.open_vocabulary else store.tasks,
        sentence_width=start.sentences.width,
        proprio=proprio,
        action=action,
        vision=start.vision,
    )


def clone(
    store: RowStore,
    recipe: TransformerRecipe,
    start: Start,
    folder: Path,
    device: str = "cpu",
    on_progress: Callable[[CloneProgress], None] = lambda _: None,
) -> tuple[TransformerDescription, dict[str, Tensor]]:
    """Train, or go on training, and return the averaged weights.

    Args:
        store: the rows.
        recipe: sizes and optimisation.
        start: text and vision models.
        folder: where the state is kept; a state that is there is gone on from.
        device: torch device.
        on_progress: called every 50 steps, at validations and at the end.

    Raises:
        ConfigError: rows that do not fit, or the state of another training.
        CheckpointError: a damaged state.
    """
    config, sampler = recipe.train, DdimSampler(recipe.sampler)
    description = describe_rows(store, recipe, start)
    if device == "cpu":
        torch.set_num_threads(1)  # the number of threads decides the rounding of sums
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = build(description)
    if start.vision_weights:
        network.vision.model.load_state_dict(start.vision_weights)  # type: ignore[union-attr]
    network.to(device).eval()  # no dropout, and batch statistics stay those of the pre-training
    sentences = torch.from_numpy(start.sentences.embed(store.tasks)).to(device)
    learn_rows, judge_rows = split_episodes(store, config.validation, config.seed)
    batches = RowBatches(store, learn_rows, config, recipe.network.prediction_horizon)

    seeing, rest = _groups(network)
    if config.vision_rate == 0:
        for value in seeing:
            value.requires_grad_(False)
        seeing = []
    optimiser = torch.optim.AdamW(
        [{"params": rest}, {"params": seeing}], lr=config.learning_rate,
        weight_decay=config.weight_decay, fused=True,
    )  # fmt: skip
    schedule = TrainConfig(
        steps=config.steps, learning_rate=config.learning_rate, warmup_steps=config.warmup_steps
    )
    average = AveragedWeights(network, config.ema_decay)
    judge = _Judge(store, judge_rows, description, config, sentences, network, device)
    purpose = _purpose(store, recipe, description, start)
    state = folder / STATE_FILE
    done = load_state(state, purpose, network, average, optimiser) if state.is_file() else 0
    losses: list[Tensor] = []
    for step, batch in enumerate(batches.from_step(done, config.steps), start=done):
        rate = learning_rate(step, schedule)
        for group, share in zip(optimiser.param_groups, (1.0, config.vision_rate), strict=True):
            group["lr"] = rate * share
        optimiser.zero_grad(set_to_none=True)
        parts = _parts(batch, config, sampler, description, step, device)
        weight = sum(float(part.taught.sum()) for part in parts)
        total = torch.zeros((), device=device)
        for part in parts:
            with arithmetic(config.precision, device):
                loss = part.loss(network, sentences) / max(1.0, weight)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        nn.utils.clip_grad_norm_([*rest, *seeing], 1.0)
        optimiser.step()
        average.update()
        losses.append(total)
        finished = step + 1 == config.steps
        judged = (step + 1) % config.validate_every == 0 or finished
        saved = (step + 1) % config.save_every == 0 or finished
        if saved and not bool(total.isfinite()):
            raise ConfigError(
                "the training diverged; the state before it is kept",
                got=f"loss {float(total):g} at step {step + 1}",
                next_step="Lower learning_rate in the recipe, and give another --out.",
            )
        if judged or (step + 1) % REPORT_EVERY == 0:
            held = judge(average) if judged else (math.nan, math.nan)
            mean = float(torch.stack(losses).mean())
            on_progress(CloneProgress(step + 1, config.steps, mean, rate, *held))
            losses = []
        if saved:
            save_state(state, step + 1, purpose, network, average, optimiser)
    return description, {**network.state_dict(), **average.weights}


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows that pass the network together, and the noise that was drawn for them."""

    batch: Batch
    noisy: Tensor
    target: Tensor
    times: Tensor
    proprio: Tensor

    @property
    def taught(self) -> Tensor:
        """Weight of every number of the target ``[R * B, P * 7]``."""
        repeats = len(self.noisy) // len(self.batch.taught)
        return self.batch.taught.repeat(repeats, 1).repeat_interleave(7, dim=1)

    def loss(self, network: TransformerNetwork, sentences: Tensor) -> Tensor:
        """Sum of squared errors over what is taught."""
        features = network.features(self.batch.pixels, self.proprio, sentences[self.batch.task])
        repeats = len(self.noisy) // len(features)
        condition = network.condition(features).repeat(repeats, 1)
        predicted = network.predict(self.noisy, self.times, condition)
        missed = (predicted.to(torch.float32) - self.target).square()
        return (missed * self.taught).sum()


def _parts(
    batch: Batch,
    config: CloneConfig,
    sampler: DdimSampler,
    description: TransformerDescription,
    step: int,
    device: str,
) -> list[_Part]:
    """A batch with its noise, in as many parts as gradients are accumulated over."""
    draws = torch.Generator().manual_seed(step_seed(config.seed, step))
    clean = torch.from_numpy(description.action.normalise(batch.chunks.numpy())).flatten(1)
    proprio = torch.from_numpy(description.proprio.normalise(batch.proprio.numpy()))
    rows, repeats = len(clean), config.noises_per_image
    noise = torch.randn((repeats, *clean.shape), generator=draws)
    times = torch.randint(0, sampler.config.train_steps, (repeats, rows), generator=draws)
    parts = []
    for chosen in torch.arange(rows).chunk(config.accumulate):
        steps = times[:, chosen].flatten()
        noisy, target = sampler.corrupt(
            clean[chosen].repeat(repeats, 1), noise[:, chosen].flatten(0, 1), steps
        )
        parts.append(
            _Part(
                Batch(
                    batch.pixels[chosen].to(device),
                    batch.proprio[chosen],
                    batch.chunks[chosen],
                    batch.taught[chosen].to(device),
                    batch.task[chosen].to(device),
                ),
                noisy.to(device),
                target.to(device),
                (steps.to(torch.float32) / sampler.config.train_steps).to(device),
                proprio[chosen].to(device),
            )
        )
    return parts


class _Judge:
    """Held-out loss and error of the averaged weights, on the same rows and noise every time."""

    def __init__(
        self,
        store: RowStore,
        rows: npt.NDArray[np.int64],
        description: TransformerDescription,
        config: CloneConfig,
        sentences: Tensor,
        network: TransformerNetwork,
        device: str,
    ) -> None:
        spread = np.linspace(0, max(0, len(rows) - 1), min(len(rows), config.validation_rows))
        self._rows = rows[spread.astype(np.int64)] if len(rows) else rows
        self._store, self._description = store, description
        self._config = replace(config, accumulate=1, noises_per_image=1)
        self._sentences, self._device = sentences, device
        self._network = copy.deepcopy(network).requires_grad_(False) if len(rows) else None

    @torch.no_grad()
    def __call__(self, average: AveragedWeights) -> tuple[float, float]:
        network = self._network
        if network is None:
            return math.nan, math.nan
        network.load_state_dict(average.weights, strict=False)
        about = self._description
        decoding = Decoding(network, about.sampler, about.action, torch.device(self._device))
        horizon = about.network.prediction_horizon
        size = self._config.batch_size
        missed = wrong = weight = 0.0
        for number, first in enumerate(range(0, len(self._rows), size)):
            rows = self._rows[first : first + size]
            batch = RowBatches(self._store, rows, self._config, horizon).read(rows)
            (part,) = _parts(batch, self._config, decoding.sampler, about, number, self._device)
            with arithmetic(self._config.precision, self._device):
                missed += float(part.loss(network, self._sentences))
                features = network.features(
                    part.batch.pixels, part.proprio, self._sentences[part.batch.task]
                )
                made = decoding.decode_unit(
                    features,
                    part.noisy.new_tensor(
                        np.random.default_rng(number).standard_normal(part.noisy.shape)
                    ),
                )
            clean = about.action.normalise(batch.chunks.numpy())
            off = (made.to(torch.float32).cpu() - torch.from_numpy(clean).flatten(1)).square()
            wrong += float((off * part.taught.cpu()).sum())
            weight += float(part.taught.sum())
        return missed / max(1.0, weight), math.sqrt(wrong / max(1.0, weight))


def arithmetic(precision: Precision, device: str) -> AbstractContextManager[object]:
    """What a forward pass runs in: float32, or autocast to bfloat16."""
    kind = torch.device(device).type
    fast = precision is Precision.BFLOAT16 or (
        precision is Precision.AUTO and kind == "cuda" and torch.cuda.is_bf16_supported()
    )
    return torch.autocast(kind, torch.bfloat16, enabled=fast)


def _groups(network: TransformerNetwork) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Parameters of a pre-trained vision model, and all others."""
    if network.config.vision is not Vision.PRETRAINED:
        return [], list(network.parameters())
    seeing = list(network.vision.parameters())
    known = {id(value) for value in seeing}
    return seeing, [value for value in network.parameters() if id(value) not in known]


def _purpose(
    store: RowStore, recipe: TransformerRecipe, description: TransformerDescription, start: Start
) -> str:
    """Hash of everything that decides the weights, but for threads and how often is saved."""
    train = {
        name: value
        for name, value in asdict(recipe.train).items()
        if name not in ("save_every", "workers", "validate_every", "validation_rows", "accumulate")
    }
    said = json.dumps(
        [store.sha256, train, asdict(description), start.text_identity], sort_keys=True, default=str
    )
    digest = hashlib.sha256(said.encode())
    for name in sorted(start.vision_weights):
        digest.update(start.vision_weights[name].cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
