# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""MCAP bags as recordings: of this package's topics, and of any arm with a camera."""

from pathlib import Path

import numpy as np
import pytest
from recorded_run import PERIOD_NS, STEPS, state
from rosbags.rosbag2 import Writer
from rosbags.rosbag2.enums import StoragePlugin
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.rehearsal.bag import BagOptions, BagRecording
from roboreward_ros.rehearsal.opening import open_recording
from roboreward_ros.rehearsal.player import decoded
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.types import EndCause

MESSAGES = Path(__file__).parents[2] / "msg"
BEGIN_NS = 10**18


class Bag:
    """Writes messages with the definitions of this checkout."""

    def __init__(self, path):
        self.store = get_typestore(Stores.ROS2_JAZZY)
        for name in ("RobotState", "EpisodeEvent"):
            text = (MESSAGES / f"{name}.msg").read_text()
            self.store.register(get_types_from_msg(text, f"roboreward_ros/msg/{name}"))
        self.writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        self.connections = {}

    def make(self, kind, **values):
        """A message; fields that are not given are zero, empty or of NaN."""
        made = {}
        for name, (node, detail) in self.store.fielddefs[kind][1]:
            if name in values:
                made[name] = values[name]
            elif node.name == "NAME":
                made[name] = self.make(detail)
            elif node.name == "BASE":
                made[name] = "" if detail[0] == "string" else 0
            elif node.name == "ARRAY":
                made[name] = np.zeros(detail[1])
            else:
                made[name] = []
        return self.store.types[kind](**made)

    def header(self, stamp_ns):
        stamp = self.make(
            "builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9
        )
        return self.make("std_msgs/msg/Header", stamp=stamp)

    def add(self, topic, kind, stamp_ns, **values):
        if topic not in self.connections:
            self.connections[topic] = self.writer.add_connection(topic, kind, typestore=self.store)
        message = self.make(kind, **values)
        self.writer.write(
            self.connections[topic], stamp_ns, self.store.serialize_cdr(message, kind)
        )

    def picture(self, topic, stamp_ns, level):
        values = {"header": self.header(stamp_ns), "height": 6, "width": 8, "encoding": "bgr8"}
        data = np.full(6 * 8 * 3, level, np.uint8)
        self.add(topic, "sensor_msgs/msg/Image", stamp_ns, **values, step=24, data=data)

    def beat(self, name, step, stamp_ns, **values):
        found = state(step, stamp_ns)
        self.add(
            "/state", "roboreward_ros/msg/RobotState", stamp_ns,
            header=self.header(stamp_ns), episode_id=name, step=step, proprio=found.proprio,
            q=found.q, dq=found.dq, effort=found.effort, ee_pose=found.ee_pose.ravel(),
            action_raw=np.full(7, 0.1 * step), flags=step, **values,
        )  # fmt: skip

    def event(self, name, event, stamp_ns, **values):
        kind = "roboreward_ros/msg/EpisodeEvent"
        self.add("/episode", kind, stamp_ns, header=self.header(stamp_ns), episode_id=name,
                 task="open the drawer", event=event, **values)  # fmt: skip


def record(path, name="ep_000000", *, committed=True, tries=1):
    """One episode of this package's topics; the tries before the last were dropped."""
    bag = Bag(path)
    with bag.writer:
        stamp_ns = BEGIN_NS
        bag.event(name, 0, stamp_ns)
        for attempt in range(tries):
            for step in range(STEPS + 1 if attempt == tries - 1 else 3):
                stamp_ns += PERIOD_NS
                bag.picture("/image", stamp_ns - 1000, 10 * step)
                bag.beat(name, step, stamp_ns, last=step == STEPS, end_cause=3 * (step == STEPS),
                         fault="gone" if step == STEPS else "")  # fmt: skip
        bag.beat("", 0, stamp_ns + PERIOD_NS)
        if committed:
            bag.event(name, 1, stamp_ns + 1, taint=["fault"])


@pytest.mark.parametrize("tries", [1, 2])
def test_a_bag_of_this_packages_topics_is_played_as_it_was(tmp_path, tries):
    record(tmp_path / "bag", tries=tries)
    recording = open_recording(tmp_path / "bag")
    assert recording.names == ("ep_000000",)
    episode = recording.episode(0)
    assert (episode.task, episode.n_steps, episode.control_hz) == ("open the drawer", STEPS, 5.0)
    assert (episode.end_cause, episode.taint) == (EndCause.FAULT, ("fault",))
    np.testing.assert_allclose(episode.asked[:, 0], 0.1 * np.arange(1, STEPS + 1))
    assert episode.flags == tuple(range(1, STEPS + 1))
    assert episode.faults == ("",) * (STEPS - 1) + ("gone",)
    np.testing.assert_allclose(episode.states[3].q, state(3, 0).q)
    levels = [int(decoded(frame, "ep")[0, 0, 0]) for frame in episode.frames]
    assert levels == pytest.approx([10 * k for k in range(STEPS + 1)], abs=2)
    single = next((tmp_path / "bag").glob("*.mcap"))
    assert open_recording(single).names == ("ep_000000",)


def test_an_episode_that_was_not_kept_is_not_played(tmp_path):
    record(tmp_path / "bag", committed=False)
    with pytest.raises(FormatError, match="no whole episode"):
        open_recording(tmp_path / "bag")


def test_joint_states_and_pictures_of_any_arm_are_one_episode(tmp_path):
    profile = load_profile("wx250s")
    bag = Bag(tmp_path / "bag")
    with bag.writer:
        for k in range(31):  # joints at 20 Hz, pictures at 10
            stamp_ns = BEGIN_NS + k * 50_000_000
            q = profile.start_q() + 0.002 * k
            finger = profile.finger_from_gripper(k / 30)
            names = ["left_finger", *profile.joint_names]
            values = {"name": names, "position": np.array([finger, *q])}
            values |= dict.fromkeys(("velocity", "effort"), np.zeros(0))
            kind, header = "sensor_msgs/msg/JointState", bag.header(stamp_ns)
            bag.add("/arm/joint_states", kind, stamp_ns, header=header, **values)
            if k % 2 == 0:
                bag.picture("/camera", stamp_ns, k)
    with pytest.raises(ConfigError, match="what was to be done"):
        BagRecording(tmp_path / "bag", BagOptions())
    recording = BagRecording(tmp_path / "bag", BagOptions(task="open the drawer"))
    episode = recording.episode(0)
    assert (episode.n_steps, episode.task) == (7, "open the drawer")
    q = profile.start_q() + 0.002 * 4
    np.testing.assert_allclose(episode.states[1].q, q)
    np.testing.assert_allclose(episode.states[1].ee_pose, profile.kinematics().fk(q))
    moved = episode.states[1].ee_pose[:3, 3] - episode.states[0].ee_pose[:3, 3]
    np.testing.assert_allclose(episode.asked[0, :3], moved)
    assert episode.asked[0, 6] == pytest.approx(4 / 30, abs=1e-3)
    with pytest.raises(ConfigError, match="no such topic of pictures"):
        BagRecording(tmp_path / "bag", BagOptions("t", image_topic="/other"))
