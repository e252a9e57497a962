# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from roboreward_ros.cameras import opencv
from roboreward_ros.cameras.opencv import OpenCvCamera, OpenCvCameraConfig
from roboreward_ros.cameras.video_file import VideoFileCamera, VideoFileCameraConfig
from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import CameraError, ConfigError
from roboreward_ros.protocols import Camera
from roboreward_ros.testing.conformance_camera import CameraConformance
from roboreward_ros.testing.fake_camera import FakeCamera

FRAMES = 5
LIMIT_S = 60.0


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "shades.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for index in range(FRAMES):
        writer.write(np.full((48, 64, 3), (200, 0, 40 * index), np.uint8))  # BGR
    writer.release()
    return path


class TestFakeCamera(CameraConformance):
    @pytest.fixture
    def make_camera(self) -> Callable[[], Camera]:
        return FakeCamera


class TestVideoFileCamera(CameraConformance):
    @pytest.fixture
    def make_camera(self, video: Path) -> Callable[[], Camera]:
        return lambda: VideoFileCamera(VideoFileCameraConfig(video), FakeClock())


class ScriptedCapture:
    """A V4L2 device as OpenCV shows it: accepts settings, counts frames, then fails."""

    def __init__(self, *, frames: int = 10**9, size: tuple[int, int] = (640, 480)) -> None:
        self.settings: dict[int, float] = {}
        self.refused: set[int] = set()
        self.frames = frames
        self.size = size
        self.told_ms = 0.0
        self.opened = True
        self.released = False
        self.clock = FakeClock()
        self.period = threading.Event()  # never set: its wait is the device's frame period

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.period.wait(0.002)
        self.clock.advance(0.001)
        if self.frames == 0:
            return False, None
        self.frames -= 1
        picture = np.zeros((4, 6, 3), np.uint8)
        picture[..., 0] = 255  # blue
        return True, picture

    def get(self, prop: int) -> float:
        if prop == cv2.CAP_PROP_FRAME_WIDTH:
            return self.size[0]
        if prop == cv2.CAP_PROP_FRAME_HEIGHT:
            return self.size[1]
        return self.told_ms if prop == cv2.CAP_PROP_POS_MSEC else 0.0

    def set(self, prop: int, value: float) -> bool:
        self.settings[prop] = value
        return prop not in self.refused

    def release(self) -> None:
        self.released = True


def camera_on(capture: ScriptedCapture, **options: object) -> OpenCvCamera:
    return OpenCvCamera(OpenCvCameraConfig(**options), capture.clock, lambda _: capture)


class TestOpenCvCamera(CameraConformance):
    @pytest.fixture
    def make_camera(self) -> Callable[[], Camera]:
        return lambda: camera_on(ScriptedCapture())


