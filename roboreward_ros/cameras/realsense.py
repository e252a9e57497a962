# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The colour stream of an Intel RealSense through pyrealsense2, which is loaded when it opens."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import CameraError, ConfigError
from roboreward_ros.types import Frame, ImageU8

MAX_AGE_NS = 1_000_000_000
_Library = Any


@dataclass(frozen=True, slots=True)
class RealSenseConfig:
    """One device.

    Attributes:
        serial: its serial number; empty for the only one that is plugged in.
        width: pixels of a row.
        height: rows.
        fps: frames per second.
        exposure: locked exposure, microseconds; None leaves it automatic.
        white_balance: locked colour temperature, K; None leaves it automatic.
        name: name in frames and errors.
    """

    serial: str = ""
    width: int = 640
    height: int = 480
    fps: int = 30
    exposure: float | None = None
    white_balance: float | None = None
    name: str = "image"

    def __post_init__(self) -> None:
        if self.fps not in (5, 6, 15, 30, 60, 90):
            raise ConfigError("fps is none of the device's", got=self.fps, allowed="6, 15, 30, 60")
        for side in ("width", "height"):
            if not 180 <= getattr(self, side) <= 1920:
                raise ConfigError(
                    f"{side} out of range", got=getattr(self, side), allowed="180..1920"
                )
        for name in ("exposure", "white_balance"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} out of range", got=value, allowed="above 0")


def load_library() -> _Library:
    """The vendor's module; raises CameraError with the install line."""
    try:
        return importlib.import_module("pyrealsense2")
    except ImportError as error:
        raise CameraError(
            "a RealSense needs pyrealsense2", got=str(error), next_step="pip install pyrealsense2"
        ) from error


class RealSenseCamera:
    """Newest colour frame of one RealSense; the library keeps a queue of one.

    Args:
        config: see ``RealSenseConfig``.
        clock: stamps frames.
        load: gives the vendor's module.
    """

    def __init__(
        self,
        config: RealSenseConfig,
        clock: Clock | None = None,
        load: Callable[[], _Library] = load_library,
    ) -> None:
        self.config = config
        self._clock: Clock = clock or SystemClock()
        self._load = load
        self._pipeline: _Library = None
        self._last_ns = 0

    def open(self) -> None:
        """Start the stream.

        Raises:
            CameraError: no library, no such device, or a setting that it refuses.
        """
        if self._pipeline is not None:
            return
        rs, config = self._load(), self.config
        pipeline, wanted = rs.pipeline(), rs.config()
        if config.serial:
            wanted.enable_device(config.serial)
        wanted.enable_stream(
            rs.stream.color, config.width, config.height, rs.format.rgb8, config.fps
        )
        try:
            profile = pipeline.start(wanted)
        except RuntimeError as error:
            raise self._error(
                f"cannot be opened ({error})",
                "Check the cable (USB 3) and the serial number (rs-enumerate-devices).",
            ) from error
        try:
            self._lock(rs, profile.get_device().first_color_sensor())
        except RuntimeError as error:
            pipeline.stop()
            raise self._error(
                f"does not accept its locked exposure or white balance ({error})",
                "Look at their ranges in realsense-viewer.",
            ) from error
        self._pipeline, self._last_ns = pipeline, 0

    def read(self, timeout_s: float) -> Frame:
        """The next frame.

        Raises:
            CameraError: not open, or no frame within ``timeout_s``.
        """
        if self._pipeline is None:
            raise self._error("is not open", "Call open() first.")
        try:
            color = self._pipeline.wait_for_frames(max(int(timeout_s * 1000), 1)).get_color_frame()
        except RuntimeError as error:
            what = f"gave no frame within {timeout_s:g} s ({error})"
            raise self._error(what, "Check its cable.") from error
        if not color:
            raise self._error("gave a frame set without a picture", "Check its cable.")
        image: ImageU8 = np.array(color.get_data(), dtype=np.uint8)  # a copy: the library reuses it
        return Frame(image, self._stamp(color), self.config.name)

    def close(self) -> None:
        """Stop the stream."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.stop()

    def _lock(self, rs: _Library, sensor: _Library) -> None:
        option, config = rs.option, self.config
        for value, automatic, manual in (
            (config.exposure, option.enable_auto_exposure, option.exposure),
            (config.white_balance, option.enable_auto_white_balance, option.white_balance),
        ):
            sensor.set_option(automatic, 0.0 if value is not None else 1.0)
            if value is not None:
                sensor.set_option(manual, value)

    def _stamp(self, color: _Library) -> int:
        """The library's stamp where it follows this machine's clock, else the time of the read."""
        now_ns = self._clock.now_ns()
        told_ns = round(color.get_timestamp() * 1e6)
        stamp_ns = told_ns if 0 <= now_ns - told_ns < MAX_AGE_NS else now_ns
        self._last_ns = max(stamp_ns, self._last_ns + 1)
        return self._last_ns

    def _error(self, what: str, next_step: str) -> CameraError:
        device = self.config.serial or "any"
        return CameraError(
            f"camera {self.config.name} (RealSense {device}) {what}", next_step=next_step
        )
