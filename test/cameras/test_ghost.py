# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from roboreward_ros.cameras.ghost import Tolerance, ghost, misalignment
from roboreward_ros.errors import CameraError, ConfigError


def table(seed=0):
    """A scene of boxes and disks, 640x480, with some sensor noise."""
    rng = np.random.default_rng(seed)
    image = np.full((480, 640, 3), 120, np.uint8)
    for _ in range(150):
        x, y = int(rng.integers(640)), int(rng.integers(480))
        colour = tuple(int(v) for v in rng.integers(0, 255, 3))
        size = int(rng.integers(5, 40))
        if rng.random() < 0.5:
            cv2.rectangle(image, (x, y), (x + size, y + size // 2), colour, -1)
        else:
            cv2.circle(image, (x, y), size // 2, colour, -1)
    return image


def seen(image, right=0.0, down=0.0, turn_deg=0.0, scale=1.0):
    """The same scene by a camera that moved, so that it appears shifted and turned like this."""
    motion = cv2.getRotationMatrix2D((320, 240), -turn_deg, scale)
    motion[:, 2] += right, down
    moved = cv2.warpAffine(image, motion, (640, 480), borderMode=cv2.BORDER_REFLECT)
    noise = np.random.default_rng(1).normal(0, 3, moved.shape)
    return np.clip(moved + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "moved",
    [
        {"right": 12.0, "down": -7.0},
        {"turn_deg": 2.0},
        {"scale": 1.05},
        {"right": -5.0, "down": 4.0, "turn_deg": -1.5, "scale": 0.97},
    ],
)
def test_shift_turn_and_size_are_measured(moved):
    found = misalignment(seen(table(), **moved), table())
    assert found.right_px == pytest.approx(moved.get("right", 0.0), abs=0.5)
    assert found.down_px == pytest.approx(moved.get("down", 0.0), abs=0.5)
    assert found.turn_deg == pytest.approx(moved.get("turn_deg", 0.0), abs=0.1)
    assert found.scale == pytest.approx(moved.get("scale", 1.0), abs=0.003)
    assert not found.within(Tolerance())


def test_the_same_view_is_within_and_the_advice_says_what_to_do():
    assert misalignment(seen(table()), table()).within(Tolerance())
    advice = misalignment(seen(table(), right=12.0, down=-7.0, turn_deg=2.0), table()).advice()
    assert "too far right" in advice
    assert "too far up" in advice
    assert "clockwise" in advice
    assert "pan right, tilt up" in advice


def test_a_reference_of_another_size_is_fitted():
    small = cv2.resize(table(), (320, 240), interpolation=cv2.INTER_AREA)
    found = misalignment(seen(table()), small)
    assert found.within(Tolerance(shift_px=5.0))
    assert ghost(table(), small).shape == (480, 640, 3)


def test_another_scene_or_darkness_is_said_and_not_measured():
    for image in (table(9), np.zeros((480, 640, 3), np.uint8)):
        with pytest.raises(CameraError, match="too little in common"):
            misalignment(image, table())


def test_the_overlay_is_grey_where_both_agree_and_coloured_where_not():
    scene = table()
    same = ghost(scene, scene)
    assert (same[..., 0] == same[..., 1]).all()
    reference = scene.copy()
    cv2.circle(reference, (320, 240), 60, (255, 255, 255), -1)
    dark = scene.copy()
    cv2.circle(dark, (320, 240), 60, (0, 0, 0), -1)
    red = ghost(dark, reference)[240, 320]
    assert red[0] > 200
    assert red[1:].max() < 50


def test_tolerances_must_be_positive():
    with pytest.raises(ConfigError):
        Tolerance(shift_px=0.0)
