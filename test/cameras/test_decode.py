# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from roboreward_ros.cameras.images import ENCODINGS, decode, jpeg_round_trip
from roboreward_ros.errors import ConfigError

BT601 = np.array(
    [[65.738, 129.057, 25.064], [-37.945, -74.494, 112.439], [112.439, -94.154, -18.285]]
)
RED = np.full((4, 6, 3), (200, 30, 20), np.uint8)


def packed(encoding: str) -> np.ndarray:
    """The red picture in another encoding, rows ``[4, step]`` with padding."""
    if encoding in ("rgb8", "rgba8"):
        pixels = RED if encoding == "rgb8" else cv2.cvtColor(RED, cv2.COLOR_RGB2RGBA)
    elif encoding in ("bgr8", "bgra8", "8UC3"):
        bgr = RED[:, :, ::-1]
        pixels = bgr if encoding != "bgra8" else cv2.cvtColor(bgr.copy(), cv2.COLOR_BGR2BGRA)
    elif encoding in ("mono8", "8UC1"):
        pixels = cv2.cvtColor(RED, cv2.COLOR_RGB2GRAY)
    else:
        y, u, v = (int(part) for part in BT601 @ RED[0, 0] / 256.0 + (16, 128, 128))
        one = (y, u, y, v) if encoding in ("yuyv", "yuv422_yuy2") else (u, y, v, y)
        pixels = np.tile(np.array(one, np.uint8), (4, 3))
    rows = pixels.reshape(4, -1)
    return np.concatenate([rows, np.zeros((4, 5), np.uint8)], axis=1)


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
def test_every_encoding_becomes_rgb(encoding):
    image = decode(packed(encoding), encoding, 4, 6)
    assert image.shape == (4, 6, 3)
    if encoding in ("mono8", "8UC1"):
        assert len(set(image[0, 0])) == 1
    else:
        assert np.abs(image.astype(int) - RED).max() < 6


def test_a_decoded_picture_is_a_copy():
    rows = packed("rgb8")
    image = decode(rows, "rgb8", 4, 6)
    rows[:] = 0
    assert image[0, 0, 0] == 200


@pytest.mark.parametrize(("encoding", "width"), [("bayer", 6), ("rgb8", 60)])
def test_what_does_not_fit_is_refused(encoding, width):
    with pytest.raises(ConfigError):
        decode(packed("rgb8"), encoding, 4, width)


def test_a_round_trip_through_jpeg_changes_little_and_only_once():
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), (9, 9), 3)
    once = jpeg_round_trip(image, 95)
    assert 0 < np.abs(once.astype(int) - image).mean() < 3
    assert np.abs(jpeg_round_trip(once, 95).astype(int) - once).mean() < 0.5
    with pytest.raises(ConfigError):
        jpeg_round_trip(image, 0)
