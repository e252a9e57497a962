# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""MCAP bags as recordings: of this package's topics, and of any arm with a camera."""

from pathlib import Path

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.rehearsal.bag import BagOptions, BagRecording
from roboreward_ros.rehearsal.bag_pictures import IMAGES, further_cameras
from roboreward_ros.rehearsal.opening import open_recording
from roboreward_ros.rehearsal.player import decoded
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.testing.bag_writer import BEGIN_NS, BagWriter, write_bag
from roboreward_ros.testing.recorded_run import PERIOD_NS, STEPS, state
from roboreward_ros.types import EndCause

MESSAGES = Path(__file__).parents[2] / "msg"


@pytest.mark.parametrize("tries", [1, 2])
def test_a_bag_of_this_packages_topics_is_played_as_it_was(tmp_path, tries):
    write_bag(tmp_path / "bag", MESSAGES, fault="gone", tries=tries)
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
    write_bag(tmp_path / "bag", MESSAGES, committed=False)
    with pytest.raises(FormatError, match="no whole episode"):
        open_recording(tmp_path / "bag")


def test_joint_states_and_pictures_of_any_arm_are_one_episode(tmp_path):
    profile = load_profile("wx250s")
    bag = BagWriter(tmp_path / "bag", MESSAGES)
    with bag.file:
        for k in range(31):  # joints at 20 Hz, pictures at 10
            stamp_ns = BEGIN_NS + k * 50_000_000
            q = profile.start_q() + 0.002 * k
            finger = profile.finger_from_gripper(k / 30)
            names = ["left_finger", *profile.joint_names]
            values = {"name": names, "position": np.array([finger, *q])}
            values |= dict.fromkeys(("velocity", "effort"), np.zeros(0))
            bag.add("/arm/joint_states", "sensor_msgs/msg/JointState", stamp_ns, **values)
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


@pytest.mark.parametrize(
    ("policys", "others", "names"),
    [
        ("/image", ("/wrist", "/wrist/compressed", "/image/compressed"), {"wrist": "/wrist"}),
        ("/arm1/image/compressed", ("/arm1/image", "/arm1/side"), {"side": "/arm1/side"}),
        ("/cam/left", ("/image", "/cam/up"), {"up": "/cam/up", "recorded/image": "/image"}),
        ("/a/left", ("/up", "/a/up"), {"up": "/a/up", "recorded/up": "/up"}),
    ],
)
def test_every_camera_of_a_bag_has_a_name_of_its_own(policys, others, names):
    topics = {
        topic: IMAGES[topic.endswith("/compressed")] for topic in (policys, *others, "/not_one")
    }
    topics["/not_one"] = "sensor_msgs/msg/JointState"
    assert further_cameras(topics, policys) == names


def test_further_cameras_are_played_along_and_what_is_no_picture_is_said(tmp_path):
    bag = BagWriter(tmp_path / "bag", MESSAGES)
    with bag.file:
        bag.event("ep_000000", 0, BEGIN_NS)
        for step in range(STEPS + 1):
            stamp_ns = BEGIN_NS + step * PERIOD_NS
            bag.picture("/image", stamp_ns, 10 * step)
            if step >= 2:  # it was plugged in later
                bag.picture("/wrist", stamp_ns - PERIOD_NS // 2, 10 * step + 5)
            depth = {"encoding": "16UC1", "height": 6, "width": 8, "step": 16}
            data = np.zeros(96, np.uint8)
            bag.add("/depth", "sensor_msgs/msg/Image", stamp_ns, **depth, data=data)
            bag.beat("ep_000000", step, stamp_ns, last=step == STEPS)
        bag.picture("/late", stamp_ns + PERIOD_NS, 1)
        bag.event("ep_000000", 1, stamp_ns + 1)
    recording = open_recording(tmp_path / "bag")
    assert recording.cameras == ("wrist",)
    assert list(recording.left_out) == ["/depth"]
    assert "16UC1" in recording.left_out["/depth"]
    (pictures,) = recording.episode(0).cameras.values()
    levels = [int(decoded(picture, "ep")[0, 0, 0]) for picture in pictures]
    assert levels == pytest.approx([25, 25, 25, 35, 45, 55, 65], abs=2)