def test_device_pictures_become_rgb_and_settings_are_asked_for() -> None:
    capture = ScriptedCapture()
    camera = camera_on(capture, exposure=156.0, fps=30.0)
    camera.open()
    frame = camera.read(LIMIT_S)
    camera.close()
    assert frame.image[0, 0].tolist() == [0, 0, 255]
    assert capture.released
    assert capture.settings[cv2.CAP_PROP_EXPOSURE] == 156.0
    assert capture.settings[cv2.CAP_PROP_AUTO_EXPOSURE] == 1.0
    assert capture.settings[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")


def test_the_driver_s_own_time_wins_over_the_read_s() -> None:
    capture = ScriptedCapture(frames=1)
    capture.clock.advance(5.0)
    capture.told_ms = 4_951.0  # 50 ms before the read, which ends at 5.001 s
    camera = camera_on(capture)
    camera.open()
    frame = camera.read(LIMIT_S)
    camera.close()
    assert frame.stamp_ns - capture.clock.offset == pytest.approx(4_951_000_000, abs=1000)


def test_a_missing_device_is_named_with_a_remedy() -> None:
    capture = ScriptedCapture()
    capture.opened = False
    with pytest.raises(CameraError, match=r"/dev/video9.*cannot be opened.*group video"):
        camera_on(capture, device="/dev/video9").open()


def test_a_size_the_device_does_not_give_is_refused() -> None:
    capture = ScriptedCapture(size=(1280, 720))
    with pytest.raises(CameraError, match="1280x720, not 640x480"):
        camera_on(capture).open()
    assert capture.released


def test_an_exposure_that_cannot_be_locked_is_refused() -> None:
    capture = ScriptedCapture()
    capture.refused = {cv2.CAP_PROP_EXPOSURE}
    with pytest.raises(CameraError, match="locked exposure"):
        camera_on(capture, exposure=5.0).open()


def test_a_device_that_stops_raises_instead_of_repeating_its_last_frame() -> None:
    camera = camera_on(ScriptedCapture(frames=0))
    camera.open()
    with pytest.raises(CameraError, match="stopped giving frames"):
        camera.read(LIMIT_S)
    camera.close()


def test_a_device_that_hangs_is_released_when_it_comes_back(monkeypatch) -> None:
    stuck, fresh = ScriptedCapture(), ScriptedCapture()
    reading, back = threading.Event(), threading.Event()

    def hang() -> tuple[bool, None]:
        reading.set()
        back.wait(LIMIT_S)
        return False, None

    stuck.read = hang  # type: ignore[method-assign]
    captures = [stuck, fresh]
    camera = OpenCvCamera(OpenCvCameraConfig(), fresh.clock, lambda _: captures.pop(0))
    camera.open()
    assert reading.wait(LIMIT_S)
    draining = camera._thread
    with monkeypatch.context() as patch:
        patch.setattr(opencv, "_JOIN_S", 0.05)
        camera.close()
    assert not stuck.released  # under a read
    camera.open()
    back.set()
    draining.join(LIMIT_S)
    assert stuck.released
    assert camera.read(LIMIT_S).image.size  # the old failure is not the new device's
    monkeypatch.setattr(opencv, "_JOIN_S", LIMIT_S)
    camera.close()
    assert fresh.released


def test_no_frame_in_time_raises() -> None:
    camera = FakeCamera(silent_from=0)
    camera.open()
    with pytest.raises(CameraError, match="no frame within"):
        camera.read(0.5)


@pytest.mark.parametrize(
    "bad",
    [{"device": -1}, {"device": ""}, {"width": 0}, {"fps": 0}, {"fourcc": "MJ"}, {"exposure": 0.0}],
)
def test_bad_device_settings_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        OpenCvCameraConfig(**bad)


def test_a_video_plays_in_order_at_its_rate_and_starts_again(video: Path) -> None:
    clock = FakeClock()
    camera = VideoFileCamera(VideoFileCameraConfig(video), clock)
    camera.open()
    frames = [camera.read(1.0) for _ in range(FRAMES + 1)]
    camera.close()
    shades = [float(frame.image[..., 0].mean()) for frame in frames]
    assert shades[:FRAMES] == sorted(shades[:FRAMES])
    assert shades[FRAMES] == pytest.approx(shades[0], abs=1)
    assert frames[0].image[..., 2].mean() > 150
    steps = np.diff([frame.stamp_ns for frame in frames])
    np.testing.assert_allclose(steps, 1e8, atol=1e3)


def test_a_video_that_does_not_loop_ends(video: Path) -> None:
    camera = VideoFileCamera(VideoFileCameraConfig(video, loop=False), FakeClock())
    camera.open()
    for _ in range(FRAMES):
        camera.read(1.0)
    with pytest.raises(CameraError, match="is over"):
        camera.read(1.0)


def test_a_frame_not_due_in_time_raises(video: Path) -> None:
    camera = VideoFileCamera(VideoFileCameraConfig(video, fps=1.0), FakeClock())
    camera.open()
    camera.read(0.1)
    with pytest.raises(CameraError, match="no frame within"):
        camera.read(0.1)


def test_files_that_are_no_videos_are_named(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"gone\.mp4.*does not exist"):
        VideoFileCamera(VideoFileCameraConfig(tmp_path / "gone.mp4")).open()
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(CameraError, match=r"text\.mp4.*cannot be decoded"):
        VideoFileCamera(VideoFileCameraConfig(text)).open()
