# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RealSense against a module of the shape of pyrealsense2."""

import sys
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from roboreward_ros.cameras.realsense import RealSenseCamera, RealSenseConfig, load_library
from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import CameraError, ConfigError
from roboreward_ros.protocols import Camera
from roboreward_ros.testing.conformance_camera import CameraConformance


class FakeLibrary:
    """What the camera uses of pyrealsense2; one device with serial 0123."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.options: dict[str, float] = {}
        self.refused: set[str] = set()
        self.silent = False
        self.foreign_clock = False
        self.asked: tuple = ()
        self.running = 0
        names = ("exposure", "white_balance")
        self.option = SimpleNamespace(
            **{n: n for n in names}, **{f"enable_auto_{n}": f"enable_auto_{n}" for n in names}
        )
        self.stream = SimpleNamespace(color="color")
        self.format = SimpleNamespace(rgb8="rgb8")
        self._image = np.zeros((480, 640, 3), np.uint8)

    def config(self):
        serial = []
        return SimpleNamespace(
            enable_device=serial.append,
            enable_stream=lambda *a: setattr(self, "asked", a),
            serial=serial,
        )

    def pipeline(self):
        return SimpleNamespace(start=self._start, stop=self._stop, wait_for_frames=self._wait)

    def _start(self, config):
        if config.serial not in ([], ["0123"]):
            raise RuntimeError("No device connected")
        self.running += 1
        sensor = SimpleNamespace(set_option=self._set)
        return SimpleNamespace(
            get_device=lambda: SimpleNamespace(first_color_sensor=lambda: sensor)
        )

    def _stop(self) -> None:
        self.running -= 1

    def _set(self, option: str, value: float) -> None:
        if option in self.refused:
            raise RuntimeError("out of range")
        self.options[option] = value

    def _wait(self, timeout_ms: int):
        if self.silent:
            self.clock.advance(timeout_ms / 1000)
            raise RuntimeError("Frame didn't arrive")
        self.clock.advance(1 / 30)
        self._image += 1  # the library reuses its memory
        told = 5.0 if self.foreign_clock else (self.clock.now_ns() - 20_000_000) / 1e6
        frame = SimpleNamespace(get_data=lambda: self._image, get_timestamp=lambda: told)
        return SimpleNamespace(get_color_frame=lambda: frame)


@pytest.fixture
def library() -> FakeLibrary:
    return FakeLibrary()


def camera_of(library: FakeLibrary, **config) -> RealSenseCamera:
    return RealSenseCamera(RealSenseConfig(**config), library.clock, lambda: library)


class TestRealSense(CameraConformance):
    @pytest.fixture
    def make_camera(self, library: FakeLibrary) -> Callable[[], Camera]:
        return lambda: camera_of(library)


def test_settings_are_locked_or_automatic(library):
    camera_of(library, exposure=150.0).open()
    assert library.options == {
        "enable_auto_exposure": 0.0,
        "exposure": 150.0,
        "enable_auto_white_balance": 1.0,
    }
    assert library.asked[1:3] == (640, 480)


def test_a_refused_setting_stops_the_stream_again(library):
    library.refused.add("white_balance")
    with pytest.raises(CameraError, match="white balance"):
        camera_of(library, white_balance=4600.0).open()
    assert library.running == 0


def test_the_frames_own_stamp_is_kept_where_it_is_of_this_clock(library):
    camera = camera_of(library)
    camera.open()
    frame = camera.read(1.0)
    assert library.clock.now_ns() - frame.stamp_ns == pytest.approx(20_000_000, abs=1000)
    library.foreign_clock = True
    later = camera.read(1.0)
    assert library.clock.now_ns() >= later.stamp_ns > frame.stamp_ns


def test_another_serial_and_silence_are_named(library):
    with pytest.raises(CameraError, match="RealSense 9999"):
        camera_of(library, serial="9999").open()
    camera = camera_of(library, serial="0123")
    camera.open()
    library.silent = True
    with pytest.raises(CameraError, match=r"no frame within 0.5 s"):
        camera.read(0.5)


def test_a_missing_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyrealsense2", None)
    with pytest.raises(CameraError, match="pip install pyrealsense2"):
        load_library()


@pytest.mark.parametrize("bad", [{"fps": 25}, {"width": 1}, {"exposure": 0.0}])
def test_bad_configurations_are_refused(bad):
    with pytest.raises(ConfigError):
        RealSenseConfig(**bad)
