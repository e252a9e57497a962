# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The resize that BridgeData's pictures went through."""

from __future__ import annotations

import cv2
import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.types import ImageU8, require_shape

BRIDGE_SIZE = 256


def fit_image(image: ImageU8, size: int = BRIDGE_SIZE) -> ImageU8:
    """Square copy ``[size, size, 3]`` of an RGB image ``[H, W, 3]`` uint8.

    The whole picture is squashed, not cropped, as BridgeData's 640x480 frames are. Shrinking
    averages areas (no aliasing); enlarging interpolates.

    Raises:
        ConfigError: not ``[H, W, 3]`` uint8, or a size out of range.
    """
    require_shape("image", image, (None, None, 3))
    if image.dtype != np.uint8:
        raise ConfigError("image has the wrong dtype", got=image.dtype, allowed="uint8")
    if not 1 <= size <= 4096:
        raise ConfigError("size out of range", got=size, allowed="1..4096")
    height, width = image.shape[:2]
    if (height, width) == (size, size):
        return np.array(image, order="C")
    shrinks = size <= height and size <= width
    fitted: ImageU8 = cv2.resize(
        np.ascontiguousarray(image),
        (size, size),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    return fitted
