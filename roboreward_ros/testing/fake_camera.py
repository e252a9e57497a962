# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera of numbered noise pictures that can go silent or freeze on request."""

from __future__ import annotations

import numpy as np

from roboreward_ros.clock import Clock, FakeClock
from roboreward_ros.errors import CameraError
from roboreward_ros.types import Frame


class FakeCamera:
    """Camera whose every read waits one period of its clock.

    Args:
        clock: paces and stamps frames.
        width: pixels of a row.
        height: rows.
        fps: frames per second.
        silent_from: index of the first frame that never comes; None for never.
        frozen_from: index from which the picture stays the same; None for never.
        name: name in frames and errors.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        width: int = 64,
        height: int = 48,
        fps: float = 30.0,
        silent_from: int | None = None,
        frozen_from: int | None = None,
        name: str = "image",
    ) -> None:
        self.clock: Clock = clock or FakeClock()
        self.count = 0
        self._shape = (height, width, 3)
        self._period_s = 1.0 / fps
        self._silent_from = silent_from
        self._frozen_from = frozen_from
        self._name = name
        self._open = False

    def open(self) -> None:
        """Start with frame 0."""
        self._open, self.count = True, 0

    def read(self, timeout_s: float) -> Frame:
        """The next frame after one period."""
        if not self._open:
            raise CameraError(f"camera {self._name} (fake) is not open", next_step="Call open().")
        silent = self._silent_from is not None and self.count >= self._silent_from
        if silent or timeout_s < self._period_s:
            self.clock.sleep(timeout_s)
            raise CameraError(
                f"camera {self._name} (fake) gave no frame within {timeout_s:g} s",
                next_step="It was told to be silent, or its period is longer.",
            )
        self.clock.sleep(self._period_s)
        picture = self.count
        if self._frozen_from is not None:
            picture = min(picture, self._frozen_from)
        self.count += 1
        image = np.random.default_rng(picture).integers(0, 256, self._shape, dtype=np.uint8)
        return Frame(image, self.clock.now_ns(), self._name)

    def close(self) -> None:
        """Stop."""
        self._open = False
