# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that decides a fine-tuning, read from ``config/reward_training/*.yaml``."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import yaml

from roboreward_ros.errors import ConfigError
from roboreward_ros.files import read_yaml
from roboreward_ros.rewards.config import Option, build_config
from roboreward_ros.rewards.vlm.settings import Dtype


class Head(StrEnum):
    """What the model learns to answer."""

    RUBRIC = "rubric"  # RoboReward: the 1..5 rubric about a video
    PROGRESS = "progress"  # LRM: eleven values about a frame, anchored by the first one
    COMPLETION = "completion"  # LRM: yes or no about a frame
    CONTRAST = "contrast"  # LRM: which of two frames is further, by preference


class Method(StrEnum):
    FULL = "full"  # merger and language model; the vision tower rests
    LORA = "lora"  # low-rank matrices in the language model, and the merger


class Schedule(StrEnum):
    COSINE = "cosine"
    COSINE_WITH_RESTARTS = "cosine_with_restarts"
    LINEAR = "linear"
    CONSTANT = "constant"


class Tracker(StrEnum):
    NONE = "none"
    TENSORBOARD = "tensorboard"
    WANDB = "wandb"


class Precision(StrEnum):
    AUTO = "auto"  # bfloat16 on an accelerator, float32 on a CPU
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True, slots=True)
class LoraConfig:
    """Low-rank matrices.

    Attributes:
        rank: of every matrix.
        alpha: scale times rank.
        dropout: before them.
        merger: whether the merger behind the vision tower is trained whole beside them.
    """

    rank: int = 64
    alpha: int = 128
    dropout: float = 0.0
    merger: bool = True

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha < 1:
            raise ConfigError(
                "rank or alpha is too small", got=(self.rank, self.alpha), allowed=">= 1"
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError("dropout is no share", got=self.dropout, allowed="0 <= dropout < 1")


@dataclass(frozen=True, slots=True)
class Optimisation:
    """AdamW and its rate.

    Attributes:
        lr: peak learning rate.
        weight_decay: of matrices; norms and biases have none.
        batch: examples a step, over all processes and micro-batches.
        epochs: passes over the data; 0: ``steps`` decides.
        steps: optimiser steps; 0: ``epochs`` decides.
        schedule: of the rate behind the warm-up.
        cycles: of a schedule with restarts.
        warmup: share of all steps.
        clip_norm: bound of the gradient's norm.
        beta1: of AdamW.
        beta2: of AdamW.
    """

    lr: float = 1e-5
    weight_decay: float = 0.05
    batch: int = 32
    epochs: float = 3.0
    steps: int = 0
    schedule: Schedule = Schedule.COSINE
    cycles: int = 1
    warmup: float = 0.05
    clip_norm: float = 1.0
    beta1: float = 0.9
    beta2: float = 0.999

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise ConfigError("lr is no learning rate", got=self.lr, allowed="> 0")
        if self.batch < 1 or self.cycles < 1:
            raise ConfigError(
                "batch or cycles is too small", got=(self.batch, self.cycles), allowed=">= 1"
            )
        if (self.steps > 0) == (self.epochs > 0):
            raise ConfigError(
                "epochs and steps contradict each other",
                got=f"epochs {self.epochs:g}, steps {self.steps}",
                allowed="one above 0, the other 0",
            )
        if not 0 <= self.warmup <= 1:
            raise ConfigError("warmup is no share", got=self.warmup, allowed="0..1")

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of ``step`` (from 0) of ``steps``."""
        rise = round(self.warmup * steps)
        if step < rise:
            return self.lr * (step + 1) / rise
        done = (step - rise) / max(1, steps - rise)
        match self.schedule:
            case Schedule.CONSTANT:
                return self.lr
            case Schedule.LINEAR:
                return self.lr * (1 - done)
            case Schedule.COSINE:
                return self.lr * 0.5 * (1 + math.cos(math.pi * done))
            case Schedule.COSINE_WITH_RESTARTS:
                return self.lr * 0.5 * (1 + math.cos(math.pi * ((self.cycles * done) % 1.0)))


@dataclass(frozen=True, slots=True)
class Keyframes:
    """How LRM's heads get labels from successful videos (arXiv 2603.16065): by time.

    Attributes:
        count: frames a video at progress 0 .. 1, evenly.
        success_from: label from which a video counts as a success that makes steady progress.
        completed_from: progress from which a frame of it shows the task done.
        failures: whether the last frame of every other video says "not done" (completion).
        pairs: of frames a video (contrast), either one first.
    """

    count: int = 11
    success_from: int = 5
    completed_from: float = 1.0
    failures: bool = True
    pairs: int = 10

    def __post_init__(self) -> None:
        if self.count < 2 or self.pairs < 1:
            raise ConfigError(
                "too few key frames or pairs", got=(self.count, self.pairs), allowed=">= 2, >= 1"
            )
        if not 0 < self.completed_from <= 1:
            raise ConfigError(
                "completed_from is no progress", got=self.completed_from, allowed="0 < p <= 1"
            )


@dataclass(frozen=True, slots=True)
class Preference:
    """Preference loss of the contrast head.

    Attributes:
        beta: how far the model may move from where it began, inverse.
        sft: weight of the ordinary loss on the preferred answer beside it.
    """

    beta: float = 0.1
    sft: float = 0.0

    def __post_init__(self) -> None:
        if not self.beta > 0 or not self.sft >= 0:
            raise ConfigError(
                "beta or sft is impossible", got=(self.beta, self.sft), allowed="> 0, >= 0"
            )


@dataclass(frozen=True, slots=True)
class Compute:
    """How the work is laid out; decides speed and memory, not what is learned.

    Attributes:
        precision: of the forward pass; trained weights are float32 whatever it is.
        base: dtype of weights that are not trained (LoRA); float32 under FSDP.
        packed: whether examples about one video share a forward pass.
        together: examples of one video in a step at most.
        micro_tokens: tokens of a micro-batch, padding included.
        checkpointing: recompute activations in the backward pass.
        workers: threads that decode videos at the start.
    """

    precision: Precision = Precision.AUTO
    base: Dtype = Dtype.AUTO
    packed: bool = True
    together: int = 8
    micro_tokens: int = 8192
    checkpointing: bool = False
    workers: int = 2

    def __post_init__(self) -> None:
        if min(self.together, self.micro_tokens, self.workers) < 1:
            raise ConfigError(
                "together, micro_tokens or workers is too small",
                got=(self.together, self.micro_tokens, self.workers),
                allowed=">= 1",
            )


@dataclass(frozen=True, slots=True)
class Watch:
    """When to look and to save.

    Attributes:
        validate_every: steps between two validations; there is one at the end in any case.
        rows: of a validation, drawn once; 0: all.
        save_every: steps between two states that a killed training goes on from.
        tracker: curves beside ``log.jsonl``.
        project: name of the project (W&B).
    """

    validate_every: int = 200
    rows: int = 512
    save_every: int = 200
    tracker: Tracker = Tracker.TENSORBOARD
    project: str = "roboreward"

    def __post_init__(self) -> None:
        if min(self.validate_every, self.save_every) < 1 or self.rows < 0:
            raise ConfigError(
                "validate_every, save_every or rows is too small",
                got=(self.validate_every, self.save_every, self.rows),
                allowed=">= 1, >= 1, >= 0",
            )


@dataclass(frozen=True, slots=True)
class FinetuneConfig:
    """One fine-tuning.

    Attributes:
        model: folder, short name or Hub id of the checkpoint to begin with.
        revision: full commit hash of a Hub id.
        offline: never ask the network.
        data: folder in RoboReward's layout with ``train`` and ``val``.
        head: what is learned.
        method: which weights are trained.
        seed: of order, pairs, dropout and new weights.
        merge: LoRA: also write the model with the adapter in it, so that one folder is enough.
        lora, optimisation, keyframes, preference, compute, watch: see there.
        options: frames and prompt, as the reward source takes them; go over the model's own.
    """

    model: str = ""
    revision: str = ""
    offline: bool = False
    data: str = ""
    head: Head = Head.RUBRIC
    method: Method = Method.FULL
    seed: int = 0
    merge: bool = True
    lora: LoraConfig = field(default_factory=LoraConfig)
    optimisation: Optimisation = field(default_factory=Optimisation)
    keyframes: Keyframes = field(default_factory=Keyframes)
    preference: Preference = field(default_factory=Preference)
    compute: Compute = field(default_factory=Compute)
    watch: Watch = field(default_factory=Watch)
    options: Mapping[str, Option] = field(default_factory=dict)


def parse_finetune(raw: Mapping[str, Option], where: str) -> FinetuneConfig:
    """From plain values; what is not set keeps its default.

    Raises:
        ConfigError: unknown or wrong values, by name.
    """
    values = dict(raw)
    options = values.pop("options", {})
    if not isinstance(options, dict):
        raise ConfigError(f"{where}: options are not a mapping", got=type(options).__name__)
    return dataclasses.replace(build_config(FinetuneConfig, values, where), options=options)


def load_finetune(path: Path) -> FinetuneConfig:
    """Read a recipe.

    Raises:
        ConfigError: no such file, not YAML, unknown or wrong values.
    """
    try:
        raw = read_yaml(path)
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError("no recipe can be read", got=f"{path}: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} is no recipe", got=type(raw).__name__, allowed="a mapping")
    if "shards" in raw or "train" in raw:
        raise ConfigError(
            f"{path} makes the twin's small model from nothing",
            next_step="Add --sim, or take a recipe that tunes a model.",
        )
    return parse_finetune(raw, str(path))
