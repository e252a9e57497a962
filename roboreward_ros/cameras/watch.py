# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Notices cameras that have stopped without saying so."""

from __future__ import annotations

import zlib

from roboreward_ros.clock import Clock
from roboreward_ros.errors import CameraError, ConfigError
from roboreward_ros.types import Frame


class FrameWatch:
    """Raises when frames stop coming (stale) or keep the same picture (frozen).

    Args:
        clock: source of time; ages are by the steady clock.
        max_age_s: longest time without a new frame, s.
        max_identical: this many equal pictures in a row are a frozen camera: sensor noise makes two
            alike impossible. 0 for sources without noise (renderings, a still video).
    """

    def __init__(self, clock: Clock, max_age_s: float = 1.0, max_identical: int = 10) -> None:
        if not 0.0 < max_age_s <= 60.0:
            raise ConfigError(
                "max_age_s out of range", got=max_age_s, allowed="above 0, at most 60"
            )
        if max_identical == 1 or max_identical < 0:
            raise ConfigError(
                "max_identical out of range", got=max_identical, allowed="0, 2 or more"
            )
        self._clock = clock
        self._max_age_s = max_age_s
        self._max_identical = max_identical
        self.restart()

    def restart(self) -> None:
        """Forget what was seen: after (re)opening the camera."""
        self._fresh_ns = self._clock.steady_ns()
        self._stamp_ns: int | None = None
        self._digest: int | None = None
        self._identical = 0

    @property
    def age_s(self) -> float:
        """Seconds since the last new frame was observed."""
        return (self._clock.steady_ns() - self._fresh_ns) * 1e-9

    def observe(self, frame: Frame) -> None:
        """Take note of a frame; the same stamp again is no new frame.

        Raises:
            CameraError: the picture is frozen, or no new frame came for too long.
        """
        if frame.stamp_ns != self._stamp_ns:
            self._stamp_ns = frame.stamp_ns
            self._fresh_ns = self._clock.steady_ns()
            self._count(frame)
        self.check(frame.camera)

    def check(self, camera: str) -> None:
        """Raise CameraError, naming ``camera``, when it is stale or frozen."""
        if self._max_identical and self._identical >= self._max_identical:
            raise CameraError(
                f"camera {camera} is frozen",
                got=f"{self._identical} identical frames in a row",
                allowed=f"fewer than {self._max_identical}",
                next_step="Unplug and replug it, or use another USB port; then start again.",
            )
        if self.age_s > self._max_age_s:
            raise CameraError(
                f"camera {camera} gives no new frames",
                got=f"last {self.age_s:.2f} s ago",
                allowed=f"at most {self._max_age_s:g} s",
                next_step="Check its cable and that no other program holds it.",
            )

    def _count(self, frame: Frame) -> None:
        if not self._max_identical:
            return
        digest = zlib.crc32(frame.image[::2].tobytes())
        self._identical = self._identical + 1 if digest == self._digest else 1
        self._digest = digest
