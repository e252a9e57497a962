# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``TransformerPolicy``: the Policy protocol over a trained diffusion transformer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from roboreward_ros.policies.adapters.base import Adapter
from roboreward_ros.policies.decoding import Decoding
from roboreward_ros.policies.transformer.files import load_network, read_description, spec_of
from roboreward_ros.policies.transformer.sentences import open_sentences
from roboreward_ros.types import Float32Array, FloatArray


class TransformerPolicy(Decoding, Adapter):
    """A frozen policy steered by its noise.

    Args:
        folder: what a training wrote.
        device: torch device.

    Raises:
        CheckpointError: missing or damaged files, weights that do not fit.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        description = read_description(folder)
        size = description.network.image_size
        Adapter.__init__(self, spec_of(folder, description), (size, size), device)
        self._network = load_network(folder, description).to(device).eval().requires_grad_(False)
        self._sentences = open_sentences(folder, description.tasks, device)
        self._proprio = description.proprio
        Decoding.__init__(
            self, self._network, description.sampler, description.action, self._device
        )

    def features(self, frames: Tensor, proprio: FloatArray, tasks: Sequence[str]) -> Tensor:
        pixels = frames[:, -1].permute(0, 3, 1, 2).to(torch.float32) / 255
        state = self._tensor(self._proprio.normalise(proprio[:, -1]))
        return self._network.features(pixels, state, self._tensor(self._sentences.embed(tasks)))

    def chunks(self, features: Tensor, noise: Tensor) -> Float32Array:
        unit = self.decode_unit(features, noise.flatten(1))
        chunk: Float32Array = unit.view(noise.shape).cpu().numpy()
        return self.actions.restore(chunk)
