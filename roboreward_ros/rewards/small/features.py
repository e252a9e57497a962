# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An episode as a few numbers: coarse pictures of its last frame and of what changed."""

from __future__ import annotations

import io

import numpy as np

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.vlm.clips import MAX_SOURCE_PIXELS
from roboreward_ros.types import FloatArray

SIDE = 24
"""Pixels of a coarse picture's side: a gripper is a few of them."""


def episode_features(first: bytes, last: bytes) -> FloatArray:
    """Last frame and its difference to the first, ``[2 * SIDE * SIDE * 3]`` float64.

    Raises:
        RewardSourceError: a frame that cannot be decoded.
    """
    before, after = coarse(first), coarse(last)
    return np.concatenate([after, after - before])


def coarse(jpeg: bytes) -> FloatArray:
    """A frame averaged to ``SIDE x SIDE``, values 0..1, flat."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(jpeg)) as image:
            if image.width * image.height > MAX_SOURCE_PIXELS:
                raise RewardSourceError("a frame is too large", got=f"{image.size}")
            small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RewardSourceError("a frame cannot be decoded", got=str(error)) from None
    return np.asarray(small, dtype=np.float64).ravel() / 255
