# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from roboreward_ros.cameras.images import fit_image
from roboreward_ros.cameras.watch import FrameWatch, Timing
from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import CameraError, ConfigError
from roboreward_ros.protocols import Camera
from roboreward_ros.rehearsal.faults import Fault, FaultKind
from roboreward_ros.testing.fake_camera import FakeCamera
from roboreward_ros.testing.faulty_camera import FaultyCamera
from roboreward_ros.testing.faulty_clock import JumpingClock
from roboreward_ros.types import Frame


def test_a_working_camera_passes_the_watch() -> None:
    clock = FakeClock()
    camera, watch = FakeCamera(clock), FrameWatch(clock)
    camera.open()
    for _ in range(50):
        watch.observe(camera.read(1.0))
    assert watch.age_s == 0.0


def test_a_frozen_camera_is_found_after_the_set_number_of_pictures() -> None:
    clock = FakeClock()
    camera, watch = FakeCamera(clock, frozen_from=3), FrameWatch(clock, max_identical=4)
    camera.open()
    for _ in range(6):  # pictures 0 1 2 3 3 3
        watch.observe(camera.read(1.0))
    with pytest.raises(CameraError, match=r"frozen.*4 identical"):
        watch.observe(camera.read(1.0))


def test_renderings_may_repeat() -> None:
    clock = FakeClock()
    camera, watch = FakeCamera(clock, frozen_from=0), FrameWatch(clock, max_identical=0)
    camera.open()
    for _ in range(30):
        watch.observe(camera.read(1.0))
    assert watch.age_s == 0.0


def test_the_same_stamp_again_is_no_new_frame() -> None:
    clock = FakeClock()
    watch = FrameWatch(clock, max_age_s=1.0)
    frame = Frame(np.zeros((4, 4, 3), np.uint8), clock.now_ns(), "wrist")
    watch.observe(frame)
    clock.advance(0.9)
    watch.observe(frame)
    clock.advance(0.2)
    with pytest.raises(CameraError, match=r"wrist gives no new frames.*1\.10 s ago"):
        watch.observe(frame)
    watch.restart()
    watch.check("wrist")


def timings(camera: Camera, clock: FakeClock, count: int) -> list[Timing]:
    camera.open()
    watch = FrameWatch(clock)
    return [watch.observe(camera.read(1.0)) for _ in range(count)]


def faulty(clock: FakeClock, kind: FaultKind, **given: float) -> FaultyCamera:
    fault = Fault(kind, step=3, **given)  # type: ignore[arg-type]
    return FaultyCamera(FakeCamera(clock), (fault,), clock)


def test_a_frame_that_was_overtaken_is_known_as_late() -> None:
    clock = FakeClock()
    found = timings(faulty(clock, FaultKind.CAMERA_REORDERS), clock, 7)
    assert [k for k, timing in enumerate(found) if timing is not Timing.IN_ORDER] == [4]
    assert found[4] is Timing.LATE


def test_pictures_that_do_not_come_are_missed_only_after_the_longest_age() -> None:
    clock = FakeClock()
    assert set(timings(faulty(clock, FaultKind.CAMERA_DROPS, steps=20), clock, 7)) == {
        Timing.IN_ORDER
    }
    with pytest.raises(CameraError, match="no frame within"):
        timings(faulty(clock, FaultKind.CAMERA_DROPS, steps=40), clock, 7)


@pytest.mark.parametrize("by_s", [3600.0, -3600.0, 1.5, -1.5])
def test_a_clock_that_was_set_is_noticed_once_with_its_distance(by_s: float) -> None:
    clock = FakeClock()
    wall = JumpingClock(clock)
    camera, watch = FakeCamera(wall), FrameWatch(wall)
    camera.open()
    found = []
    for k in range(6):
        if k == 3:
            wall.jump(by_s)
        found.append(watch.observe(camera.read(1.0)))
        if found[-1] is Timing.JUMPED:
            assert watch.off_s == pytest.approx(by_s, abs=0.01)
    assert [timing is Timing.JUMPED for timing in found] == [k == 3 for k in range(6)]
    assert Timing.LATE not in found


def test_a_camera_that_changes_its_size_is_refused_until_it_is_set_back() -> None:
    clock = FakeClock()
    camera, watch = faulty(clock, FaultKind.CAMERA_RESIZES, steps=2), FrameWatch(clock)
    camera.open()
    for k in range(7):
        frame = camera.read(1.0)
        if k in (3, 4):
            with pytest.raises(CameraError, match=r"changed its size; got '32x24'.*64x48"):
                watch.observe(frame)
            watch.restart()  # opening it again does not make it right
        else:
            watch.observe(frame)


def test_bad_watch_settings_are_refused() -> None:
    with pytest.raises(ConfigError):
        FrameWatch(FakeClock(), max_age_s=0.0)
    with pytest.raises(ConfigError):
        FrameWatch(FakeClock(), max_identical=1)


def test_shrinking_averages_and_squashes_the_whole_picture() -> None:
    stripes = np.zeros((480, 640, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than the target: sampling would alias, averaging gives grey
    fitted = fit_image(stripes)
    assert fitted.shape == (256, 256, 3)
    assert np.abs(fitted.astype(int) - 127).max() < 40
    halves = np.zeros((480, 640, 3), np.uint8)
    halves[:, 320:] = 255
    assert fit_image(halves)[:, 129:].min() == 255
    assert fit_image(halves)[:, :127].max() == 0


def test_fitting_copies_and_enlarges_smoothly() -> None:
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    fitted = fit_image(image)
    np.testing.assert_array_equal(fitted, image)
    assert not np.shares_memory(fitted, image)
    ramp = np.repeat(np.arange(0, 64, 4, dtype=np.uint8)[None, :, None], 16, 0).repeat(3, 2)
    assert np.diff(fit_image(ramp, 64)[0, :, 0].astype(int)).max() <= 2


def test_wrong_pictures_are_refused() -> None:
    with pytest.raises(ConfigError):
        fit_image(np.zeros((4, 4), np.uint8))
    with pytest.raises(ConfigError):
        fit_image(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(ConfigError):
        fit_image(np.zeros((4, 4, 3), np.uint8), 0)
