# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What pictures go through before a policy sees them: decoding, BridgeData's resize, JPEG."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from roboreward_ros.errors import ConfigError
from roboreward_ros.types import ImageU8, require_shape

BRIDGE_SIZE = 256
ENCODINGS: dict[str, tuple[int, int | None]] = {
    "rgb8": (3, None),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
    "8UC1": (1, cv2.COLOR_GRAY2RGB),
    "8UC3": (3, cv2.COLOR_BGR2RGB),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": (2, cv2.COLOR_YUV2RGB_YUY2),
    "yuv422": (2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2RGB_UYVY),
}
"""Bytes a pixel, and OpenCV's conversion to RGB, by the encoding's name in ROS."""


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


def decode(data: npt.NDArray[np.uint8], encoding: str, height: int, width: int) -> ImageU8:
    """RGB copy ``[height, width, 3]`` of a raw picture.

    Args:
        data: rows ``[height, step]`` bytes; ``step`` may be longer than the pixels need.
        encoding: name as in ROS images, one of ``ENCODINGS``.
        height: rows.
        width: pixels of a row.

    Raises:
        ConfigError: another encoding, or too few bytes.
    """
    if encoding not in ENCODINGS:
        raise ConfigError("image encoding is not supported", got=encoding, allowed=tuple(ENCODINGS))
    channels, conversion = ENCODINGS[encoding]
    if data.ndim != 2 or data.shape[0] != height or data.shape[1] < width * channels:
        raise ConfigError(
            "the picture does not fit its own size",
            got=f"{data.shape} bytes",
            allowed=f"{height} rows of {width * channels} bytes or more ({encoding})",
        )
    shape = (height, width, channels) if channels > 1 else (height, width)
    pixels = np.ascontiguousarray(data[:, : width * channels]).reshape(shape)
    if conversion is None:
        return pixels.copy()
    converted: ImageU8 = cv2.cvtColor(pixels, conversion)
    return converted


def jpeg_round_trip(image: ImageU8, quality: int = 95) -> ImageU8:
    """What is left of an RGB image ``[H, W, 3]`` after JPEG: training data was stored that way."""
    require_shape("image", image, (None, None, 3))
    if not 1 <= quality <= 100:
        raise ConfigError("JPEG quality out of range", got=quality, allowed="1..100")
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, packed = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    rgb: ImageU8 = cv2.cvtColor(cv2.imdecode(packed, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return rgb
