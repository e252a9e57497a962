# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A V4L2 camera through OpenCV: a thread drains the driver's queue, readers get the newest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from roboreward_ros.cameras.capture import Capture
from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import CameraError, ConfigError
from roboreward_ros.types import Frame, ImageU8

_MANUAL_EXPOSURE = 1.0  # V4L2_EXPOSURE_MANUAL
_FAILED_READS = 5
_JOIN_S = 2.0


@dataclass(frozen=True, slots=True)
class OpenCvCameraConfig:
    """One V4L2 device.

    Attributes:
        device: index (0 is /dev/video0) or path; a path below /dev/v4l/by-id survives replugging.
        width: pixels of a row.
        height: rows.
        fps: frames per second asked of the device.
        fourcc: pixel format asked of the device; MJPG lets two cameras share one USB 2 bus.
        exposure: locked exposure in the driver's unit (V4L2: 0.1 ms); None leaves it automatic.
        white_balance: locked colour temperature, K; None leaves it automatic.
        name: name in frames and errors.
    """

    device: int | str = 0
    width: int = 640
    height: int = 480
    fps: float = 30.0
    fourcc: str = "MJPG"
    exposure: float | None = None
    white_balance: float | None = None
    name: str = "image"

    def __post_init__(self) -> None:
        if isinstance(self.device, int) and self.device < 0:
            raise ConfigError("device index is negative", got=self.device, allowed="0 or more")
        if self.device == "":
            raise ConfigError("device is empty", allowed="an index or a path")
        for side in ("width", "height"):
            if not 16 <= getattr(self, side) <= 8192:
                raise ConfigError(
                    f"{side} out of range", got=getattr(self, side), allowed="16..8192"
                )
        if not 1.0 <= self.fps <= 240.0:
            raise ConfigError("fps out of range", got=self.fps, allowed="1..240")
        if len(self.fourcc) != 4:
            raise ConfigError(
                "fourcc must have four characters", got=self.fourcc, allowed="MJPG, YUYV"
            )
        if self.exposure is not None and not self.exposure > 0:
            raise ConfigError("exposure out of range", got=self.exposure, allowed="above 0")
        if self.white_balance is not None and not 1000.0 <= self.white_balance <= 20_000.0:
            raise ConfigError(
                "white_balance out of range", got=self.white_balance, allowed="1000..20000 K"
            )


def open_v4l2(device: int | str) -> Capture:
    """OpenCV's capture of a V4L2 device."""
    capture: Capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
    return capture


