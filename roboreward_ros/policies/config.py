# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What fixes a diffusion policy (architecture, sampler) and how one is trained."""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.errors import ConfigError
from roboreward_ros.types import ACTION_DIM, PROPRIO_DIM

MAX_FEATURES = 160
# A damaged description is refused before something of its size is built.
MAX_BLOCKS = 100
MAX_SIZE = 65_536
MAX_TRAIN_STEPS = 10_000


def _positive(owner: str, **values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ConfigError(f"{owner}.{name} is not positive", got=value, allowed="> 0")


def check_sizes(owner: str, *, most: int = MAX_SIZE, **sizes: int) -> None:
    """Refuse a size that is no whole number in 1..most.

    Raises:
        ConfigError: names the owner and the size.
    """
    for name, size in sizes.items():
        if type(size) is not int or not 1 <= size <= most:
            raise ConfigError(f"{owner}.{name} is out of range", got=size, allowed=f"1..{most}")


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes of encoder and denoiser; stored in the checkpoint.

    Attributes:
        image_size: side in pixels that images are resized to.
        channels: output channels of the four convolutions; each channel of the last becomes one
            keypoint by spatial softmax.
        visual_dim: length of the visual part of the features.
        text_dim: length of the sentence embedding.
        prediction_horizon: P, actions per decision.
        chunk_size: C <= P, actions executed per decision.
        hidden: width of the denoiser.
        blocks: residual blocks of the denoiser.
        control_hz: rate of the demonstrations' actions.
    """

    image_size: int = 64
    channels: tuple[int, int, int, int] = (16, 32, 32, 32)
    visual_dim: int = 48
    text_dim: int = 16
    prediction_horizon: int = 4
    chunk_size: int = 4
    hidden: int = 256
    blocks: int = 3
    control_hz: float = 5.0

    def __post_init__(self) -> None:
        _positive("NetworkConfig", control_hz=self.control_hz)
        check_sizes(
            "NetworkConfig",
            image_size=self.image_size,
            visual_dim=self.visual_dim,
            text_dim=self.text_dim,
            prediction_horizon=self.prediction_horizon,
            chunk_size=self.chunk_size,
            hidden=self.hidden,
        )
        check_sizes("NetworkConfig", most=MAX_BLOCKS, blocks=self.blocks)
        if len(self.channels) != 4 or not 1 <= min(self.channels) <= max(self.channels) <= MAX_SIZE:
            raise ConfigError(
                "NetworkConfig.channels are wrong",
                got=self.channels,
                allowed=f"four, each 1..{MAX_SIZE}",
            )
        if self.image_size < 16 or self.image_size % 4:
            raise ConfigError(
                "NetworkConfig.image_size is wrong",
                got=self.image_size,
                allowed="a multiple of 4, at least 16 px",
            )
        if self.chunk_size > self.prediction_horizon:
            raise ConfigError(
                "a policy cannot execute more actions than it predicts",
                got=f"chunk_size {self.chunk_size}",
                allowed=f"1..{self.prediction_horizon}",
            )
        if self.feature_dim > MAX_FEATURES:
            raise ConfigError(
                "features are too long", got=self.feature_dim, allowed=f"at most {MAX_FEATURES}"
            )

    @property
    def feature_dim(self) -> int:
        """F: visual part, normalised proprioception, sentence."""
        return self.visual_dim + PROPRIO_DIM + self.text_dim

    @property
    def chunk_dim(self) -> int:
        """Length of a flattened chunk and of its noise."""
        return self.prediction_horizon * ACTION_DIM


@dataclass(frozen=True, slots=True)
class SamplerConfig:
    """The deterministic sampler; stored in the checkpoint since it is part of the policy.

    Attributes:
        train_steps: T of the cosine schedule.
        sample_steps: DDIM steps of one decode.
        prediction: what the network predicts, ``v`` or ``eps``.
        clip_x0: bound on the predicted clean chunk (normalised units) at each step; 0 is off. Off
            keeps the map from noise to actions smooth and invertible.
    """

    train_steps: int = 64
    sample_steps: int = 8
    prediction: str = "v"
    clip_x0: float = 0.0

    def __post_init__(self) -> None:
        if self.train_steps > MAX_TRAIN_STEPS:
            raise ConfigError(
                "SamplerConfig.train_steps is too large",
                got=self.train_steps,
                allowed=f"at most {MAX_TRAIN_STEPS}",
            )
        if not 1 <= self.sample_steps <= self.train_steps:
            raise ConfigError(
                "SamplerConfig.sample_steps does not fit",
                got=self.sample_steps,
                allowed=f"1..{self.train_steps}",
            )
        if self.prediction not in ("v", "eps"):
            raise ConfigError(
                "SamplerConfig.prediction is unknown", got=self.prediction, allowed=("v", "eps")
            )
        if self.clip_x0 < 0:
            raise ConfigError("SamplerConfig.clip_x0 is negative", got=self.clip_x0, allowed=">= 0")
        if self.prediction == "eps" and self.clip_x0 == 0:
            raise ConfigError(
                "eps prediction divides by the vanishing signal of the first step",
                got="clip_x0 0",
                allowed="clip_x0 > 0",
                next_step="Bound the clean chunk, or predict v.",
            )


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Behaviour cloning.

    Attributes:
        steps: optimiser steps.
        encoder_steps: after so many steps the image encoder is frozen at its averaged weights and
            the rest trains on cached keypoints, many times faster; 0 trains it to the end.
        batch_size: images per step while the encoder trains.
        frozen_batch_size: rows per step afterwards.
        noises_per_image: denoising targets drawn per encoded image (encoding costs most); 1 once
            the encoder is frozen.
        learning_rate: peak of the cosine schedule.
        warmup_steps: linear warm-up of the learning rate.
        weight_decay: of AdamW.
        ema_decay: decay of the averaged weights, which are the ones that are shipped.
        position_weight: weight of the training-only loss on object positions; 0 is off.
        seed: of initialisation, batches and noise.
    """

    steps: int = 20_000
    encoder_steps: int = 8_000
    batch_size: int = 64
    frozen_batch_size: int = 256
    noises_per_image: int = 2
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    weight_decay: float = 1e-4
    ema_decay: float = 0.999
    position_weight: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        _positive(
            "TrainConfig",
            steps=self.steps,
            batch_size=self.batch_size,
            frozen_batch_size=self.frozen_batch_size,
            noises_per_image=self.noises_per_image,
            learning_rate=self.learning_rate,
        )
        if not 0 <= self.ema_decay < 1:
            raise ConfigError("TrainConfig.ema_decay", got=self.ema_decay, allowed="0 <= decay < 1")
        not_negative = (
            self.encoder_steps,
            self.warmup_steps,
            self.weight_decay,
            self.position_weight,
            self.seed,
        )
        if min(not_negative) < 0:
            raise ConfigError("TrainConfig has a negative value", got=self, allowed=">= 0")
