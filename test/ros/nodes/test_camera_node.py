# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""camera_node: a file as images with acquisition stamps; stale and frozen cameras are reported."""

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CompressedImage, Image

from roboreward_ros.errors import CameraError, ConfigError
from roboreward_ros.nodes import camera_node
from roboreward_ros.nodes.camera_node import CameraNode
from roboreward_ros.rehearsal.faults import Fault, FaultKind
from roboreward_ros.ros.convert import image_from_msg
from roboreward_ros.ros.qos import EVENT, SENSOR
from roboreward_ros.testing.fake_camera import FakeCamera
from roboreward_ros.testing.faulty_camera import FaultyCamera
from roboreward_ros.types import Frame

WIDTH, HEIGHT, FRAMES = 64, 48, 6


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 50.0, (WIDTH, HEIGHT))
    for k in range(FRAMES):
        writer.write(np.full((HEIGHT, WIDTH, 3), (200, 20, 40 * k), dtype=np.uint8))
    writer.release()
    return path


class FlakyCamera:
    """Gives frames, or raises, as its script says; the last entry repeats."""

    def __init__(self, script, clock):
        self.script = list(script)
        self.clock = clock
        self.opened = 0
        self.reads = 0

    def open(self):
        self.opened += 1

    def read(self, timeout_s):
        del timeout_s
        self.clock.sleep(0.005)
        entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self.reads += 1
        if entry == "lost":
            raise CameraError("camera image gave no frame")
        image = np.zeros((8, 8, 3), np.uint8)
        if entry == "good":
            image[0, 0] = self.reads % 256
        return Frame(image, self.clock.now_ns())

    def close(self):
        pass


@pytest.fixture
def scripted(ros, monkeypatch):
    def start(*script):
        cameras = []

        def make(config):
            del config
            cameras.append(FlakyCamera(script, node.clock))
            return cameras[0]

        monkeypatch.setattr(camera_node, "make_camera", make)
        monkeypatch.setattr(camera_node, "REOPEN_S", 0.01)
        node = ros.add(CameraNode(context=ros.context, parameters={"device": "0"}))
        assert node.bring_up(), node.failure
        return node, cameras[0]

    return start


