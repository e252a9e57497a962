# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""MCAP bags of pictures, joint states and this package's own topics; needs ``rosbags``, no ROS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Writer
from rosbags.rosbag2.enums import StoragePlugin
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from roboreward_ros.testing.recorded_run import PERIOD_NS, STEPS, TASK, state

OWN = ("RobotState", "EpisodeEvent")
BEGIN_NS = 10**18
END_FAULT = 3  # of RobotState


class BagWriter:
    """Writes messages into a new bag; ``with writer.file:`` around all of them.

    Args:
        path: folder of the bag; must not exist.
        messages: folder of this package's .msg files.
    """

    def __init__(self, path: Path, messages: Path) -> None:
        self.store = get_typestore(Stores.ROS2_JAZZY)
        for name in OWN:
            text = (messages / f"{name}.msg").read_text()
            self.store.register(get_types_from_msg(text, f"roboreward_ros/msg/{name}"))
        self.file = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        self._connections: dict[str, Connection] = {}

    def make(self, kind: str, **values: object) -> object:
        """A message; fields that are not given are zero or empty."""
        made: dict[str, object] = {}
        for name, (node, detail) in self.store.fielddefs[kind][1]:
            if name in values:
                made[name] = values[name]
            elif node.name == "NAME":
                made[name] = self.make(str(detail))
            elif node.name == "BASE":
                made[name] = "" if detail[0] == "string" else 0
            elif node.name == "ARRAY":
                made[name] = np.zeros(int(detail[1]))
            else:
                made[name] = []
        build: Callable[..., object] = self.store.types[kind]
        return build(**made)

    def header(self, stamp_ns: int) -> object:
        """A header of a stamp, ns since the epoch."""
        sec, nanosec = divmod(stamp_ns, 10**9)
        stamp = self.make("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)
        return self.make("std_msgs/msg/Header", stamp=stamp)

    def add(self, topic: str, kind: str, stamp_ns: int, **values: object) -> None:
        """A message with a header; arrives at its stamp."""
        if topic not in self._connections:
            self._connections[topic] = self.file.add_connection(topic, kind, typestore=self.store)
        message = self.make(kind, header=self.header(stamp_ns), **values)
        self.file.write(self._connections[topic], stamp_ns, self.store.serialize_cdr(message, kind))

    def picture(
        self, topic: str, stamp_ns: int, level: int, size: tuple[int, int] = (6, 8)
    ) -> None:
        """A raw picture of one brightness; ``size`` is height and width, pixels."""
        height, width = size
        data = np.full(height * width * 3, level, np.uint8)
        kind, shape = "sensor_msgs/msg/Image", {"height": height, "width": width}
        self.add(topic, kind, stamp_ns, **shape, encoding="bgr8", step=3 * width, data=data)

    def beat(self, name: str, step: int, stamp_ns: int, **values: object) -> None:
        """The state of a control step of the episode ``name``."""
        found = state(step, stamp_ns)
        values = {"effort": found.effort, "ee_pose": found.ee_pose.ravel(), **values}
        values |= {"proprio": found.proprio, "q": found.q, "dq": found.dq, "gripper": found.gripper}
        values |= {"episode_id": name, "step": step, "action_raw": np.full(7, 0.1 * step)}
        self.add("/state", "roboreward_ros/msg/RobotState", stamp_ns, **values)

    def event(self, name: str, event: int, stamp_ns: int, **values: object) -> None:
        """What happened to the episode ``name``; see EpisodeEvent.msg."""
        values |= {"episode_id": name, "task": TASK, "event": event}
        self.add("/episode", "roboreward_ros/msg/EpisodeEvent", stamp_ns, **values)


def write_bag(
    path: Path,
    messages: Path,
    *,
    cameras: tuple[str, ...] = ("/image",),
    size: tuple[int, int] = (6, 8),
    fault: str = "",
    committed: bool = True,
    tries: int = 1,
) -> None:
    """One episode ``ep_000000`` of ``STEPS`` steps on this package's topics.

    Args:
        path: folder of the bag.
        messages: see ``BagWriter``.
        cameras: topics of raw pictures; at step k those of the n-th have the level 10 k + n.
        size: height and width of the pictures, pixels.
        fault: what ended it at its last step; "" for its time.
        committed: False: it was dropped after all.
        tries: those before the last were dropped.
    """
    bag, name, stamp_ns = BagWriter(path, messages), "ep_000000", BEGIN_NS
    with bag.file:
        bag.event(name, 0, stamp_ns)
        for attempt in range(tries):
            for step in range(STEPS + 1 if attempt == tries - 1 else 3):
                stamp_ns += PERIOD_NS
                for number, camera in enumerate(cameras):
                    bag.picture(camera, stamp_ns - 1000, 10 * step + number, size)
                last = step == STEPS
                end = {"last": last, "end_cause": END_FAULT if last and fault else 0}
                bag.beat(name, step, stamp_ns, fault=fault if last else "", flags=step, **end)
        bag.beat("", 0, stamp_ns + PERIOD_NS)
        if committed:
            bag.event(name, 1, stamp_ns + 1, taint=["fault"] if fault else [])
