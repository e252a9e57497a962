# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network: image and sentence to features, features and noisy chunk to a prediction.

Images pass four convolutions and a spatial softmax, which turns each channel into the expected
position of what it looks for (Levine et al. 2016); a small MLP mixes these keypoints with the
sentence. Features are ``[visual, normalised proprioception, sentence]``, the whole conditioning
of the denoiser, so that whoever steers the noise can see all that the policy sees.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.policies.config import NetworkConfig
from roboreward_ros.types import PROPRIO_DIM

_TIME_DIM = 32


class SpatialSoftmax(nn.Module):
    """Expected image position of each channel: ``[B, C, H, W]`` -> ``[B, 2 C]`` in [-1, 1]."""

    def __init__(self, side: int) -> None:
        super().__init__()
        line = torch.linspace(-1, 1, side)
        grid_y, grid_x = torch.meshgrid(line, line, indexing="ij")
        grid = torch.stack([grid_x.flatten(), grid_y.flatten()], dim=1)
        self.register_buffer("grid", grid, persistent=False)
        self.grid: Tensor
        self.log_temperature = nn.Parameter(torch.zeros(()))

    def forward(self, maps: Tensor) -> Tensor:
        weights = torch.softmax(maps.flatten(2) * self.log_temperature.exp(), dim=-1)
        return (weights @ self.grid).flatten(1)


class ImageEncoder(nn.Module):
    """uint8 images ``[B, S, S, 3]`` to keypoints ``[B, 2 C]``."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        a, b, c, d = config.channels
        self.layers = nn.Sequential(
            nn.Conv2d(3, a, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(a, b, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(b, c, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(c, d, 3, padding=1),
        )
        self.keypoints = SpatialSoftmax(config.image_size // 4)

    def forward(self, images: Tensor) -> Tensor:
        scaled = images.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1
        keypoints: Tensor = self.keypoints(self.layers(scaled))
        return keypoints


class Block(nn.Module):
    """Residual MLP block, normalised first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.down(functional.silu(self.up(self.norm(x))))
        return out


class PolicyNetwork(nn.Module):
    """Encoder and denoiser.

    Args:
        config: sizes.
        vocabulary_size: V, words of the trained tasks.
    """

    def __init__(self, config: NetworkConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.config = config
        self.text = nn.Linear(vocabulary_size, config.text_dim, bias=False)
        self.image = ImageEncoder(config)
        self.fuse = nn.Sequential(
            nn.Linear(2 * config.channels[-1] + config.text_dim, 128),
            nn.SiLU(),
            nn.Linear(128, config.visual_dim),
            nn.LayerNorm(config.visual_dim),
        )
        width = config.hidden
        self.enter_chunk = nn.Linear(config.chunk_dim, width)
        self.enter_features = nn.Linear(config.feature_dim, width)
        self.enter_time = nn.Linear(_TIME_DIM, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(config.blocks)))
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, config.chunk_dim))

    def features(self, images: Tensor, proprio: Tensor, bags: Tensor) -> Tensor:
        """``[B, F]`` from uint8 images ``[B, S, S, 3]``, unit proprio ``[B, 7]``, ``[B, V]``."""
        return self.mix(self.image(images), proprio, bags)

    def mix(self, keypoints: Tensor, proprio: Tensor, bags: Tensor) -> Tensor:
        """``features`` from the image's keypoints ``[B, 2 C]``."""
        sentence = self.text(bags)
        visual = self.fuse(torch.cat([keypoints, sentence], dim=1))
        return torch.cat([visual, proprio, sentence], dim=1)

    def condition(self, features: Tensor) -> Tensor:
        """The part of the denoiser's first layer that stays the same over all its steps."""
        entered: Tensor = self.enter_features(features)
        return entered

    def predict(self, chunk: Tensor, times: Tensor, condition: Tensor) -> Tensor:
        """Prediction ``[B, P*7]`` for noisy chunks ``[B, P*7]`` at times ``[B]`` in [0, 1]."""
        x = condition + self.enter_chunk(chunk) + self.enter_time(time_waves(times))
        out: Tensor = self.leave(self.blocks(x))
        return out

    def split(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Visual part, unit proprioception and sentence of features ``[B, F]``."""
        visual, proprio, sentence = torch.split(
            features, [self.config.visual_dim, PROPRIO_DIM, self.config.text_dim], dim=1
        )
        return visual, proprio, sentence


def time_waves(times: Tensor) -> Tensor:
    """Sines and cosines ``[B, 32]`` of times ``[B]`` in [0, 1] at octaves from 1/4 to 256 turns."""
    octaves = torch.logspace(-2, 8, _TIME_DIM // 2, base=2.0, dtype=torch.float32)
    angles = 2 * math.pi * times.unsqueeze(-1) * octaves.to(times.device)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
