# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The networks of bridge_data_v2's ``gc_ddpm_bc`` (Walke et al. 2023) under Flax's names.

A residual encoder sees observation and goal stacked in their channels; an MLP denoises the chunk.
Convolutions pad as TensorFlow's "SAME": with a stride, one more on the far side.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.policies.adapters.gc_ddpm_config import STAGES, GcDdpmConfig
from roboreward_ros.types import ACTION_DIM

_HIDDEN = 256
_GROUPS = 4
_LAYER_NORM_EPS = 1e-6  # Flax's


def _same(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """``x [B, C, H, W]`` padded so that ceil(size / stride) outputs remain."""
    pads = []
    for size in (x.shape[-1], x.shape[-2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return functional.pad(x, pads, value=value)


class SameConv(nn.Conv2d):
    """Convolution without bias, "SAME"."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, bias=False)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's own name
        return super().forward(_same(input, self.kernel_size[0], self.stride[0]))


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(_GROUPS, channels, eps=1e-5)


class ResNetBlock(nn.Module):
    """Two convolutions and a shortcut; the activation is the encoder's."""

    def __init__(self, inputs: int, outputs: int, stride: int, swish: bool) -> None:
        super().__init__()
        self._act = functional.silu if swish else functional.relu
        self.Conv_0 = SameConv(inputs, outputs, 3, stride)
        self.MyGroupNorm_0 = _norm(outputs)
        self.Conv_1 = SameConv(outputs, outputs, 3)
        self.MyGroupNorm_1 = _norm(outputs)
        self._shortcut = stride != 1 or inputs != outputs
        if self._shortcut:
            self.conv_proj = SameConv(inputs, outputs, 1, stride)
            self.norm_proj = _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        out = self._act(self.MyGroupNorm_0(self.Conv_0(x)))
        out = self.MyGroupNorm_1(self.Conv_1(out))
        rest = self.norm_proj(self.conv_proj(x)) if self._shortcut else x
        return self._act(rest + out)


class GoalEncoder(nn.Module):
    """uint8 pictures and goals ``[B, H, W, 3]`` each to ``[B, 512]``."""

    def __init__(self, config: GcDdpmConfig) -> None:
        super().__init__()
        self._swish = config.act == "swish"
        self._places = config.add_spatial_coordinates
        self.conv_init = nn.Conv2d(8 if self._places else 6, 64, 7, 2, 3, bias=False)
        self.norm_init = _norm(64)
        inputs, number = 64, 0
        for stage, count in enumerate(STAGES[config.encoder]):
            outputs = 64 * 2**stage
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                block = ResNetBlock(inputs, outputs, stride, self._swish)
                self.add_module(f"ResNetBlock_{number}", block)
                inputs, number = outputs, number + 1
        self._blocks = number

    def forward(self, pictures: Tensor, goals: Tensor) -> Tensor:
        x = torch.cat([pictures, goals], dim=-1).permute(0, 3, 1, 2).to(torch.float32)
        x = x / 127.5 - 1
        if self._places:
            rows, columns = (
                torch.arange(size, device=x.device, dtype=torch.float64) / (size - 1) * 2 - 1
                for size in x.shape[-2:]
            )
            grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij")).to(torch.float32)
            x = torch.cat([x, grid.expand(len(x), -1, -1, -1)], dim=1)
        act = functional.silu if self._swish else functional.relu
        x = act(self.norm_init(self.conv_init(x)))
        x = functional.max_pool2d(_same(x, 3, 2, -math.inf), 3, 2)
        for number in range(self._blocks):
            x = self.get_submodule(f"ResNetBlock_{number}")(x)
        return x.mean(dim=(-2, -1))


class MLPResNetBlock(nn.Module):
    """Residual MLP block of four times the width."""

    def __init__(self, layer_norm: bool) -> None:
        super().__init__()
        self.LayerNorm_0 = (
            nn.LayerNorm(_HIDDEN, eps=_LAYER_NORM_EPS) if layer_norm else nn.Identity()
        )
        self.Dense_0 = nn.Linear(_HIDDEN, 4 * _HIDDEN)
        self.Dense_1 = nn.Linear(4 * _HIDDEN, _HIDDEN)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.Dense_1(functional.silu(self.Dense_0(self.LayerNorm_0(x))))
        return out


class ReverseNetwork(nn.Module):
    """Step, encodings and noisy chunk to the noise in it."""

    def __init__(self, config: GcDdpmConfig) -> None:
        super().__init__()
        chunk = config.act_pred_horizon * ACTION_DIM
        self.Dense_0 = nn.Linear(config.time_dim + config.feature_dim + chunk, _HIDDEN)
        for number in range(config.num_blocks):
            self.add_module(f"MLPResNetBlock_{number}", MLPResNetBlock(config.use_layer_norm))
        self._blocks = config.num_blocks
        self.Dense_1 = nn.Linear(_HIDDEN, chunk)

    def forward(self, x: Tensor) -> Tensor:
        x = self.Dense_0(x)
        for number in range(self._blocks):
            x = self.get_submodule(f"MLPResNetBlock_{number}")(x)
        out: Tensor = self.Dense_1(functional.silu(x))
        return out


class _Named(nn.Module):
    """Holds children under the names of a checkpoint."""

    def __init__(self, **children: nn.Module) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)


class Fourier(nn.Module):
    """Learned frequencies: training steps ``[B, 1]`` to ``[B, time_dim]``."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, dim // 2))

    def forward(self, steps: Tensor) -> Tensor:
        angles = 2 * math.pi * steps @ self.weight
        return torch.cat([angles.cos(), angles.sin()], dim=-1)


class GcDdpm(nn.Module):
    """The actor of a checkpoint."""

    def __init__(self, config: GcDdpmConfig) -> None:
        super().__init__()
        time = config.time_dim
        self.encoder = _Named(encoder=GoalEncoder(config))
        self.time_preprocess = Fourier(time)
        self.cond_encoder = _Named(
            Dense_0=nn.Linear(time, 2 * time), Dense_1=nn.Linear(2 * time, time)
        )
        self.reverse_network = ReverseNetwork(config)

    def features(self, pictures: Tensor, goals: Tensor) -> Tensor:
        """``[B, F]`` from uint8 pictures ``[B, n, H, W, 3]`` and goals ``[B, H, W, 3]``."""
        rows, steps = pictures.shape[:2]
        encoder = self.encoder.get_submodule("encoder")
        encoded = encoder(pictures.flatten(0, 1), goals.repeat_interleave(steps, dim=0))
        features: Tensor = encoded.unflatten(0, (rows, steps)).flatten(1)
        return features

    def predict(self, chunk: Tensor, step: int, features: Tensor) -> Tensor:
        """The noise ``[B, P*7]`` in noisy chunks ``[B, P*7]`` at a training step."""
        steps = chunk.new_full((len(chunk), 1), float(step))
        first, second = self.cond_encoder.children()
        time = second(functional.silu(first(self.time_preprocess(steps))))
        noise: Tensor = self.reverse_network(torch.cat([time, features, chunk], dim=-1))
        return noise
