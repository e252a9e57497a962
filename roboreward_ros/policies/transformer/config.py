# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sizes of the diffusion transformer and how one is trained; numpy-free, torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.config import MAX_BLOCKS, MAX_SIZE, check_sizes
from roboreward_ros.types import ACTION_DIM, PROPRIO_DIM

MAX_FEATURES = 2048


class Vision(StrEnum):
    """What makes tokens of a picture."""

    CONV = "conv"  # four convolutions, from scratch
    PRETRAINED = "pretrained"  # a vision model of transformers: ViT, DINOv2, SigLIP, ResNet, ...


class Padding(StrEnum):
    """What a chunk that reaches beyond its episode's end teaches there."""

    STAY = "stay"  # zero deltas and the last gripper command, as at the end of a finished task
    MASK = "mask"  # nothing


class Precision(StrEnum):
    """Arithmetic of a training."""

    AUTO = "auto"  # bfloat16 on a GPU that has it, else float32
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True, slots=True)
class TransformerConfig:
    """Sizes; stored in the checkpoint.

    Attributes:
        image_size: side in pixels that pictures are resized to.
        vision: see ``Vision``.
        channels: output channels of the four convolutions; not used by a pre-trained model.
        tokens: K, learned queries that look at the picture's tokens.
        token_dim: numbers that each query passes on.
        text_dim: length of the sentence in the features.
        hidden: width of queries and denoiser.
        depth: blocks of the denoiser.
        heads: attention heads, of queries and denoiser.
        prediction_horizon: P, actions per decision.
        chunk_size: C <= P, actions executed per decision.
        control_hz: rate of the demonstrations' actions, 1/s.
        open_vocabulary: accept sentences that were not trained on; needs a pre-trained text model.
        pixel_mean, pixel_spread: of red, green and blue in 0..1, as the vision model wants them.
    """

    image_size: int = 64
    vision: Vision = Vision.CONV
    channels: tuple[int, ...] = (16, 32, 32, 48)
    tokens: int = 4
    token_dim: int = 16
    text_dim: int = 16
    hidden: int = 128
    depth: int = 3
    heads: int = 4
    prediction_horizon: int = 4
    chunk_size: int = 4
    control_hz: float = 5.0
    open_vocabulary: bool = False
    pixel_mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    pixel_spread: tuple[float, ...] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        check_sizes(
            "TransformerConfig",
            image_size=self.image_size,
            tokens=self.tokens,
            token_dim=self.token_dim,
            text_dim=self.text_dim,
            hidden=self.hidden,
            heads=self.heads,
            prediction_horizon=self.prediction_horizon,
            chunk_size=self.chunk_size,
        )
        check_sizes("TransformerConfig", most=MAX_BLOCKS, depth=self.depth)
        if self.hidden % self.heads:
            raise ConfigError(
                "TransformerConfig.hidden does not split into heads",
                got=f"{self.hidden} by {self.heads}",
            )
        if len(self.channels) != 4 or not 1 <= min(self.channels) <= max(self.channels) <= MAX_SIZE:
            raise ConfigError(
                "TransformerConfig.channels", got=self.channels, allowed=f"four, each 1..{MAX_SIZE}"
            )
        if self.image_size < 16 or self.image_size % 4:
            raise ConfigError(
                "TransformerConfig.image_size",
                got=self.image_size,
                allowed="a multiple of 4, at least 16 px",
            )
        if self.chunk_size > self.prediction_horizon:
            raise ConfigError(
                "a policy cannot execute more actions than it predicts",
                got=f"chunk_size {self.chunk_size}",
                allowed=f"1..{self.prediction_horizon}",
            )
        if not 0 < self.control_hz <= 1000:
            raise ConfigError(
                "TransformerConfig.control_hz", got=self.control_hz, allowed="0..1000"
            )
        if self.feature_dim > MAX_FEATURES:
            raise ConfigError(
                "features are too long", got=self.feature_dim, allowed=f"at most {MAX_FEATURES}"
            )
        colours = (self.pixel_mean, self.pixel_spread)
        if any(len(each) != 3 for each in colours) or min(self.pixel_spread) <= 0:
            raise ConfigError(
                "pixel_mean and pixel_spread", got=colours, allowed="three, spread > 0"
            )

    @property
    def feature_dim(self) -> int:
        """F: picture, normalised proprioception, sentence."""
        return self.tokens * self.token_dim + PROPRIO_DIM + self.text_dim

    @property
    def chunk_dim(self) -> int:
        """Length of a flattened chunk and of its noise."""
        return self.prediction_horizon * ACTION_DIM


@dataclass(frozen=True, slots=True)
class CloneConfig:
    """Behaviour cloning from a row store.

    Attributes:
        steps: optimiser steps.
        batch_size: rows of a step.
        accumulate: parts that a step's rows are worked off in, to save memory; same result.
        noises_per_image: denoising targets drawn per encoded picture (encoding costs most).
        learning_rate: peak of the cosine schedule.
        warmup_steps: linear warm-up of the learning rate.
        vision_rate: a pre-trained vision model's share of the learning rate; 0 freezes it.
        weight_decay: of AdamW.
        ema_decay: decay of the averaged weights, which are the ones that are shipped.
        padding: see ``Padding``.
        crop: smallest share of the picture's side that augmentation keeps; 1 is off.
        colour: largest relative change of brightness, contrast and saturation; 0 is off.
        validation: share of the episodes that are held out.
        validation_rows: rows of them that are looked at; all of them if they are fewer.
        validate_every: steps between validations.
        save_every: steps between saved states; a killed training goes on from the last one.
        precision: see ``Precision``.
        workers: threads that read pictures ahead; 0 reads in the training's own.
        seed: of initialisation, split, batches, augmentation and noise.
    """

    steps: int = 10_000
    batch_size: int = 64
    accumulate: int = 1
    noises_per_image: int = 4
    learning_rate: float = 5e-4
    warmup_steps: int = 200
    vision_rate: float = 0.1
    weight_decay: float = 1e-4
    ema_decay: float = 0.999
    padding: Padding = Padding.STAY
    crop: float = 0.9
    colour: float = 0.1
    validation: float = 0.05
    validation_rows: int = 512
    validate_every: int = 500
    save_every: int = 500
    precision: Precision = Precision.AUTO
    workers: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        least = {
            1: ("steps", "batch_size", "accumulate", "noises_per_image", "validation_rows",
                "validate_every", "save_every"),
            0: ("warmup_steps", "vision_rate", "weight_decay", "colour", "validation", "workers",
                "seed"),
        }  # fmt: skip
        for bound, names in least.items():
            for name in names:
                if getattr(self, name) < bound:
                    raise ConfigError(
                        f"CloneConfig.{name}", got=getattr(self, name), allowed=f">= {bound}"
                    )
        if self.batch_size % self.accumulate:
            raise ConfigError(
                "CloneConfig.accumulate does not divide the batch",
                got=self.accumulate,
                allowed=f"a divisor of {self.batch_size}",
            )
        if not self.learning_rate > 0 or not 0 <= self.ema_decay < 1:
            raise ConfigError(
                "CloneConfig.learning_rate and ema_decay",
                got=(self.learning_rate, self.ema_decay),
                allowed="> 0, and 0 <= decay < 1",
            )
        if not 0.5 <= self.crop <= 1 or self.colour >= 1 or self.validation >= 1:
            raise ConfigError(
                "CloneConfig.crop, colour and validation",
                got=(self.crop, self.colour, self.validation),
                allowed="0.5..1, below 1, below 1",
            )
