# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Array aliases, sizes and the shape check."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from roboreward_ros.errors import ConfigError

ACTION_DIM = 7
PROPRIO_DIM = 7
RUBRIC_MIN, RUBRIC_MAX = 1, 5

ImageU8 = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]


def require_shape(name: str, array: npt.NDArray[np.generic], shape: tuple[int | None, ...]) -> None:
    """Raise ConfigError unless ``array`` has ``shape`` (None matches any length)."""
    fits = array.ndim == len(shape) and all(
        want is None or want == have for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise ConfigError(f"{name} has the wrong shape", got=array.shape, allowed=str(shape))