def test_a_files_frames_come_as_rgb_images_with_growing_stamps(ros, video):
    node = ros.add(CameraNode(context=ros.context, parameters={"file": str(video), "fps": 0.0}))
    heard, small = [], []
    client = ros.node()
    client.create_subscription(Image, "image", heard.append, EVENT)
    client.create_subscription(CompressedImage, "image/compressed", small.append, SENSOR)
    assert node.bring_up(), node.failure
    ros.spin_until(lambda: len(heard) >= 2 * FRAMES and small)
    frames = [image_from_msg(m) for m in heard]
    stamps = [f.stamp_ns for f in frames]
    assert stamps == sorted(set(stamps))
    assert frames[0].image.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(frames[0].image[0, 0].astype(int) - (heard[0].data[0], 20, 200)).max() < 12
    decoded = cv2.imdecode(np.frombuffer(bytes(small[0].data), np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == (HEIGHT, WIDTH, 3)


def test_a_lost_camera_is_reported_and_opened_again(ros, scripted):
    node, camera = scripted("good", "lost", "lost", "good")
    ros.spin_until(lambda: camera.opened >= 3)
    ros.spin_until(lambda: node.streams[0].health().level == 0)
    assert node.streams[0].published >= 2


def test_a_camera_that_stays_away_is_an_error_in_the_diagnosis(ros, scripted):
    heard = []
    ros.node().create_subscription(DiagnosticArray, "/diagnostics", heard.append, EVENT)
    scripted("lost")
    ros.spin_until(lambda: any("no frame" in s.message for m in heard for s in m.status))


def test_frozen_pictures_are_reported_and_not_called_fresh(ros, scripted):
    node, _ = scripted("frozen")
    ros.spin_until(lambda: "frozen" in node.streams[0].problem)
    assert node.streams[0].health().level > 0


FAULTS = {  # steps of a camera of 100 frames/s, and what is said of it
    FaultKind.CAMERA_FREEZES: (30, "frozen"),
    FaultKind.CAMERA_DROPS: (60, "no frame within"),
    FaultKind.CAMERA_RESIZES: (2, "changed its size; got '32x24'"),
    FaultKind.CAMERA_REORDERS: (1, "older than one before it"),
    FaultKind.CLOCK_JUMPS: (2, "the wall clock was set, by +3"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_camera_s_fault_is_named_and_got_over(ros, monkeypatch, kind):
    steps, named = FAULTS[kind]
    said = []

    def make(config):
        del config
        camera = FakeCamera(node.clock, fps=100.0)
        return FaultyCamera(camera, [Fault(kind, step=5, steps=steps)], node.clock)

    monkeypatch.setattr(camera_node, "make_camera", make)
    monkeypatch.setattr(camera_node, "REOPEN_S", 0.01)
    monkeypatch.setattr(camera_node, "READ_TIMEOUT_S", 0.3)
    node = ros.add(CameraNode(context=ros.context, parameters={"device": "0"}))
    log = node.get_logger()
    for level in ("warning", "error"):
        monkeypatch.setattr(log, level, lambda text, **_: said.append(text))
    monkeypatch.setattr(node, "get_logger", lambda: log)
    heard = []
    ros.node().create_subscription(Image, "image", heard.append, EVENT)
    assert node.bring_up(), node.failure
    ros.spin_until(lambda: any(named in text for text in said), named)
    count = len(heard)
    ros.spin_until(lambda: len(heard) > count + 10, "pictures again")
    frames = [image_from_msg(message) for message in heard]
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    if kind is not FaultKind.CLOCK_JUMPS:
        stamps = [frame.stamp_ns for frame in frames]
        assert stamps == sorted(stamps)
        assert bool(node.streams[0].left_out) == (kind is FaultKind.CAMERA_REORDERS)
    ros.spin_until(lambda: node.streams[0].health().level == 0)


def test_a_device_that_is_not_there_fails_the_configuration(ros):
    node = ros.add(CameraNode(context=ros.context, parameters={"device": "/dev/video_none"}))
    assert not node.bring_up()
    assert isinstance(node.failure, CameraError)
    assert "/dev/video_none" in str(node.failure)


def test_a_file_that_is_not_there_fails_the_configuration(ros, tmp_path):
    parameters = {"file": str(tmp_path / "none.mp4")}
    node = ros.add(CameraNode(context=ros.context, parameters=parameters))
    assert not node.bring_up()
    assert "none.mp4" in str(node.failure)


@pytest.mark.parametrize("given", [{}, {"device": "0", "file": "a.mp4"}])
def test_a_camera_is_a_device_or_a_file(ros, given):
    with pytest.raises(ConfigError, match="exactly one"):
        CameraNode(context=ros.context, parameters=given)


def test_several_cameras_have_topics_of_their_own(ros, video):
    parameters = {"file": str(video), "fps": 25.0, "more": f"wrist={video}", "square": 32}
    node = ros.add(CameraNode(context=ros.context, parameters=parameters))
    heard = {"image": [], "wrist": []}
    client = ros.node()
    for topic, messages in heard.items():
        client.create_subscription(Image, topic, messages.append, EVENT)
    assert node.bring_up(), node.failure
    ros.spin_until(lambda: all(heard.values()))
    assert (heard["wrist"][0].height, heard["wrist"][0].width) == (32, 32)


@pytest.mark.parametrize(
    ("more", "named"), [("wrist", "topic=source"), ("image=/dev/video1", "one topic")]
)
def test_further_cameras_that_make_no_sense_are_refused(ros, more, named):
    with pytest.raises(ConfigError, match=named):
        CameraNode(context=ros.context, parameters={"device": "0", "more": more})


def test_any_image_topic_is_a_camera(ros):
    parameters = {"ros_topic": "/blue/image_raw", "jpeg_quality": 90}
    node = ros.add(CameraNode(context=ros.context, parameters=parameters))
    heard = []
    client = ros.node()
    client.create_subscription(Image, "image", heard.append, EVENT)
    blue = client.create_publisher(Image, "/blue/image_raw", SENSOR)
    assert node.bring_up(), node.failure
    ros.connected(blue)
    count = 0

    def published():
        nonlocal count
        count += 1
        rows = np.full((8, 20), 40, np.uint8)  # rows are padded
        rows[0, 12] = count % 200  # not in the 8x8 block that is looked at
        message = Image(height=8, width=16, step=20, encoding="mono8")
        message.header.stamp.nanosec = count
        message.data = rows.tobytes()
        blue.publish(message)
        return heard

    ros.spin_until(published)
    frame = image_from_msg(heard[0])
    assert frame.image.shape == (8, 16, 3)
    assert abs(int(frame.image[4, 4, 1]) - 40) < 3
    assert 0 < frame.stamp_ns <= count
