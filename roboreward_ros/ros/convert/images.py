# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Camera frames to and from sensor_msgs."""

from __future__ import annotations

import array

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from roboreward_ros.errors import CameraError
from roboreward_ros.ros.convert.stamps import header, stamp_from_msg
from roboreward_ros.types import Frame, ImageU8

CAMERA_FRAME = "camera_optical_frame"
JPEG_QUALITY = 90
_ENCODINGS = ("rgb8", "bgr8")


def image_to_msg(image: ImageU8, stamp_ns: int, frame_id: str = CAMERA_FRAME) -> Image:
    """``[H, W, 3]`` uint8 RGB as an rgb8 message.

    Raises:
        CameraError: another shape or type.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise CameraError(
            "not an RGB image", got=f"{image.shape} {image.dtype}", allowed="[H, W, 3] uint8"
        )
    height, width, _ = image.shape
    message = Image(header=header(stamp_ns, frame_id), height=int(height), width=int(width))
    message.encoding = "rgb8"
    message.is_bigendian = 0
    message.step = int(width) * 3
    message.data = array.array("B", image.tobytes())  # the only fast assignment of rclpy
    return message


def image_from_msg(message: Image) -> Frame:
    """The frame of a message; the pixels are a read-only view unless they had to be reordered.

    Raises:
        CameraError: an encoding other than rgb8 and bgr8, or a size that does not fit the data.
    """
    height, width, step = int(message.height), int(message.width), int(message.step)
    if message.encoding not in _ENCODINGS:
        raise CameraError(
            "image encoding is not supported", got=message.encoding, allowed=_ENCODINGS
        )
    if height < 1 or width < 1 or step < 3 * width or len(message.data) != step * height:
        raise CameraError(
            "image message does not fit its own size",
            got=f"{width}x{height}, step {step}, {len(message.data)} bytes",
            allowed="step >= 3 * width, step * height bytes",
        )
    rows = np.frombuffer(message.data, dtype=np.uint8).reshape(height, step)
    image = rows[:, : 3 * width].reshape(height, width, 3)
    if message.encoding == "bgr8":
        image = np.ascontiguousarray(image[:, :, ::-1])
    return Frame(image=image, stamp_ns=stamp_from_msg(message.header.stamp))


def image_to_compressed(
    image: ImageU8, stamp_ns: int, frame_id: str = CAMERA_FRAME, quality: int = JPEG_QUALITY
) -> CompressedImage:
    """``[H, W, 3]`` uint8 RGB as a JPEG message, for viewers."""
    ok, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not ok:
        raise CameraError("image could not be compressed", got=image.shape)
    message = CompressedImage(header=header(stamp_ns, frame_id), format="jpeg")
    message.data = array.array("B", data.tobytes())
    return message
