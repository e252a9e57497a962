# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Notices cameras that have stopped, or changed, without saying so."""

from __future__ import annotations

import zlib
from enum import Enum

from roboreward_ros.clock import Clock
from roboreward_ros.errors import CameraError, ConfigError
from roboreward_ros.types import Frame

JUMP_NS = 1_000_000_000
"""Stamps that are farther than this from where the steady clock expects them: a clock was set."""


class Timing(Enum):
    """What a frame's stamp says beside those before it."""

    IN_ORDER = "in order"
    LATE = "a frame is older than one before it"
    JUMPED = "the wall clock was set"


class FrameWatch:
    """Raises when frames stop coming (stale), keep the same picture (frozen) or change their size.

    The size is that of the first frame ever: what learns from pictures must not see others by and
    by.

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
        self._shape: tuple[int, ...] | None = None
        self.off_s = 0.0
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

    def observe(self, frame: Frame) -> Timing:
        """Take note of a frame; the same stamp again is no new frame, an older one neither.

        Returns:
            its timing; ``off_s`` says how far its stamp is from where it was expected, s.

        Raises:
            CameraError: the picture is frozen or of another size, or no new frame came for long.
        """
        self._require_size(frame)
        timing = self._timing(frame.stamp_ns)
        if frame.stamp_ns != self._stamp_ns and timing is not Timing.LATE:
            self._stamp_ns = frame.stamp_ns
            self._fresh_ns = self._clock.steady_ns()
            self._count(frame)
        self.check(frame.camera)
        return timing

    def _timing(self, stamp_ns: int) -> Timing:
        if self._stamp_ns is None or stamp_ns == self._stamp_ns:
            return Timing.IN_ORDER
        off_ns = stamp_ns - self._stamp_ns - (self._clock.steady_ns() - self._fresh_ns)
        self.off_s = off_ns * 1e-9
        if abs(off_ns) > JUMP_NS:
            return Timing.JUMPED
        return Timing.LATE if stamp_ns < self._stamp_ns else Timing.IN_ORDER

    def _require_size(self, frame: Frame) -> None:
        shape = frame.image.shape
        self._shape = self._shape or shape
        if shape != self._shape:
            raise CameraError(
                f"camera {frame.camera} has changed its size",
                got=f"{shape[1]}x{shape[0]}",
                allowed=f"{self._shape[1]}x{self._shape[0]}, as its first frame had",
                next_step="Set its driver back; to change it for good start camera_node again.",
            )

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