class OpenCvCamera:
    """Newest frame of one V4L2 device.

    Args:
        config: see ``OpenCvCameraConfig``.
        clock: stamps frames.
        open_capture: opens the device.
    """

    def __init__(
        self,
        config: OpenCvCameraConfig,
        clock: Clock | None = None,
        open_capture: Callable[[int | str], Capture] = open_v4l2,
    ) -> None:
        self.config = config
        self._clock: Clock = clock or SystemClock()
        self._open_capture = open_capture
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._frame: Frame | None = None
        self._failure: CameraError | None = None
        self._stop = threading.Event()

    def open(self) -> None:
        """Open the device and start draining it.

        Raises:
            CameraError: no such device, or it does not give the size asked for.
        """
        if self._thread is not None:
            return
        capture = self._open_capture(self.config.device)
        if not capture.isOpened():
            capture.release()
            raise self._error(
                "cannot be opened",
                "Check that the device exists (ls /dev/video*), that this user is in group video "
                "and that no other program holds it.",
            )
        try:
            self._configure(capture)
        except CameraError:
            capture.release()
            raise
        self._frame = self._failure = None
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._drain, args=(capture, self._stop), name=f"camera {self.config.name}"
        )
        self._thread.daemon = True  # a driver that never returns must not keep the process alive
        self._thread.start()

    def read(self, timeout_s: float) -> Frame:
        """The newest frame not read before.

        Raises:
            CameraError: not open, no frame within ``timeout_s``, or the device failed.
        """
        if self._thread is None:
            raise self._error("is not open", "Call open() first.")
        with self._changed:
            self._changed.wait_for(
                lambda: self._frame is not None or self._failure is not None, timeout=timeout_s
            )
            if self._frame is None and self._failure is not None:
                raise self._failure
            if self._frame is None:
                raise self._error(
                    f"gave no frame within {timeout_s:g} s",
                    "Check its cable; a lower fps or fourcc MJPG helps a full USB bus.",
                )
            frame, self._frame = self._frame, None
            return frame

    def close(self) -> None:
        """Stop draining; the draining thread releases the device."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stop.set()
            thread.join(_JOIN_S)

    def _configure(self, capture: Capture) -> None:
        config = self.config
        code = sum(ord(letter) << (8 * place) for place, letter in enumerate(config.fourcc))
        capture.set(cv2.CAP_PROP_FOURCC, float(code))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, float(config.width))
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, float(config.height))
        capture.set(cv2.CAP_PROP_FPS, config.fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1.0)
        size = (capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if size != (config.width, config.height):
            raise self._error(
                f"gives {size[0]:.0f}x{size[1]:.0f}, not {config.width}x{config.height}",
                "Ask for a size of its list (v4l2-ctl --list-formats-ext).",
            )
        if config.exposure is not None:
            locked = capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL_EXPOSURE)
            if not (locked and capture.set(cv2.CAP_PROP_EXPOSURE, config.exposure)):
                raise self._error(
                    f"does not accept a locked exposure of {config.exposure:g}",
                    "Look at its range (v4l2-ctl --list-ctrls), or leave exposure out.",
                )

        if config.white_balance is not None:
            locked = capture.set(cv2.CAP_PROP_AUTO_WB, 0.0)
            if not (locked and capture.set(cv2.CAP_PROP_WB_TEMPERATURE, config.white_balance)):
                raise self._error(
                    f"does not accept a locked white balance of {config.white_balance:g} K",
                    "Look at its range (v4l2-ctl --list-ctrls), or leave white_balance out.",
                )

    def _drain(self, capture: Capture, stop: threading.Event) -> None:
        """Until ``stop`` or a failure, then release: under a blocked read that crashes drivers."""
        try:
            self._drain_until(capture, stop)
        finally:
            capture.release()

    def _drain_until(self, capture: Capture, stop: threading.Event) -> None:
        failed = 0
        while not stop.is_set():
            try:
                good, bgr = capture.read()
                stamp_ns = self._clock.now_ns()
                frame = self._frame_of(capture, bgr, stamp_ns) if good and bgr is not None else None
            except (cv2.error, ConfigError) as error:
                return self._fail(stop, f"gave a picture that cannot be used ({error})")
            failed = 0 if frame else failed + 1
            if failed >= _FAILED_READS:
                return self._fail(stop, "stopped giving frames")
            if frame and not stop.is_set():
                with self._changed:
                    self._frame = frame
                    self._changed.notify_all()
        return None

    def _fail(self, stop: threading.Event, what: str) -> None:
        if stop.is_set():  # closed meanwhile, and perhaps open again on another thread
            return
        with self._changed:
            self._failure = self._error(what, "Check its cable, then close and open it again.")
            self._changed.notify_all()

    def _frame_of(self, capture: Capture, bgr: npt.NDArray[np.uint8], read_ns: int) -> Frame:
        image: ImageU8 = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        return Frame(image, self._acquired(capture, read_ns), self.config.name)

    def _acquired(self, capture: Capture, read_ns: int) -> int:
        """Stamp of the exposure's end where the driver tells it, else of the read."""
        told_ns = round(capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)  # V4L2: monotonic clock
        waited = self._clock.steady_ns() - told_ns
        return read_ns - waited if told_ns > 0 and 0 <= waited < 1_000_000_000 else read_ns

    def _error(self, what: str, next_step: str) -> CameraError:
        return CameraError(
            f"camera {self.config.name} (device {self.config.device}) {what}", next_step=next_step
        )
