# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LeRobot's diffusion policy (Chi et al. 2023) under the names it saves: picture encoder and U-Net.

Held equal to lerobot 0.4.4 by ``tools/parity/check_lerobot.py`` and by stored outputs in the tests.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.policies.adapters.lerobot_config import LeRobotDiffusionConfig
from roboreward_ros.policies.adapters.resnet import Keypoints, backbone, map_shape
from roboreward_ros.types import ACTION_DIM


class PictureEncoder(nn.Module):
    """Normalised pictures ``[B, 3, H, W]`` to ``[B, 2 K]``: resize, centre crop, keypoints."""

    def __init__(self, config: LeRobotDiffusionConfig) -> None:
        super().__init__()
        self._resize, self._crop = config.resize_shape, config.crop_shape
        keypoints = config.spatial_softmax_num_keypoints
        self.backbone = backbone(config.vision_backbone, config.use_group_norm)
        self.pool = Keypoints(map_shape(config.vision_backbone, *config.network_shape), keypoints)
        self.out = nn.Linear(2 * keypoints, 2 * keypoints)

    def forward(self, x: Tensor) -> Tensor:
        if self._resize is not None and x.shape[-2:] != self._resize:
            x = functional.interpolate(
                x, self._resize, mode="bilinear", antialias=True, align_corners=False
            )
        if self._crop is not None:
            height, width = self._crop
            top = round((x.shape[-2] - height) / 2)
            left = round((x.shape[-1] - width) / 2)
            x = x[..., top : top + height, left : left + width]
        return functional.relu(self.out(self.pool(self.backbone(x)).flatten(1)))


class ConvBlock(nn.Module):
    """Convolution along time, normalisation, Mish."""

    def __init__(self, inputs: int, outputs: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2),
            nn.GroupNorm(groups, outputs),
            nn.Mish(),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.block(x)
        return out


class FilmBlock(nn.Module):
    """Two convolutions around a modulation by the condition ``[B, D]``."""

    def __init__(
        self, inputs: int, outputs: int, condition: int, c: LeRobotDiffusionConfig
    ) -> None:
        super().__init__()
        self._scales = c.use_film_scale_modulation
        self.conv1 = ConvBlock(inputs, outputs, c.kernel_size, c.n_groups)
        width = 2 * outputs if self._scales else outputs
        self.cond_encoder = nn.Sequential(nn.Mish(), nn.Linear(condition, width))
        self.conv2 = ConvBlock(outputs, outputs, c.kernel_size, c.n_groups)
        self.residual_conv = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        out = self.conv1(x)
        film = self.cond_encoder(condition).unsqueeze(-1)
        if self._scales:
            scale, shift = film.chunk(2, dim=1)
            out = scale * out + shift
        else:
            out = out + film
        result: Tensor = self.conv2(out) + self.residual_conv(x)
        return result


class Waves(nn.Module):
    """Sines and cosines ``[B, D]`` of a training step ``[B]``."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self._half = dim // 2

    def forward(self, steps: Tensor) -> Tensor:
        octave = math.log(10000) / (self._half - 1)
        rates = torch.exp(torch.arange(self._half, device=steps.device) * -octave)
        angles = steps.unsqueeze(-1) * rates
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


class UNet(nn.Module):
    """Noisy chunk ``[B, P, 7]``, training steps ``[B]``, condition ``[B, F]`` to a prediction."""

    def __init__(self, config: LeRobotDiffusionConfig, features: int) -> None:
        super().__init__()
        embed, dims = config.diffusion_step_embed_dim, config.down_dims
        self.diffusion_step_encoder = nn.Sequential(
            Waves(embed), nn.Linear(embed, 4 * embed), nn.Mish(), nn.Linear(4 * embed, embed)
        )

        def film(inputs: int, outputs: int) -> FilmBlock:
            return FilmBlock(inputs, outputs, embed + features, config)

        self.down_modules = nn.ModuleList()
        for index, (a, b) in enumerate(zip((ACTION_DIM, *dims), dims, strict=False)):
            last = index == len(dims) - 1
            shrink = nn.Identity() if last else nn.Conv1d(b, b, 3, 2, 1)
            self.down_modules.append(nn.ModuleList([film(a, b), film(b, b), shrink]))
        self.mid_modules = nn.ModuleList([film(dims[-1], dims[-1]), film(dims[-1], dims[-1])])
        self.up_modules = nn.ModuleList()
        for a, b in zip(dims[:0:-1], dims[-2::-1], strict=True):
            grow = nn.ConvTranspose1d(b, b, 4, 2, 1)
            self.up_modules.append(nn.ModuleList([film(2 * a, b), film(b, b), grow]))
        self.final_conv = nn.Sequential(
            ConvBlock(dims[0], dims[0], config.kernel_size, 8), nn.Conv1d(dims[0], ACTION_DIM, 1)
        )

    def forward(self, chunk: Tensor, steps: Tensor, features: Tensor) -> Tensor:
        x = chunk.transpose(1, 2)
        condition = torch.cat([self.diffusion_step_encoder(steps), features], dim=-1)
        kept = []
        for stage in self.down_modules:
            first, second, shrink = cast("nn.ModuleList", stage)
            x = second(first(x, condition), condition)
            kept.append(x)
            x = shrink(x)
        for block in self.mid_modules:
            x = block(x, condition)
        for stage in self.up_modules:
            first, second, grow = cast("nn.ModuleList", stage)
            x = torch.cat([x, kept.pop()], dim=1)
            x = grow(second(first(x, condition), condition))
        out: Tensor = self.final_conv(x).transpose(1, 2)
        return out


class LeRobotDiffusion(nn.Module):
    """Both networks as one checkpoint holds them."""

    def __init__(self, config: LeRobotDiffusionConfig) -> None:
        super().__init__()
        self.rgb_encoder = PictureEncoder(config)
        self.unet = UNet(config, config.feature_dim)

    def features(self, pictures: Tensor, state: Tensor) -> Tensor:
        """``[B, F]`` from normalised pictures ``[B, n, 3, H, W]`` and state ``[B, n, S]``."""
        rows, steps = pictures.shape[:2]
        visual = self.rgb_encoder(pictures.flatten(0, 1)).unflatten(0, (rows, steps))
        return torch.cat([state, visual], dim=-1).flatten(1)
