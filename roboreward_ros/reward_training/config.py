# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that decides a trained reward model, read from ``config/reward_training/*.yaml``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import yaml

from roboreward_ros.errors import ConfigError
from roboreward_ros.files import read_yaml

Section = TypeVar("Section")


@dataclass(frozen=True, slots=True)
class ModelSize:
    """A Qwen3-VL architecture small enough for a laptop.

    Attributes:
        hidden: width of the language model.
        layers: its depth.
        heads: its attention heads.
        kv_heads: heads of keys and values.
        intermediate: width of its feed-forward layers.
        vision_hidden: width of the vision tower.
        vision_layers: its depth.
        vision_heads: its attention heads.
        vision_intermediate: width of its feed-forward layers.
        patch: side of a patch, pixels; a token is 2 x 2 patches of 2 frames.
        frame: side of the square frames it is trained on, pixels.
        weight_scale: factor on every matrix at the start; the library's own are too small to learn
            from within minutes.
    """

    hidden: int = 128
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    intermediate: int = 320
    vision_hidden: int = 128
    vision_layers: int = 3
    vision_heads: int = 4
    vision_intermediate: int = 256
    patch: int = 16
    frame: int = 96
    weight_scale: float = 3.0

    def __post_init__(self) -> None:
        if self.frame % (2 * self.patch):
            raise ConfigError(
                "frame is no multiple of a token's side", got=self.frame, allowed=2 * self.patch
            )
        if self.hidden % self.heads or self.heads % self.kv_heads:
            raise ConfigError("heads do not divide the width", got=(self.hidden, self.heads))


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training.

    Attributes:
        steps: optimiser steps.
        batch: clips a step.
        lr: peak learning rate; linear warm-up, then a cosine down to ``lr_end`` of it.
        lr_end: share of ``lr`` at the end.
        warmup: steps.
        look: weight of the loss on what the video tokens tell of the scene.
        answer: weight of the loss on the answer tokens.
        facts: weight of the loss on what the hidden state at the answer tells of the question.
        freeze_tower: whether the vision tower rests.
        shards: of the training clips that are used, from the first; 0 for all.
        cycle: steps that the rate would take to its end, where the stage ends before; 0: ``steps``.
        instructions: questions a clip and step; 0: those of ``TrainConfig``.
    """

    steps: int
    batch: int = 32
    lr: float = 2e-3
    lr_end: float = 0.05
    warmup: int = 50
    look: float = 1.0
    answer: float = 0.0
    facts: float = 0.0
    freeze_tower: bool = False
    shards: int = 0
    cycle: int = 0
    instructions: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or self.lr <= 0:
            raise ConfigError("a stage is empty", got=(self.steps, self.batch, self.lr))


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """The optimiser's loop.

    Attributes:
        seed: of weights, order and questions.
        stages: one after the other.
        instructions: questions a clip and step; they share the clip's video.
        own: weight of the scene's own question when questions are drawn.
        changed: weight of another one that scores above 1.
        present: weight of another one about things of the scene that scores 1.
        absent: weight of one about a thing that is not there.
        balance: 0 draws clips as they come, 1 every own label equally often.
        weight_decay: AdamW.
        clip_norm: bound of the gradient's norm.
        validate_every: steps between two validations.
        validation_clips: clips of the validation.
        save_every: steps between two checkpoints for resuming.
    """

    seed: int = 0
    stages: tuple[Stage, ...] = (Stage(1500), Stage(6000, answer=1.0, facts=1.0, look=0.2))
    instructions: int = 5
    own: float = 4.0
    changed: float = 2.0
    present: float = 1.0
    absent: float = 0.1
    balance: float = 0.5
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    validate_every: int = 500
    validation_clips: int = 400
    save_every: int = 250

    def __post_init__(self) -> None:
        if not self.stages or self.instructions < 1:
            raise ConfigError("nothing to train", got=(self.stages, self.instructions))
        for name in ("own", "changed", "present", "absent"):
            if not getattr(self, name) > 0.0:
                raise ConfigError(f"{name} is no weight", got=getattr(self, name), allowed="> 0")
        if not 0.0 <= self.balance <= 1.0:
            raise ConfigError("balance is no share", got=self.balance, allowed="0..1")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a reward model is made.

    Attributes:
        shards: of training clips.
        episodes: of one shard.
        held_out: shards of validation clips, from other layouts.
        data_seed: of the clips.
        model: sizes.
        train: optimisation.
    """

    shards: int = 60
    episodes: int = 64
    held_out: int = 4
    data_seed: int = 0
    model: ModelSize = field(default_factory=ModelSize)
    train: TrainConfig = field(default_factory=TrainConfig)


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; what it does not set keeps its default.

    Raises:
        ConfigError: no such file, not YAML, unknown or wrong values.
    """
    try:
        raw = read_yaml(path)
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError("no recipe can be read", got=f"{path}: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError("a recipe is a mapping", got=type(raw).__name__)
    values = dict(raw)
    train = values.pop("train", {})
    stages = train.get("stages", ()) if isinstance(train, dict) else ()
    if not isinstance(train, dict) or not isinstance(stages, list | tuple):
        raise ConfigError("train and its stages", got=str(train)[:200], allowed="mapping and list")
    if "stages" in train:
        train = {**train, "stages": tuple(_section(Stage, item) for item in stages)}
    return _section(
        Recipe,
        {
            **values,
            "model": _section(ModelSize, values.get("model", {})),
            "train": _section(TrainConfig, train),
        },
    )


def _section(kind: type[Section], raw: object) -> Section:
    if not isinstance(raw, Mapping):
        raise ConfigError(
            f"{kind.__name__} has to be a mapping",
            got=raw,
            next_step="A recipe for a published model is trained with --data instead of --sim.",
        )
    names = {item.name for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if unknown := set(raw) - names:
        raise ConfigError(
            f"unknown key in {kind.__name__}", got=sorted(map(str, unknown)), allowed=names
        )
    try:
        return kind(**raw)
    except TypeError as error:
        raise ConfigError(f"{kind.__name__} is incomplete", got=str(error)) from None
