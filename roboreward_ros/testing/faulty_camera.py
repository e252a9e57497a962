# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Any camera, with the faults of a rehearsal: a step of theirs is a frame since it was opened."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from roboreward_ros.clock import Clock
from roboreward_ros.errors import CameraError
from roboreward_ros.protocols import Camera
from roboreward_ros.rehearsal.effects import Effects
from roboreward_ros.rehearsal.faults import Fault
from roboreward_ros.types import Frame


class FaultyCamera:
    """Protocol ``Camera`` over another.

    Args:
        camera: gives the pictures.
        faults: those of cameras and clocks, of episode 0.
        clock: waits, and times out.

    Attributes:
        frames: taken from the camera since it was opened.
        opened: how often it was opened.
    """

    def __init__(self, camera: Camera, faults: Sequence[Fault], clock: Clock) -> None:
        self.frames = 0
        self.opened = 0
        self._camera = camera
        self._effects = Effects(faults, clock, lambda _: None)
        self._clock = clock
        self._ready: deque[Frame] = deque()

    def open(self) -> None:
        """Open the camera; its faults count from here once more."""
        self._camera.open()
        self.opened += 1
        self.frames = 0
        self._ready.clear()

    def read(self, timeout_s: float) -> Frame:
        """The next picture that the faults let through.

        Raises:
            CameraError: the camera's own, or none got through within ``timeout_s``.
        """
        end_ns = self._clock.steady_ns() + round(timeout_s * 1e9)
        while not self._ready:
            left_s = (end_ns - self._clock.steady_ns()) * 1e-9
            if left_s <= 0.0:
                raise CameraError(
                    f"the camera gave no frame within {timeout_s:g} s",
                    next_step="Its faults keep them back.",
                )
            self._take(self._camera.read(left_s))
        return self._ready.popleft()

    def close(self) -> None:
        """Close the camera."""
        self._camera.close()

    def _take(self, frame: Frame) -> None:
        step, effects = self.frames, self._effects
        self.frames += 1
        if late_s := effects.late_s(0, step):
            self._clock.sleep(late_s)
        offset_ns = effects.offset_ns(0, step)
        for sent in effects.pictures(0, step, frame):
            self._ready.append(replace(sent, stamp_ns=sent.stamp_ns + offset_ns))
