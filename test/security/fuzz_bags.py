# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags of other people's sessions in hostile forms."""

import functools
import tempfile
from pathlib import Path

import numpy as np
from fuzz_edits import Target, edited
from hypothesis import strategies as st
from rosbags.rosbag2 import Writer
from rosbags.rosbag2.enums import StoragePlugin
from rosbags.typesys import Stores, get_typestore

from roboreward_ros.rehearsal.bag import BagOptions
from roboreward_ros.rehearsal.opening import open_recording
from roboreward_ros.robot.profile import load_profile

JOINTS, PICTURE = "sensor_msgs/msg/JointState", "sensor_msgs/msg/CompressedImage"
JPEG = np.frombuffer(b"\xff\xd8\xff\xe0 no picture", np.uint8)


@functools.cache
def bag() -> dict[str, bytes]:
    """The files of a bag of joint states and pictures."""
    types = get_typestore(Stores.ROS2_JAZZY)
    header = types.types["std_msgs/msg/Header"]
    stamp = types.types["builtin_interfaces/msg/Time"]
    names = [*load_profile("wx250s").joint_names, "left_finger", "right_finger"]
    folder = Path(tempfile.mkdtemp(prefix="fuzz-bag-")) / "bag"
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        joints = writer.add_connection("/joint_states", JOINTS, typestore=types)
        pictures = writer.add_connection("/camera/compressed", PICTURE, typestore=types)
        for step in range(6):
            now = header(stamp(step // 5, (step % 5) * 200_000_000), "")
            at_ns = 200_000_000 * step
            numbers = np.full(len(names), 0.1)
            state = types.types[JOINTS](now, names, numbers, numbers, numbers)
            writer.write(joints, at_ns, types.serialize_cdr(state, JOINTS))
            picture = types.types[PICTURE](now, "jpeg", JPEG)
            writer.write(pictures, at_ns, types.serialize_cdr(picture, PICTURE))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, bytes]:
    name = draw(st.sampled_from(sorted(bag())))
    return name, draw(edited(bag()[name]))


def read_bag(edit: tuple[str, bytes], folder: Path) -> object:
    for name, data in {**bag(), edit[0]: edit[1]}.items():
        (folder / name).write_bytes(data)
    recording = open_recording(folder, 0, BagOptions("open the drawer"))
    return [recording.episode(k) for k in range(len(recording.names))]


NAMES = ("bag",)


def targets() -> list[Target]:
    return [Target(NAMES[0], edits(), read_bag, cost=4)]
