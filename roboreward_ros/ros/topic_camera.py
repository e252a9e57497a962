# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Any ``sensor_msgs/Image`` topic as a camera: drivers of other packages, bags, remote machines."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import Image

from roboreward_ros.errors import CameraError, RoboRewardError
from roboreward_ros.ros.convert.stamps import stamp_from_msg
from roboreward_ros.ros.qos import SENSOR
from roboreward_ros.types import Frame, ImageU8

if TYPE_CHECKING:
    from roboreward_ros.ros.lifecycle import HostNode

Decode: TypeAlias = Callable[[npt.NDArray[np.uint8], str, int, int], ImageU8]


class TopicCamera:
    """Newest image of a topic. The host's executor receives; another thread reads.

    Args:
        node: host; its entities are its own to destroy.
        topic: absolute or relative to the host.
        decode: raw rows, encoding, height, width -> RGB.
        name: name in frames and errors.
    """

    def __init__(
        self,
        node: HostNode,  # type: ignore[type-arg]
        topic: str,
        decode: Decode,
        name: str = "image",
    ) -> None:
        self._node = node
        self._topic = topic
        self._decode = decode
        self._name = name
        self._arrived = threading.Condition()
        self._message: Image | None = None
        self._open = False
        self._subscription = node.create_subscription(Image, topic, self._on_image, SENSOR)

    def open(self) -> None:
        """Take what comes from now on; a topic may begin to be published later."""
        with self._arrived:
            self._open, self._message = True, None

    def read(self, timeout_s: float) -> Frame:
        """The newest image not read before.

        Raises:
            CameraError: not open, none within ``timeout_s``, or one that cannot be decoded.
        """
        with self._arrived:
            if not self._open:
                raise self._error("is not open", "Call open() first.")
            self._arrived.wait_for(lambda: self._message is not None, timeout_s)
            message, self._message = self._message, None
        if message is None:
            count = self._subscription.get_publisher_count()
            raise self._error(
                f"gave no image within {timeout_s:g} s ({count} publishers)",
                "Check its name (ros2 topic list), ROS_DOMAIN_ID and that its driver runs.",
            )
        height, width = int(message.height), int(message.width)
        try:
            rows = np.frombuffer(message.data, dtype=np.uint8).reshape(height, -1)
            image = self._decode(rows, message.encoding, height, width)
        except (RoboRewardError, ValueError) as error:
            what = f"gave an image that cannot be used ({error})"
            raise self._error(what, "Convert it first.") from error
        stamp_ns = stamp_from_msg(message.header.stamp) or self._node.clock.now_ns()
        return Frame(image, stamp_ns, self._name)

    def close(self) -> None:
        """Take nothing more."""
        with self._arrived:
            self._open, self._message = False, None

    def _on_image(self, message: Image) -> None:
        with self._arrived:
            if self._open:
                self._message = message
                self._arrived.notify_all()

    def _error(self, what: str, next_step: str) -> CameraError:
        return CameraError(f"camera {self._name} (topic {self._topic}) {what}", next_step=next_step)
