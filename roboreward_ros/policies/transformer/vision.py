# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures to tokens: four convolutions, or a vision model of transformers.

Each token carries its place in the picture as two more numbers, so that a query which attends to
an object passes on where it is (the expected position of a spatial softmax, Levine et al. 2016).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.transformer.config import TransformerConfig
from roboreward_ros.policies.transformer.pretrained import load_part
from roboreward_ros.wheels import prepare_torchvision

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


class ConvTokens(nn.Module):
    """Normalised pictures ``[B, 3, S, S]`` to tokens ``[B, (S/4)^2, C]``."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        a, b, c, self.width = config.channels
        self.layers = nn.Sequential(
            nn.Conv2d(3, a, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(a, b, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(b, c, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(c, self.width, 3, padding=1),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        maps: Tensor = self.layers(pixels)
        return maps.flatten(2).mT


class PretrainedTokens(nn.Module):
    """Tokens of a vision model of transformers, without its class and register tokens.

    Args:
        config: its configuration as stored in a policy's description.
        image_size: side of the pictures, px.

    Raises:
        CheckpointError: no vision model, or one of another interface.
    """

    def __init__(self, config: Mapping[str, Json], image_size: int) -> None:
        super().__init__()
        prepare_torchvision()
        from transformers import AutoConfig, AutoModel

        values = dict(config)
        kind = str(values.pop("model_type", ""))
        try:
            built = AutoConfig.for_model(kind, **values)
            self.model: PreTrainedModel = AutoModel.from_config(built)
        except (KeyError, ValueError, TypeError) as error:
            raise CheckpointError(
                "the vision model cannot be built", got=f"{kind}: {str(error)[:300]}"
            ) from None
        patch = getattr(built, "patch_size", 0)
        self._side = image_size // int(patch) if patch else 0
        sizes = getattr(built, "hidden_sizes", None)
        self.width = int(sizes[-1] if sizes else built.hidden_size)

    def forward(self, pixels: Tensor) -> Tensor:
        states: Tensor = self.model(pixel_values=pixels).last_hidden_state
        if states.ndim == 4:
            return states.flatten(2).mT
        # Patches come last, after the class and register tokens where a model has them.
        return states[:, -(self._side**2) :]


def read_vision(folder: Path, image_size: int) -> tuple[dict[str, Json], dict[str, Tensor]]:
    """Configuration and weights of a vision model's folder, or of a two-tower model's first tower.

    Args:
        folder: as transformers saves it, with safetensors.
        image_size: side of the pictures it will get, px.

    Raises:
        CheckpointError: missing or damaged, or pictures of another size than its positions allow.
    """
    config, model = load_part(folder, "vision")
    patch = int(getattr(config, "patch_size", 0) or 0)
    if patch and image_size % patch:
        raise ConfigError("image_size is no multiple of the patches", got=image_size, allowed=patch)
    interpolates = config.model_type.startswith("dinov2")
    if patch and not interpolates and int(config.image_size) != image_size:
        raise ConfigError(
            "the vision model has positions for another picture size",
            got=image_size,
            allowed=config.image_size,
            next_step="Set network.image_size of the recipe to it.",
        )
    weights = {name: value.detach() for name, value in model.state_dict().items()}
    return dict(config.to_dict()), weights


def places(count: int) -> Tensor:
    """Where ``count`` tokens of a square picture lie: x and y in [-1, 1], ``[count, 2]``."""
    side = math.isqrt(count)
    if side * side != count:
        raise ConfigError("tokens of a picture are no square", got=count)
    line = torch.linspace(-1, 1, side)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)
