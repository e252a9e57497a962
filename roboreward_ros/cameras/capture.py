# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The part of OpenCV's VideoCapture that the cameras use, so that tests can stand in for it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt


class Capture(Protocol):
    """An open device or file; pictures are BGR as OpenCV gives them."""

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether frames can be read."""

    def read(self) -> tuple[bool, npt.NDArray[np.uint8] | None]:
        """The next picture ``[H, W, 3]``; blocks until the device has one."""

    def get(self, prop: int) -> float:
        """A property; 0 where not known."""

    def set(self, prop: int, value: float) -> bool:
        """Ask for a property; False where refused."""

    def release(self) -> None:
        """Close."""
