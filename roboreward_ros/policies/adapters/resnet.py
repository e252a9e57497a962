# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Residual image networks (He et al. 2016) under the names that torchvision saves them with.

Written out, since torchvision's operators do not load beside a CPU build of torch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

Norm = Callable[[int], nn.Module]
_LAYERS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}
BACKBONES = tuple(_LAYERS)
_STRIDE = 32


class BasicBlock(nn.Module):
    """Two 3x3 convolutions."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = norm(width)
        self.downsample = _shortcut(inputs, width, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return functional.relu(out + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1 to four times the width."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = norm(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = norm(4 * width)
        self.downsample = _shortcut(inputs, 4 * width, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv1(x)))
        out = functional.relu(self.bn2(self.conv2(out)))
        return functional.relu(self.bn3(self.conv3(out)) + self.downsample(x))


def _shortcut(inputs: int, outputs: int, stride: int, norm: Norm) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), norm(outputs))


def backbone(name: str, group_norm: bool) -> nn.Sequential:
    """Everything before the pooling: ``[B, 3, H, W]`` to maps of a 32nd of the size.

    Args:
        name: one of ``BACKBONES``.
        group_norm: groups of 16 channels in place of batch statistics.
    """

    def norm(width: int) -> nn.Module:
        return nn.GroupNorm(width // 16, width) if group_norm else nn.BatchNorm2d(width)

    block = BasicBlock if name in ("resnet18", "resnet34") else Bottleneck
    inputs, stages = 64, []
    for stage, (count, width) in enumerate(zip(_LAYERS[name], (64, 128, 256, 512), strict=True)):
        blocks = []
        for index in range(count):
            stride = 2 if stage > 0 and index == 0 else 1
            blocks.append(block(inputs, width, stride, norm))
            inputs = width * block.expansion
        stages.append(nn.Sequential(*blocks))
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), norm(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*stem, *stages)


def map_shape(name: str, height: int, width: int) -> tuple[int, int, int]:
    """Channels, height and width of the backbone's maps for pictures of a size."""
    channels = 512 if name in ("resnet18", "resnet34") else 2048
    return channels, -(-height // _STRIDE), -(-width // _STRIDE)


class Keypoints(nn.Module):
    """Expected picture position of each of K channels, ``[B, K, 2]`` in [-1, 1]."""

    def __init__(self, maps: tuple[int, int, int], keypoints: int) -> None:
        super().__init__()
        channels, height, width = maps
        self.nets = nn.Conv2d(channels, keypoints, 1)
        y, x = torch.meshgrid(
            torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
        )
        self.register_buffer("pos_grid", torch.stack([x.flatten(), y.flatten()], dim=1))
        self.pos_grid: Tensor

    def forward(self, maps: Tensor) -> Tensor:
        weights = torch.softmax(self.nets(maps).flatten(2), dim=-1)
        return weights @ self.pos_grid
