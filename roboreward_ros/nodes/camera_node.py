# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras' frames as ``image``: an OpenCV device, a RealSense, a topic, or a video file.

Usage::

    python -m roboreward_ros.nodes.camera_node --ros-args -p device:=/dev/video0

Publishes ``image`` (reliable, so that a recorder need not lose any) and ``image/compressed`` while
somebody listens; further cameras (``more``) get topics of their own. A stale or frozen camera is
reported, not republished; a lost one is opened again.
"""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass

from roboreward_ros.cameras.choose import CameraChoice, choose_camera
from roboreward_ros.cameras.images import decode, fit_image, jpeg_round_trip
from roboreward_ros.cameras.watch import FrameWatch, Timing
from roboreward_ros.errors import CameraError, ConfigError
from roboreward_ros.protocols import Camera
from roboreward_ros.ros.diagnostics import Diagnostics, Health, Level
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.picture_publisher import PicturePublisher
from roboreward_ros.ros.rates import Samples, TickStatistics
from roboreward_ros.ros.spin import run
from roboreward_ros.ros.topic_camera import TopicCamera
from roboreward_ros.stack import camera_parameter

READ_TIMEOUT_S = 1.0
REOPEN_S = 1.0
IDENTICAL = 10
SOURCES = ("device", "file", "realsense", "ros_topic")


@dataclass(frozen=True, slots=True)
class CameraNodeConfig(HostConfig):
    """Parameters of camera_node; help texts are the fields' metadata."""

    device: str = option("", "OpenCV device: a path or an index")
    file: str = option("", "video file that is played in a loop")
    realsense: str = option("", "serial number of a RealSense, or any")
    ros_topic: str = option("", "topic of raw images that are taken over")
    more: str = option("", "further cameras, topic=source,...: wrist=/dev/video2,side=realsense:12")
    width: int = option(640, "pixels of a row, asked of the device")
    height: int = option(480, "rows, asked of the device")
    fps: float = option(30.0, "frames per second; 0 for a file's own")
    exposure: float = option(0.0, "locked exposure in the driver's unit; 0: automatic")
    white_balance: float = option(0.0, "locked colour temperature, K; 0: automatic")
    square: int = option(0, "publish squares of so many pixels (BridgeData: 256); 0: as they come")
    jpeg_quality: int = option(0, "pass pictures through JPEG of this quality; 0: do not")
    topic: str = option("image", "topic of the raw images")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        given = {name: getattr(self, name) for name in SOURCES if getattr(self, name)}
        if len(given) != 1:
            raise ConfigError(
                "a camera is a device, a RealSense, a topic or a file",
                got=", ".join(f"{k} '{v}'" for k, v in given.items()) or "none of them",
                allowed="exactly one of them",
                next_step="Set device:=/dev/video0, or file:= to a video.",
            )
        if not self.topic:
            raise ConfigError("topic is empty", allowed="a relative name such as image")
        if not 0 <= self.square <= 2048 or not 0 <= self.jpeg_quality <= 100:
            raise ConfigError(
                "picture settings out of range",
                got=f"square {self.square}, jpeg_quality {self.jpeg_quality}",
                allowed="0..2048, 0..100",
            )
        self.streams()

    def streams(self) -> tuple[CameraNodeConfig, ...]:
        """One configuration a camera, each with its own source and topic."""
        found = [dataclasses.replace(self, more="") if self.more else self]
        for entry in filter(None, self.more.split(",")):
            topic, separator, source = entry.strip().partition("=")
            if not separator or not topic or not source:
                raise ConfigError("more is malformed", got=entry, allowed="topic=source,...")
            chosen = dict([camera_parameter(source)])
            values = {**dict.fromkeys(SOURCES, ""), **chosen, "topic": topic}
            found.append(dataclasses.replace(found[0], **values))  # type: ignore[arg-type]
        if len({stream.topic for stream in found}) < len(found):
            raise ConfigError("two cameras have one topic", got=self.more)
        return tuple(found)


def make_camera(config: CameraNodeConfig) -> Camera:
    """The camera that the configuration names; raises ConfigError. Nothing is opened."""
    return choose_camera(
        CameraChoice(
            device=config.device,
            file=config.file,
            realsense=config.realsense,
            width=config.width,
            height=config.height,
            fps=config.fps,
            exposure=config.exposure,
            white_balance=config.white_balance,
            name=config.topic,
        )
    )


