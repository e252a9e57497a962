# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What all adapters share: checks of what comes in, histories, one thread, frozen weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.types import (
    ACTION_DIM,
    PROPRIO_DIM,
    Float32Array,
    FloatArray,
    ImageU8,
    PolicySpec,
    require_shape,
)


class Adapter(ABC):
    """What is not special to one framework. Subclasses give features and chunks as tensors.

    Args:
        spec: of the policy.
        frame_size: height and width that its network takes, px; pictures are brought to it
            without keeping their aspect, as BridgeData was made.
        device: torch device.

    Attributes:
        interpolation: OpenCV's; a subclass takes what its upstream takes.
    """

    interpolation = cv2.INTER_AREA

    def __init__(self, spec: PolicySpec, frame_size: tuple[int, int], device: str) -> None:
        self._spec = spec
        self._frame_size = frame_size
        self._device = torch.device(device)

    @property
    def spec(self) -> PolicySpec:
        return self._spec

    @abstractmethod
    def features(self, frames: Tensor, proprio: FloatArray, tasks: Sequence[str]) -> Tensor:
        """``[B, F]`` from uint8 frames ``[B, n, H, W, 3]`` and proprio ``[B, n, 7]``."""

    @abstractmethod
    def chunks(self, features: Tensor, noise: Tensor) -> Float32Array:
        """Actions ``[B, P, 7]``, physical units, from features and noise ``[B, P, 7]``."""

    @torch.inference_mode()
    def encode(
        self, images: Sequence[ImageU8], proprio: FloatArray, tasks: Sequence[str]
    ) -> Float32Array:
        steps = self._spec.observation_steps
        if len(tasks) != len(images):
            raise ConfigError("one task per image is needed", got=len(tasks), allowed=len(images))
        if proprio.ndim == 2:
            require_shape("proprio", proprio, (len(images), PROPRIO_DIM))
            proprio = np.repeat(proprio[:, None], steps, axis=1)
        require_shape("proprio", proprio, (len(images), steps, PROPRIO_DIM))
        if not np.isfinite(proprio).all():
            raise ConfigError("proprio is not finite", got=proprio.tolist())
        self._require_tasks(tasks)
        height, width = self._frame_size
        frames = np.zeros((len(images), steps, height, width, 3), dtype=np.uint8)
        for row, image in enumerate(images):
            frames[row] = self._history(image)
        features = self.features(torch.from_numpy(frames).to(self._device), proprio, tasks)
        result: Float32Array = features.to(torch.float32).cpu().numpy()
        return result

    @torch.inference_mode()
    def decode(self, features: Float32Array, noise: Float32Array) -> Float32Array:
        spec = self._spec
        require_shape("features", features, (None, spec.feature_dim))
        require_shape("noise", noise, (len(features), spec.prediction_horizon, ACTION_DIM))
        if not (np.isfinite(features).all() and np.isfinite(noise).all()):
            raise ConfigError("features or noise are not finite")
        return self.chunks(self._tensor(features), self._tensor(noise))

    def _tensor(self, values: Float32Array) -> Tensor:
        return torch.from_numpy(np.array(values, dtype=np.float32)).to(self._device)

    def _history(self, image: ImageU8) -> ImageU8:
        """``[n, H, W, 3]`` of one row; a single picture stands for an episode's first."""
        if image.dtype != np.uint8:
            raise ConfigError("image has the wrong dtype", got=image.dtype, allowed="uint8")
        steps = self._spec.observation_steps
        if image.ndim == 4:
            require_shape("images of a history", image, (steps, None, None, 3))
            return np.stack([self._resized(picture) for picture in image])
        return self._resized(image)[None]

    def _resized(self, image: ImageU8) -> ImageU8:
        require_shape("image", image, (None, None, 3))
        height, width = self._frame_size
        if image.shape[:2] == (height, width):
            return image
        resized: ImageU8 = cv2.resize(image, (width, height), interpolation=self.interpolation)
        return resized

    def _require_tasks(self, tasks: Sequence[str]) -> None:
        for task in tasks:
            if self._spec.tasks and task not in self._spec.tasks:
                raise CheckpointError(
                    "the policy was not trained on this task",
                    got=task,
                    allowed=self._spec.tasks,
                    next_step="Choose one of these tasks, or name yours in the policy's card.",
                )
