# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A video file as a camera: for rehearsals without a device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2

from roboreward_ros.cameras.capture import Capture
from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import CameraError, ConfigError
from roboreward_ros.types import Frame, ImageU8

_NO_RATE_FPS = 30.0  # of files that do not tell theirs


@dataclass(frozen=True, slots=True)
class VideoFileCameraConfig:
    """One video file.

    Attributes:
        path: any container that OpenCV decodes.
        fps: frames per second to play at; 0 for the file's own rate.
        loop: start again at the end; otherwise reading past it raises.
        name: name in frames and errors.
    """

    path: Path
    fps: float = 0.0
    loop: bool = True
    name: str = "image"

    def __post_init__(self) -> None:
        if not (self.fps == 0.0 or 0.1 <= self.fps <= 1000.0):
            raise ConfigError("fps out of range", got=self.fps, allowed="0 (the file's), 0.1..1000")


class VideoFileCamera:
    """Plays a file at its rate; no frame is left out, however late the reader is.

    Args:
        config: see ``VideoFileCameraConfig``.
        clock: paces and stamps frames.
    """

    def __init__(self, config: VideoFileCameraConfig, clock: Clock | None = None) -> None:
        self.config = config
        self._clock: Clock = clock or SystemClock()
        self._capture: Capture | None = None
        self._period_ns = 0
        self._due_ns = 0

    def open(self) -> None:
        """Open the file.

        Raises:
            CameraError: no such file, or not a video.
        """
        if self._capture is not None:
            return
        path = self.config.path
        if not path.is_file():
            raise self._error("does not exist", "Check the path.")
        self._capture = self._start()
        fps = self.config.fps or self._capture.get(cv2.CAP_PROP_FPS) or _NO_RATE_FPS
        self._period_ns = round(1e9 / fps)
        self._due_ns = self._clock.steady_ns()

    def read(self, timeout_s: float) -> Frame:
        """The next frame, when it is due.

        Raises:
            CameraError: not open, not due within ``timeout_s``, or the video is over.
        """
        if self._capture is None:
            raise self._error("is not open", "Call open() first.")
        wait_s = (self._due_ns - self._clock.steady_ns()) * 1e-9
        if wait_s > timeout_s:
            self._clock.sleep(max(timeout_s, 0.0))
            raise self._error(
                f"gave no frame within {timeout_s:g} s", "Wait longer than one frame's period."
            )
        if wait_s > 0:
            self._clock.sleep(wait_s)
        image = self._decode(self._capture)
        stamp = self._clock.now_ns()
        self._due_ns = (
            max(self._due_ns, self._clock.steady_ns() - self._period_ns) + self._period_ns
        )
        return Frame(image, stamp, self.config.name)

    def close(self) -> None:
        """Close the file."""
        if self._capture is not None:
            self._capture.release()
        self._capture = None

    def _start(self) -> Capture:
        capture: Capture = cv2.VideoCapture(str(self.config.path))
        if not capture.isOpened():
            capture.release()
            raise self._error("cannot be decoded", "Convert it, e.g. to H.264 in an .mp4 file.")
        return capture

    def _decode(self, capture: Capture) -> ImageU8:
        good, bgr = capture.read()
        if not (good and bgr is not None):
            if not self.config.loop:
                raise self._error("is over", "Set loop, or stop at its end.")
            capture.release()
            self._capture = capture = self._start()
            good, bgr = capture.read()
            if not (good and bgr is not None):
                raise self._error("holds no frames", "Record it again.")
        image: ImageU8 = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        return image

    def _error(self, what: str, next_step: str) -> CameraError:
        return CameraError(
            f"camera {self.config.name} (file {self.config.path}) {what}", next_step=next_step
        )
