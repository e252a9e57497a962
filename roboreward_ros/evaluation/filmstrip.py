# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A few frames of an episode side by side, from the stored JPEG bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from roboreward_ros.errors import ConfigError
from roboreward_ros.types import ImageU8

GAP = 4


def frame_indices(n_frames: int, count: int) -> list[int]:
    """``count`` indices spread evenly over ``n_frames``, first and last included."""
    if n_frames < 1 or count < 1:
        raise ConfigError("a filmstrip needs a frame", got=f"{count} of {n_frames}")
    count = min(count, n_frames)
    if count == 1:
        return [n_frames - 1]
    return [round(i * (n_frames - 1) / (count - 1)) for i in range(count)]


def filmstrip(
    frames: Sequence[bytes], control_hz: float, *, count: int = 8, height: int = 180
) -> ImageU8:
    """Frames side by side, each marked with its time.

    Args:
        frames: JPEG bytes of an episode, oldest first.
        control_hz: rate of ``frames``, Hz.
        count: how many to show.
        height: of the strip, pixels.

    Returns:
        ``[height, W, 3]`` uint8 RGB.
    """
    tiles = []
    for index in frame_indices(len(frames), count):
        with Image.open(io.BytesIO(frames[index])) as encoded:
            image = encoded.convert("RGB")
        width = round(image.width * height / image.height)
        tile = image.resize((width, height), Image.Resampling.LANCZOS)
        draw = ImageDraw.Draw(tile)
        text = f"{index / control_hz:.1f} s"
        box = draw.textbbox((6, height - 18), text)
        draw.rectangle((box[0] - 3, box[1] - 2, box[2] + 3, box[3] + 2), fill=(20, 24, 28))
        draw.text((6, height - 18), text, fill=(255, 255, 255))
        tiles.append(np.asarray(tile, np.uint8))
    gap = np.full((height, GAP, 3), 255, np.uint8)
    parts = [part for tile in tiles for part in (tile, gap)][:-1]
    return np.concatenate(parts, axis=1)


def png_bytes(image: ImageU8) -> bytes:
    """``[H, W, 3]`` uint8 RGB as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
