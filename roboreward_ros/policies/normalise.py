# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mean and spread of proprioception and actions; they travel in the checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.types import Float32Array, FloatArray

SPREAD_FLOOR = 2e-3  # metres, radians or gripper units: below it a dimension counts as constant


@dataclass(frozen=True, slots=True)
class Statistics:
    """Per-dimension mean and spread ``[D]`` float64.

    Raises:
        ConfigError: lengths differ, values not finite, or a spread that is not positive.
    """

    mean: tuple[float, ...]
    spread: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.spread):
            raise ConfigError(
                "mean and spread differ in length", got=f"{len(self.mean)} and {len(self.spread)}"
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.spread).all()):
            raise ConfigError("normalisation statistics are not finite", got=self)
        if min(self.spread, default=1.0) <= 0:
            raise ConfigError("spread is not positive", got=self.spread, allowed="> 0")

    @classmethod
    def fit(cls, values: FloatArray | Float32Array) -> Statistics:
        """Statistics over all but the last axis; constant dimensions get a small fixed spread."""
        flat = np.asarray(values, dtype=np.float64).reshape(-1, values.shape[-1])
        if not len(flat):
            raise ConfigError("no values to take statistics of", got=values.shape)
        spread = np.maximum(flat.std(axis=0), SPREAD_FLOOR)
        return cls(tuple(flat.mean(axis=0).tolist()), tuple(spread.tolist()))

    def normalise(self, values: FloatArray | Float32Array) -> Float32Array:
        """To zero mean and unit spread, float32."""
        unit = (np.asarray(values, dtype=np.float64) - self.mean) / self.spread
        return unit.astype(np.float32)

    def restore(self, unit: Float32Array) -> Float32Array:
        """Back to physical units, float32."""
        values = np.asarray(unit, dtype=np.float64) * self.spread + self.mean
        return values.astype(np.float32)
