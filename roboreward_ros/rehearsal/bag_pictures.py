# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The cameras of a bag: which topics are one camera, what it is called, what it showed when."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from roboreward_ros.cameras.images import decode
from roboreward_ros.errors import FormatError
from roboreward_ros.rehearsal.recording import POLICY_CAMERA

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
COMPRESSED = "/compressed"
JPEG_QUALITY = 95
ALIVE_NS = 1_000_000_000
"""A camera whose last picture is older when an episode begins is not there."""


class PictureMessage(Protocol):
    """A raw or, without the fields after ``data``, a compressed image."""

    data: np.typing.NDArray[np.uint8]
    encoding: str
    height: int
    width: int
    step: int


@dataclass(frozen=True, slots=True)
class Film:
    """What one camera showed.

    Attributes:
        stamps_ns: of its pictures, growing, ns since the epoch.
        pictures: JPEG or PNG bytes, as many.
    """

    stamps_ns: Sequence[int]
    pictures: Sequence[bytes]

    @classmethod
    def of(cls, stamped: Sequence[tuple[int, bytes]]) -> Film:
        """From (stamp, picture) in any order."""
        order = sorted(stamped, key=lambda item: item[0])
        return cls([stamp for stamp, _ in order], [picture for _, picture in order])

    def place(self, stamp_ns: int) -> int | None:
        """Of the newest picture that is not younger; None before the first."""
        place = bisect_right(self.stamps_ns, stamp_ns)
        return place - 1 if place else None

    def along(self, stamps_ns: Sequence[int]) -> list[bytes]:
        """Newest picture at each stamp of an episode; [] where the camera was not there.

        A camera that joined later shows its first picture until then.
        """
        begin, end = self.place(stamps_ns[0] - ALIVE_NS - 1), self.place(stamps_ns[-1])
        if end is None or begin == end:
            return []
        return [self.pictures[self.place(stamp_ns) or 0] for stamp_ns in stamps_ns]


def further_cameras(topics: Mapping[str, str], policys: str) -> dict[str, str]:
    """Name -> topic of every camera but the policy's; raw topics before compressed ones.

    A name is the topic as a node in the namespace of the policy's camera would have called it.

    Args:
        topics: of the bag, with their types.
        policys: topic of the policy's camera.
    """
    found = [(IMAGES.index(kind), topic) for topic, kind in topics.items() if kind in IMAGES]
    cameras: dict[str, str] = {}
    for _, topic in sorted(found):
        cameras.setdefault(topic.removesuffix(COMPRESSED), topic)
    own = policys.removesuffix(COMPRESSED)
    cameras.pop(own, None)
    namespace = own.rpartition("/")[0] + "/"
    named: dict[str, str] = {}
    for camera, topic in cameras.items():
        name = camera.removeprefix(namespace).lstrip("/")
        if name in named or name == POLICY_CAMERA:
            name = f"recorded/{camera.lstrip('/')}"
        named[name] = topic
    return named


def encoded(picture: PictureMessage) -> bytes:
    """JPEG bytes; compressed pictures as they are.

    Raises:
        FormatError: it does not fit its own size.
        ConfigError: an encoding that is no picture for people, such as depths.
    """
    if not hasattr(picture, "encoding"):
        return bytes(picture.data)
    height, width = int(picture.height), int(picture.width)
    if height < 1 or len(picture.data) != height * int(picture.step):
        raise FormatError("a picture of the bag does not fit its own size", got=f"{width}x{height}")
    rows = np.asarray(picture.data, np.uint8).reshape(height, -1)
    image = decode(rows, picture.encoding, height, width)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])


def require_picture(picture: bytes) -> None:
    """Raise FormatError where a stored picture cannot be decoded."""
    if not picture or cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) is None:
        raise FormatError("it holds no pictures that can be decoded", got=f"{len(picture)} bytes")
