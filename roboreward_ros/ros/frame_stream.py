# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What happens in running episodes, for a part that wants to see it before they are stored.

Subscribes to ``image``, ``state`` and ``episode`` only while somebody looks: images are not free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sensor_msgs.msg import Image

from roboreward_ros import msg
from roboreward_ros.ros import convert
from roboreward_ros.ros.loop import Loop
from roboreward_ros.ros.qos import EVENT, SENSOR
from roboreward_ros.types import ImageU8, RobotState

if TYPE_CHECKING:
    from rclpy.subscription import Subscription

    from roboreward_ros.ros.lifecycle import HostNode


class FrameSink(Protocol):
    """Told of running episodes, in the order of arrival, on one thread."""

    def begin(self, episode_id: str, task: str) -> None:
        """The recorder is ready for an episode."""

    def add_image(self, stamp_ns: int, image: ImageU8) -> None:
        """An image ``[H, W, 3]`` uint8 RGB."""

    def add_state(self, episode_id: str, step: int, state: RobotState, last: bool) -> None:
        """The state after ``step`` actions."""

    def abort(self, episode_id: str) -> None:
        """An episode came to nothing."""


class FrameStream:
    """Feeds a sink from the graph, on a thread of its own.

    Args:
        node: host; called in its executor's thread.
        sink: see ``FrameSink``.
        reliable_images: lose none; false for cameras that publish best effort.
    """

    def __init__(
        self,
        node: HostNode,  # type: ignore[type-arg]
        sink: FrameSink,
        *,
        reliable_images: bool = True,
    ) -> None:
        self._node = node
        self._sink = sink
        self._images = EVENT if reliable_images else SENSOR
        self._subscriptions: list[Subscription] = []
        self._loop = Loop("live frames", self._failed, node.clock)
        self._loop.start()

    def follow(self, wanted: bool) -> None:
        """Look, or stop looking; idempotent. In the executor's thread."""
        if wanted == bool(self._subscriptions):
            return
        if not wanted:
            for subscription in self._subscriptions:
                self._node.destroy_subscription(subscription)
            self._subscriptions = []
            return
        make = self._node.create_subscription
        self._subscriptions = [
            make(msg.EpisodeEvent, "episode", self._on_episode, EVENT),
            make(msg.RobotState, "state", self._on_state, EVENT),
            make(Image, "image", self._on_image, self._images),
        ]

    def close(self) -> None:
        """End the thread; the node destroys the subscriptions."""
        self._loop.close()

    def _on_episode(self, event: msg.EpisodeEvent) -> None:
        name, task = event.episode_id, event.task
        if event.event == msg.EpisodeEvent.OPENED:
            self._loop.post(lambda: self._sink.begin(name, task))
        elif event.event == msg.EpisodeEvent.ABORTED:
            self._loop.post(lambda: self._sink.abort(name))

    def _on_state(self, message: msg.RobotState) -> None:
        def add() -> None:
            beat = convert.beat_from_msg(message)
            self._sink.add_state(beat.episode_id, beat.step, beat.state, beat.last)

        if message.episode_id:
            self._loop.post(add)

    def _on_image(self, message: Image) -> None:
        def add() -> None:
            frame = convert.image_from_msg(message)
            self._sink.add_image(convert.stamp_from_msg(message.header.stamp), frame.image)

        self._loop.post(add)

    def _failed(self, error: BaseException) -> None:
        self._node.get_logger().warning(f"a running episode cannot be followed: {error}")
