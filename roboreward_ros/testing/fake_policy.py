# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A policy of a few numpy lines: deterministic, steerable, checks its inputs like a real one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

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


class FakePolicy:
    """``actions = scale * (noise + features @ A)`` with a fixed random A.

    Features are the image's mean colour, the proprioception and zeros up to ``feature_dim``.

    Args:
        prediction_horizon: P.
        chunk_size: C, at most P.
        feature_dim: F, at least 10.
        image_size: side in pixels that the spec announces.
        control_hz: rate that the spec announces.
        tasks: accepted sentences; empty accepts any.
        scale: metres or radians per unit of noise.
    """

    def __init__(
        self,
        prediction_horizon: int = 4,
        chunk_size: int = 4,
        feature_dim: int = 16,
        image_size: int = 32,
        control_hz: float = 5.0,
        tasks: Sequence[str] = (),
        scale: float = 0.01,
    ) -> None:
        if feature_dim < 3 + PROPRIO_DIM:
            raise ConfigError(
                "feature_dim of the fake is too small", got=feature_dim, allowed=">= 10"
            )
        rng = np.random.default_rng(0)
        shape = (feature_dim, prediction_horizon * ACTION_DIM)
        self._matrix = rng.standard_normal(shape).astype(np.float32)
        self._scale = np.float32(scale)
        identity = f"fake {prediction_horizon} {chunk_size} {feature_dim} {scale} {tuple(tasks)}"
        self._spec = PolicySpec(
            policy_id=hashlib.sha256(identity.encode()).hexdigest(),
            prediction_horizon=prediction_horizon,
            chunk_size=chunk_size,
            feature_dim=feature_dim,
            image_size=image_size,
            control_hz=control_hz,
            tasks=tuple(tasks),
        )

    @property
    def spec(self) -> PolicySpec:
        return self._spec

    def encode(
        self, images: Sequence[ImageU8], proprio: FloatArray, tasks: Sequence[str]
    ) -> Float32Array:
        require_shape("proprio", proprio, (len(images), PROPRIO_DIM))
        if len(tasks) != len(images):
            raise ConfigError("one task per image is needed", got=len(tasks), allowed=len(images))
        features = np.zeros((len(images), self._spec.feature_dim), dtype=np.float32)
        for row, (image, task) in enumerate(zip(images, tasks, strict=True)):
            require_shape("image", image, (None, None, 3))
            if image.dtype != np.uint8:
                raise ConfigError("image has the wrong dtype", got=image.dtype, allowed="uint8")
            if self._spec.tasks and task not in self._spec.tasks:
                raise CheckpointError(
                    "the policy was not trained on this task", got=task, allowed=self._spec.tasks
                )
            features[row, :3] = image.reshape(-1, 3).mean(axis=0) / 255
        features[:, 3 : 3 + PROPRIO_DIM] = proprio
        return features

    def decode(self, features: Float32Array, noise: Float32Array) -> Float32Array:
        horizon = self._spec.prediction_horizon
        require_shape("features", features, (None, self._spec.feature_dim))
        require_shape("noise", noise, (len(features), horizon, ACTION_DIM))
        if not (np.isfinite(features).all() and np.isfinite(noise).all()):
            raise ConfigError("features or noise are not finite")
        # Row by row, so that the result does not depend on the batch.
        bias = np.stack([row @ self._matrix for row in features]) if len(features) else features
        mean = bias.reshape(-1, horizon, ACTION_DIM)
        return (self._scale * (noise + mean)).astype(np.float32)
