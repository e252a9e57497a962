# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``DiffusionPolicy``: the Policy protocol over a trained network, and ``load_policy``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

import cv2
import numpy as np
import torch

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.checkpoint import Checkpoint, load_checkpoint
from roboreward_ros.policies.decoding import Decoding
from roboreward_ros.policies.network import PolicyNetwork
from roboreward_ros.policies.text import Vocabulary
from roboreward_ros.types import (
    ACTION_DIM,
    PROPRIO_DIM,
    Float32Array,
    FloatArray,
    ImageU8,
    PolicySpec,
    require_shape,
)

DEMO_POLICY = "demo"
_SHIPPED = ("policies", "widowx_twin")


def shrink_image(image: ImageU8, size: int) -> ImageU8:
    """Area-averaged copy ``[size, size, 3]`` of an RGB image; training and inference share it.

    Raises:
        ConfigError: not ``[H, W, 3]`` uint8.
    """
    require_shape("image", image, (None, None, 3))
    if image.dtype != np.uint8:
        raise ConfigError("image has the wrong dtype", got=image.dtype, allowed="uint8")
    if image.shape[:2] == (size, size):
        return np.ascontiguousarray(image)
    shrunk: ImageU8 = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return shrunk


class DiffusionPolicy(Decoding):
    """A frozen diffusion policy steered by its noise.

    Args:
        checkpoint: weights, architecture and statistics.
        device: torch device.
    """

    def __init__(self, checkpoint: Checkpoint, device: str = "cpu") -> None:
        description = checkpoint.description
        self._network_config = description.network
        self._vocabulary = Vocabulary(description.tasks)
        self._proprio = description.proprio
        self._device = torch.device(device)
        self._network = PolicyNetwork(description.network, len(self._vocabulary.words))
        self._network.load_state_dict(checkpoint.weights)
        self._network.to(self._device).eval().requires_grad_(False)
        super().__init__(self._network, description.sampler, description.action, self._device)
        self._spec = PolicySpec(
            policy_id=checkpoint.policy_id,
            prediction_horizon=description.network.prediction_horizon,
            chunk_size=description.network.chunk_size,
            feature_dim=description.network.feature_dim,
            image_size=description.network.image_size,
            control_hz=description.network.control_hz,
            tasks=description.tasks,
        )

    @property
    def spec(self) -> PolicySpec:
        return self._spec

    @torch.inference_mode()
    def encode(
        self, images: Sequence[ImageU8], proprio: FloatArray, tasks: Sequence[str]
    ) -> Float32Array:
        require_shape("proprio", proprio, (len(images), PROPRIO_DIM))
        if len(tasks) != len(images):
            raise ConfigError("one task per image is needed", got=len(tasks), allowed=len(images))
        if not np.isfinite(proprio).all():
            raise ConfigError("proprio is not finite", got=proprio.tolist())
        bags = self._vocabulary.bags(tasks)
        size = self._network_config.image_size
        pixels = np.zeros((len(images), size, size, 3), dtype=np.uint8)
        for row, image in enumerate(images):
            pixels[row] = shrink_image(image, size)
        features = self._network.features(
            torch.from_numpy(pixels).to(self._device),
            torch.from_numpy(self._proprio.normalise(proprio)).to(self._device),
            torch.from_numpy(bags).to(self._device),
        )
        result: Float32Array = features.cpu().numpy()
        return result

    @torch.inference_mode()
    def decode(self, features: Float32Array, noise: Float32Array) -> Float32Array:
        config = self._network_config
        shape = (len(features), config.prediction_horizon, ACTION_DIM)
        require_shape("features", features, (None, config.feature_dim))
        require_shape("noise", noise, shape)
        if not (np.isfinite(features).all() and np.isfinite(noise).all()):
            raise ConfigError("features or noise are not finite")
        unit = self.decode_unit(
            torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32)).to(self._device),
            torch.from_numpy(np.ascontiguousarray(noise, dtype=np.float32))
            .flatten(1)
            .to(self._device),
        )
        chunk: Float32Array = unit.cpu().numpy().reshape(shape)
        return self.actions.restore(chunk)


def load_policy(source: str | Path, device: str = "cpu") -> DiffusionPolicy:
    """Load a policy's folder, or the one shipped with the package by the name ``demo``.

    Torch is set to one thread: at these sizes more cost time, and other processes need the cores.

    Raises:
        CheckpointError: missing, damaged or mismatched checkpoint.
    """
    torch.set_num_threads(1)
    if str(source) != DEMO_POLICY:
        return DiffusionPolicy(load_checkpoint(Path(source)), device)
    shipped = files("roboreward_ros").joinpath("assets", *_SHIPPED)
    if not shipped.is_dir():
        raise CheckpointError(
            "the shipped policy is not in this installation",
            got=str(shipped),
            next_step="Install the package with its assets, or train one: roboreward policy train.",
        )
    with as_file(shipped) as folder:
        return DiffusionPolicy(load_checkpoint(folder), device)
