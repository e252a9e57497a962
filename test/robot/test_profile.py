# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from roboreward_ros.errors import ConfigError
from roboreward_ros.robot.frames import proprio_from_pose
from roboreward_ros.robot.profile import RobotProfile, load_profile, profile_dirs


@pytest.fixture
def values() -> dict[str, object]:
    return yaml.safe_load((profile_dirs()[0] / "wx250s.yaml").read_text())


def test_the_start_joints_have_the_start_state() -> None:
    profile = load_profile("wx250s")
    state = proprio_from_pose(profile.kinematics().fk(profile.start_q()), 1.0)
    np.testing.assert_allclose(state, profile.start_state, atol=1e-4)
    assert profile.box.distance(state[:3]) == 0.0


def test_openings_and_fingers_are_one_line() -> None:
    profile = load_profile("wx250s")
    assert profile.finger_from_gripper(0.0) == 0.015
    assert profile.finger_from_gripper(2.0) == pytest.approx(0.037)
    assert profile.gripper_from_finger(0.026) == pytest.approx(0.5)


def test_another_box_of_the_same_arm() -> None:
    profile = load_profile("wx250s").with_workspace("bridge")
    assert profile.box.high[2] == 0.18
    with pytest.raises(ConfigError, match="bridge, openvla, small, table"):
        profile.with_workspace("moon")


def test_profiles_are_found_by_path_and_unknown_names_list_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text((profile_dirs()[0] / "wx250s.yaml").read_text().replace("wx250s", "mine"))
    assert load_profile(str(path)).name == "mine"
    with pytest.raises(ConfigError, match="wx250s"):
        load_profile("ur5e")


def test_an_installed_share_folder_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = tmp_path / "share" / "roboreward_ros" / "config" / "robots"
    share.mkdir(parents=True)
    module = tmp_path / "lib" / "python3.11" / "site-packages" / "roboreward_ros"
    monkeypatch.setattr("roboreward_ros.files.__file__", str(module / "files.py"))
    assert profile_dirs() == [share]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("q_min", [0, 0, 0]),
        ("q_min", ["low"] * 6),
        ("sleep_q", [9.0] * 6),
        ("velocity_limit", [0.0] * 6),
        ("joint_names", ["waist"] * 6),
        ("joint_names", "waist"),
        ("start_state", [float("nan")] * 7),
        ("finger_min", 0.05),
        ("finger_min", None),
        ("delta_position", 0.0),
        ("workspace", "moon"),
        ("workspaces", {}),
        ("workspaces", {"openvla": [0, 1]}),
        ("workspaces", {"openvla": {"low": [0, 0, 0], "high": [0, 1, 1]}}),
    ],
)
def test_bad_values_are_refused_by_name(values: dict[str, object], key: str, value: object) -> None:
    with pytest.raises(ConfigError):
        RobotProfile.from_mapping({**values, key: value})


def test_missing_and_unknown_keys_are_named(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="q_maximum"):
        RobotProfile.from_mapping({**values, "q_maximum": 1})
    del values["home"]
    with pytest.raises(ConfigError, match="home"):
        RobotProfile.from_mapping(values)


def test_files_that_are_no_profiles_are_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("a: [")
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        load_profile(str(path))
    path.write_text("- 1")
    with pytest.raises(ConfigError, match="mapping"):
        load_profile(str(path))


def test_a_start_state_out_of_reach_is_refused() -> None:
    far = np.array([2.0, 0, 0.2, 0, 0, 0, 1])
    with pytest.raises(ConfigError, match="start_state"):
        replace(load_profile("wx250s"), start_state=far).start_q()


@pytest.mark.parametrize("name", ["vx300s", "rx200"])
def test_the_other_arms_reach_their_start_inside_every_box(name):
    profile = load_profile(name)
    position = profile.kinematics().fk(profile.start_q())[:3, 3]
    np.testing.assert_allclose(position, profile.start_state[:3], atol=2e-3)
    for box in profile.workspaces.values():
        assert box.distance(position) < 2e-3
    assert profile.kinematics().fk(profile.sleep_q)[2, 3] > 0.0


def test_a_missing_joint_stays_at_zero():
    profile = load_profile("rx200")
    assert "forearm_roll" not in profile.driven_joints
    assert len(profile.driven_joints) == 5
    assert abs(profile.start_q()[3]) < 1e-4


def test_a_virtual_joint_that_could_move_is_refused():
    with pytest.raises(ConfigError, match="virtual joint elbow can move"):
        replace(load_profile("rx200"), virtual_joints=("elbow",))
