# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from roboreward_ros.errors import CameraError
from roboreward_ros.sim.adapters import TwinCamera, TwinRobot
from roboreward_ros.sim.twin import Twin
from roboreward_ros.testing.conformance_camera import CameraConformance
from roboreward_ros.testing.conformance_robot import RobotConformance


class TestTwinRobot(RobotConformance):
    @pytest.fixture
    def make_robot(self):
        return lambda: TwinRobot(Twin())


class TestTwinCamera(CameraConformance):
    @pytest.fixture
    def make_camera(self):
        twin = Twin()
        twin.reset("drawer", 0)
        yield lambda: TwinCamera(twin, 64, 64)
        twin.close()


def test_a_frame_carries_the_stamp_of_the_state_it_shows():
    twin = Twin()
    robot, camera = TwinRobot(twin), TwinCamera(twin, 32, 32)
    robot.connect()
    camera.open()
    with pytest.raises(CameraError, match="Reset"):
        camera.read(1.0)
    robot.reset("drawer", 1)
    assert camera.read(1.0).stamp_ns == robot.state().stamp_ns
    report = robot.hold()
    assert camera.read(1.0).stamp_ns == report.state.stamp_ns
    robot.close()