class Stream:
    """One camera, its thread and its topics."""

    def __init__(self, node: HostNode[CameraNodeConfig], config: CameraNodeConfig) -> None:
        self._node = node
        self._config = config
        self.topic = config.topic
        self._pictures = PicturePublisher(node, config.topic)
        if config.ros_topic:
            self.camera: Camera = TopicCamera(node, config.ros_topic, decode, config.topic)
        else:
            self.camera = make_camera(config)
        self.camera.open()
        self._watch = FrameWatch(node.clock, max_identical=0 if config.file else IDENTICAL)
        self._ticks = TickStatistics(round(1e9 / (config.fps or 30.0)))
        self._ages = Samples()
        self.problem = ""
        self.published = self.left_out = self.jumps = 0
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._ending = threading.Event()
        name, arguments = "camera worker", (self._ending,)
        self._thread = threading.Thread(None, self._run, name, arguments, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join(2 * READ_TIMEOUT_S)
        self._thread = None

    def health(self) -> Health:
        """For the diagnosis."""
        interval, age = self._ticks.interval, self._ages.summary()
        values: dict[str, str | float | int] = {
            "frames": self.published,
            "interval_p50_ms": interval.p50_ms,
            "interval_p99_ms": interval.p99_ms,
            "publish_age_p50_ms": age.p50_ms,
            "silent_s": self._watch.age_s,
            "out_of_order": self.left_out,
            "clock_jumps": self.jumps,
        }
        if self.problem:
            return Health(Level.ERROR, self.problem, values)
        return Health(Level.OK, "streaming" if self.published else "opening", values)

    def _run(self, ending: threading.Event) -> None:
        self._watch.restart()
        while not ending.is_set():
            try:
                self._publish_next()
                self.problem = ""
            except CameraError as error:
                if str(error) != self.problem:
                    self._node.get_logger().error(str(error))
                self.problem = str(error)
                ending.wait(REOPEN_S)
                if not ending.is_set():
                    self._reopen()

    def _publish_next(self) -> None:
        frame = self.camera.read(READ_TIMEOUT_S)
        if (timing := self._watch.observe(frame)) is not Timing.IN_ORDER and self._strange(timing):
            return
        self._ticks.tick(self._node.clock.steady_ns())
        image = frame.image
        if self._config.square:
            image = fit_image(image, self._config.square)
        if self._config.jpeg_quality:
            image = jpeg_round_trip(image, self._config.jpeg_quality)
        self._pictures.publish(image, frame.stamp_ns)
        self._ages.add_ns(max(self._node.clock.now_ns() - frame.stamp_ns, 0))
        self.published += 1

    def _strange(self, timing: Timing) -> bool:
        """Say what a stamp shows; True when the frame is to be left out."""
        late = timing is Timing.LATE
        self.left_out, self.jumps = self.left_out + late, self.jumps + (not late)
        text = f"{self.topic}: {timing.value}, by {self._watch.off_s:+.3f} s"
        self._node.get_logger().warning(text, throttle_duration_sec=5.0)
        return late

    def _reopen(self) -> None:
        self.camera.close()
        try:
            self.camera.open()
        except CameraError as error:
            self.problem = str(error)
            return
        self._watch.restart()


class CameraNode(HostNode[CameraNodeConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("camera_node", CameraNodeConfig, **arguments)  # type: ignore[arg-type]
        self.streams: list[Stream] = []

    def _setup(self) -> None:
        for config in self.config.streams():
            self.streams.append(Stream(self, config))
        parts = {f"camera {stream.topic}": stream.health for stream in self.streams}
        Diagnostics(self, parts, hardware_id=self.config.device or self.config.realsense)

    def _start(self) -> None:
        for stream in self.streams:
            stream.start()

    def _stop(self, reason: str) -> None:
        del reason
        for stream in self.streams:
            stream.stop()

    def _teardown(self) -> None:
        for stream in self.streams:
            stream.camera.close()
        self.streams = []


CONFIG = CameraNodeConfig


def main() -> int:
    return run(CameraNode)


if __name__ == "__main__":
    raise SystemExit(main())
