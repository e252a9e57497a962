# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Is the camera where it was: a picture laid over a reference, and by how much it is off.

A policy learned from one view sees another world when its camera moves by a few pixels. The overlay
shows the reference in red and the live picture in cyan: where both agree it is grey.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from roboreward_ros.errors import CameraError, ConfigError
from roboreward_ros.types import FloatArray, ImageU8

FEATURES, KEPT = 1000, 0.75
ENOUGH = 25
"""Points of the reference that must be found again; fewer say nothing about the pose."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far off is still the same view.

    Attributes:
        shift_px: of the picture's middle, pixels of a picture 640 wide.
        turn_deg: about the viewing axis.
        scale: relative change of size.
    """

    shift_px: float = 3.0
    turn_deg: float = 0.5
    scale: float = 0.01

    def __post_init__(self) -> None:
        if not (self.shift_px > 0 and self.turn_deg > 0 and self.scale > 0):
            raise ConfigError("a tolerance must be above 0", got=self)


@dataclass(frozen=True, slots=True)
class Misalignment:
    """Where the reference's picture lies in the live one.

    Attributes:
        right_px, down_px: shift of its middle, pixels of the live picture.
        turn_deg: clockwise.
        scale: 1 for the same size.
        points: found in both and of one mind about it.
        width: of the live picture, pixels.
    """

    right_px: float
    down_px: float
    turn_deg: float
    scale: float
    points: int
    width: int

    def within(self, tolerance: Tolerance) -> bool:
        """Whether it is the same view."""
        shift = math.hypot(self.right_px, self.down_px) * 640.0 / self.width
        return (
            shift <= tolerance.shift_px
            and abs(self.turn_deg) <= tolerance.turn_deg
            and abs(self.scale - 1.0) <= tolerance.scale
        )

    def advice(self) -> str:
        """What to do with the camera, in words."""
        side = "right" if self.right_px > 0 else "left"
        level = "down" if self.down_px > 0 else "up"
        turn = "clockwise" if self.turn_deg > 0 else "anticlockwise"
        nearer = "away" if self.scale > 1 else "nearer"
        return (
            f"the scene is {abs(self.right_px):.1f} px too far {side} and "
            f"{abs(self.down_px):.1f} px too far {level}, turned {abs(self.turn_deg):.2f} degrees "
            f"{turn}, {100 * (self.scale - 1):+.1f} % in size: pan {side}, tilt {level}, "
            f"roll {turn}, move {nearer}"
        )


def ghost(live: ImageU8, reference: ImageU8) -> ImageU8:
    """The overlay ``[H, W, 3]`` uint8 RGB in the live picture's size; see the module's text."""
    other = _fitted(reference, live)
    grey_live = cv2.cvtColor(live, cv2.COLOR_RGB2GRAY)
    grey_other = cv2.cvtColor(other, cv2.COLOR_RGB2GRAY)
    overlay: ImageU8 = np.stack([grey_other, grey_live, grey_live], axis=-1)
    return overlay


def misalignment(live: ImageU8, reference: ImageU8) -> Misalignment:
    """How the live picture differs from the reference, by points that are found in both.

    Raises:
        CameraError: too few, or they contradict each other: another scene, darkness, a lens cap.
    """
    other = _fitted(reference, live)
    finder = cv2.ORB_create(FEATURES)  # type: ignore[attr-defined]
    here, marks = finder.detectAndCompute(cv2.cvtColor(live, cv2.COLOR_RGB2GRAY), None)
    there, others = finder.detectAndCompute(cv2.cvtColor(other, cv2.COLOR_RGB2GRAY), None)
    pairs = []
    if marks is not None and others is not None:
        found = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(others, marks, k=2)
        pairs = [m[0] for m in found if len(m) == 2 and m[0].distance < KEPT * m[1].distance]
    if len(pairs) < ENOUGH:
        raise _unlike(len(pairs))
    before = np.array([there[m.queryIdx].pt for m in pairs], dtype=np.float64)
    after = np.array([here[m.trainIdx].pt for m in pairs], dtype=np.float64)
    motion, kept = cv2.estimateAffinePartial2D(before, after, ransacReprojThreshold=2.0)
    agreeing = 0 if kept is None else int(kept.sum())
    if motion is None or agreeing < ENOUGH:
        raise _unlike(agreeing)
    return _told(np.asarray(motion, dtype=np.float64), live, agreeing)


def _told(motion: FloatArray, live: ImageU8, points: int) -> Misalignment:
    height, width = live.shape[:2]
    middle = np.array([width / 2.0, height / 2.0])
    shift = motion[:, :2] @ middle + motion[:, 2] - middle
    return Misalignment(
        right_px=float(shift[0]),
        down_px=float(shift[1]),
        turn_deg=math.degrees(math.atan2(motion[1, 0], motion[0, 0])),
        scale=math.hypot(motion[0, 0], motion[1, 0]),
        points=points,
        width=width,
    )


def _fitted(reference: ImageU8, live: ImageU8) -> ImageU8:
    height, width = live.shape[:2]
    if reference.shape[:2] == (height, width):
        return reference
    fitted: ImageU8 = cv2.resize(reference, (width, height), interpolation=cv2.INTER_AREA)
    return fitted


def _unlike(points: int) -> CameraError:
    return CameraError(
        "the picture and the reference have too little in common",
        got=f"{points} points agree",
        allowed=f"{ENOUGH} or more",
        next_step="Lay out the scene as it was then, put on the lights, and aim roughly first.",
    )
