# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera's frames as ``image``: an OpenCV device, or a video file for rehearsals.

Usage::

    python -m roboreward_ros.nodes.camera_node --ros-args -p device:=/dev/video0

Publishes ``image`` (reliable, so that a recorder need not lose any) and ``image/compressed`` while
somebody listens. A stale or frozen camera is reported, not republished; a lost one is opened again.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from sensor_msgs.msg import CompressedImage, Image

from roboreward_ros.cameras.watch import FrameWatch
from roboreward_ros.errors import CameraError, ConfigError
from roboreward_ros.protocols import Camera
from roboreward_ros.ros.convert import image_to_compressed, image_to_msg
from roboreward_ros.ros.diagnostics import Diagnostics, Health, Level
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.qos import EVENT, SENSOR
from roboreward_ros.ros.rates import Samples, TickStatistics
from roboreward_ros.ros.spin import run

READ_TIMEOUT_S = 1.0
REOPEN_S = 1.0
IDENTICAL_DEVICE, IDENTICAL_FILE = 10, 0


@dataclass(frozen=True, slots=True)
class CameraNodeConfig(HostConfig):
    """Parameters of camera_node; help texts are the fields' metadata."""

    device: str = option("", "OpenCV device: a path or an index; empty: use file")
    file: str = option("", "video file that is played in a loop; empty: use device")
    width: int = option(640, "pixels of a row, asked of the device")
    height: int = option(480, "rows, asked of the device")
    fps: float = option(30.0, "frames per second; 0 for a file's own")
    exposure: float = option(0.0, "locked exposure in the driver's unit; 0: automatic")
    topic: str = option("image", "topic of the raw images")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        if bool(self.device) == bool(self.file):
            raise ConfigError(
                "a camera is either a device or a file",
                got=f"device '{self.device}', file '{self.file}'",
                allowed="exactly one of the two",
                next_step="Set device:=/dev/video0, or file:= to a video.",
            )
        if not self.topic:
            raise ConfigError("topic is empty", allowed="a relative name such as image")


def make_camera(config: CameraNodeConfig) -> Camera:
    """The camera that the configuration names; raises ConfigError. Nothing is opened."""
    if config.file:
        from roboreward_ros.cameras.video_file import VideoFileCamera, VideoFileCameraConfig

        return VideoFileCamera(VideoFileCameraConfig(Path(config.file), config.fps))
    from roboreward_ros.cameras.opencv import OpenCvCamera, OpenCvCameraConfig

    return OpenCvCamera(
        OpenCvCameraConfig(
            device=int(config.device) if config.device.isdigit() else config.device,
            width=config.width,
            height=config.height,
            fps=config.fps,
            exposure=config.exposure or None,
        )
    )


class CameraNode(HostNode[CameraNodeConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("camera_node", CameraNodeConfig, **arguments)  # type: ignore[arg-type]
        self._camera: Camera | None = None
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self._problem = ""
        self._published = 0

    def _setup(self) -> None:
        config = self.config
        self._images = self.create_publisher(Image, config.topic, EVENT)
        self._compressed = self.create_publisher(
            CompressedImage, f"{config.topic}/compressed", SENSOR
        )
        self._camera = make_camera(config)
        self._camera.open()
        self._watch = FrameWatch(
            self.clock, max_identical=IDENTICAL_FILE if config.file else IDENTICAL_DEVICE
        )
        self._ticks = TickStatistics(round(1e9 / (config.fps or 30.0)))
        self._ages = Samples()
        Diagnostics(self, {"camera": self._health}, hardware_id=config.device or config.file)

    def _start(self) -> None:
        self._ending = threading.Event()
        self._thread = threading.Thread(
            target=self._stream, args=(self._ending,), name="camera worker", daemon=True
        )
        self._thread.start()

    def _stop(self, reason: str) -> None:
        del reason
        self._ending.set()
        if self._thread is not None:
            self._thread.join(2 * READ_TIMEOUT_S)
        self._thread = None

    def _teardown(self) -> None:
        if self._camera is not None:
            self._camera.close()
        self._camera = None

    def _health(self) -> Health:
        interval, age = self._ticks.interval, self._ages.summary()
        values: dict[str, str | float | int] = {
            "frames": self._published,
            "interval_p50_ms": interval.p50_ms,
            "interval_p99_ms": interval.p99_ms,
            "publish_age_p50_ms": age.p50_ms,
            "silent_s": self._watch.age_s,
        }
        if self._problem:
            return Health(Level.ERROR, self._problem, values)
        return Health(Level.OK, "streaming" if self._published else "opening", values)

    # On the camera's thread.

    def _stream(self, ending: threading.Event) -> None:
        self._watch.restart()
        while not ending.is_set():
            try:
                self._publish_next()
                self._problem = ""
            except CameraError as error:
                if str(error) != self._problem:
                    self.get_logger().error(str(error))
                self._problem = str(error)
                ending.wait(REOPEN_S)
                if not ending.is_set():
                    self._reopen()

    def _publish_next(self) -> None:
        assert self._camera is not None
        frame = self._camera.read(READ_TIMEOUT_S)
        self._watch.observe(frame)
        self._ticks.tick(self.clock.steady_ns())
        self._images.publish(image_to_msg(frame.image, frame.stamp_ns))
        self._ages.add_ns(max(self.clock.now_ns() - frame.stamp_ns, 0))
        self._published += 1
        if self._compressed.get_subscription_count():
            self._compressed.publish(image_to_compressed(frame.image, frame.stamp_ns))

    def _reopen(self) -> None:
        assert self._camera is not None
        self._camera.close()
        try:
            self._camera.open()
        except CameraError as error:
            self._problem = str(error)
            return
        self._watch.restart()


CONFIG = CameraNodeConfig


def main() -> int:
    return run(CameraNode)


if __name__ == "__main__":
    raise SystemExit(main())
