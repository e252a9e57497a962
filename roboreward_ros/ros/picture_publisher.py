# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera's topics: ``image`` and, while somebody looks, ``image/compressed``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from roboreward_ros.ros.convert import image_to_compressed, image_to_msg
from roboreward_ros.ros.qos import EVENT, SENSOR
from roboreward_ros.types import Frame, ImageU8


class PicturePublisher:
    """One camera's; one thread uses it.

    Args:
        node: host.
        topic: of the raw pictures, reliable; the compressed ones are best effort, one level below.
    """

    def __init__(self, node: Node, topic: str = "image") -> None:
        self._raw = node.create_publisher(Image, topic, EVENT)
        self._compressed = node.create_publisher(CompressedImage, f"{topic}/compressed", SENSOR)

    @property
    def watched(self) -> bool:
        """Whether somebody subscribes to either topic."""
        return bool(self._raw.get_subscription_count()) or self.shown

    @property
    def shown(self) -> bool:
        """Whether somebody subscribes to the compressed topic."""
        return bool(self._compressed.get_subscription_count())

    def publish(self, image: ImageU8, stamp_ns: int) -> None:
        """Publish a picture ``[H, W, 3]`` uint8 RGB under its stamp, ns since the epoch."""
        self._raw.publish(image_to_msg(image, stamp_ns))
        self.show(image, stamp_ns)

    def show(self, image: ImageU8, stamp_ns: int) -> None:
        """Publish it to those only who look at compressed pictures."""
        if self.shown:
            self._compressed.publish(image_to_compressed(image, stamp_ns))


class FurtherCamera(Protocol):
    """A camera that is not always there."""

    @property
    def there(self) -> bool: ...

    def open(self) -> None: ...

    def read(self, timeout_s: float) -> Frame: ...


class FurtherCameras:
    """Cameras that nothing waits for: they are read only while somebody looks at them.

    Args:
        node: host.
        cameras: topic -> camera; they are opened here.
    """

    def __init__(self, node: Node, cameras: Mapping[str, FurtherCamera]) -> None:
        self._cameras = [
            (camera, PicturePublisher(node, topic)) for topic, camera in cameras.items()
        ]
        for camera, _ in self._cameras:
            camera.open()

    def publish(self) -> None:
        """What each sees now, under its own stamp."""
        for camera, pictures in self._cameras:
            if pictures.watched and camera.there:
                frame = camera.read(0.0)
                pictures.publish(frame.image, frame.stamp_ns)

    def show(self, stamp_ns: int) -> None:
        """The same to those only who look at compressed pictures, under one stamp."""
        for camera, pictures in self._cameras:
            if pictures.shown and camera.there:
                pictures.show(camera.read(0.0).image, stamp_ns)
