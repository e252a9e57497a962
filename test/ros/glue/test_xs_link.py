# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The driver's link to xs_sdk over the real wire, against the fake node."""

import sys

import numpy as np
import pytest
from xs_world import SpunSdk

from roboreward_ros.clock import SystemClock
from roboreward_ros.errors import ConfigError, RobotError, SafetyError
from roboreward_ros.robot.interrupt import Interrupt, MotionInterruptedError
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.robot.xs_arm import XsArm, XsArmConfig
from roboreward_ros.testing.conformance_robot import act

LIMIT_S = 60.0


@pytest.fixture
def sdk(ros):
    made = []

    def start(**arguments):
        made.append(SpunSdk(ros, **arguments))
        return made[-1]

    yield start
    for one in made:
        one.kill()


@pytest.fixture
def link(ros, sdk):
    """Makes links with their interrupt as an attribute; closes them."""
    made = []

    def make(namespace="wx250s", **arguments):
        from roboreward_ros.ros.xs_link import XsLink

        interrupt = Interrupt()
        made.append(XsLink(namespace, ros.context, SystemClock(), interrupt, **arguments))
        made[-1].interrupt = interrupt
        return made[-1]

    yield make
    for one in made:
        one.close()


def wait_for(condition):
    clock = SystemClock()
    end_ns = clock.steady_ns() + round(LIMIT_S * 1e9)
    while not condition():
        assert clock.steady_ns() < end_ns
        clock.sleep(0.01)


def test_everything_goes_over_the_wire_and_comes_back(sdk, link):
    servos = sdk().servos
    bus = link()
    bus.open(LIMIT_S)
    told = bus.info("group", "arm")
    assert told.joint_names == servos.joints
    assert (told.mode, told.profile_type) == ("position", "time")
    assert bus.info("single", "gripper").upper[0] == pytest.approx(0.037)
    bus.set_register("group", "arm", "Profile_Velocity", 250)
    assert bus.get_register("group", "arm", "Profile_Velocity") == (250,) * 6
    bus.set_modes("single", "gripper", "linear_position", "time", 100, 0)
    assert bus.info("single", "gripper").mode == "linear_position"
    servos.overload("elbow")
    bus.reboot("group", "all", enable=True, smart=True)
    assert bus.get_register("single", "elbow", "Profile_Velocity") == (0,)
    bus.torque("single", "waist", enable=False)
    asked = bus.ask_register("group", "all", "Torque_Enable")
    wait_for(lambda: asked.result() is not None)
    assert asked.result() == (0, 1, 1, 1, 1, 1, 1)
    first = bus.sample()
    assert first.names[:6] == servos.joints
    assert bus.wait_sample(first.steady_ns, LIMIT_S).steady_ns > first.steady_ns
    bus.write_group("arm", np.full(6, 0.1))
    wait_for(lambda: servos.commands)
    np.testing.assert_allclose(servos.commands[-1].command, 0.1, atol=1e-6)


def test_a_driver_resets_and_steps_over_the_wire(sdk, link):
    sdk(latency_s=0.01)
    bus, profile = link(), load_profile("wx250s")
    arm = XsArm(bus, profile, XsArmConfig(2.0, travel_speed=3.0), SystemClock(), bus.interrupt)
    arm.connect()
    state = arm.reset("", 0)
    assert profile.box.distance(state.ee_pose[:3, 3]) == 0.0
    moved = [arm.step(act(0.02)) for _ in range(3)][-1].state
    assert moved.ee_pose[0, 3] - state.ee_pose[0, 3] == pytest.approx(0.06, abs=0.03)
    arm.close()


def test_what_is_missing_is_listed(link, sdk):
    sdk(namespace="other")
    with pytest.raises(RobotError, match=r"get_robot_info.*joint_states.*xsarm_control"):
        link().open(0.3)


def test_a_service_that_hangs_ends_with_its_name_and_the_next_call_works(sdk, link, monkeypatch):
    fake = sdk()
    bus = link(service_s=LIMIT_S)
    bus.open(LIMIT_S)
    fake.node.hanging = True
    with monkeypatch.context() as patch:
        patch.setattr(bus, "_service_s", 0.3)
        with pytest.raises(RobotError, match="get_motor_registers"):
            bus.get_register("group", "all", "Torque_Enable")
    fake.node.hanging = False
    assert len(bus.get_register("group", "all", "Torque_Enable")) == 7


def test_an_interrupt_ends_a_wait(sdk, link):
    fake = sdk()
    bus = link(service_s=600.0)
    bus.open(LIMIT_S)
    fake.node.hanging = True
    bus.interrupt.set("test")
    with pytest.raises(MotionInterruptedError):
        bus.info("group", "arm")


def test_a_link_is_opened_again_after_the_death_of_xs_sdk(sdk, link):
    first = sdk()
    bus = link()
    bus.open(LIMIT_S)
    first.kill()
    last = bus.sample()
    while (newer := bus.wait_sample(last.steady_ns, 0.3)) is not None:
        last = newer  # on its way before
    with pytest.raises(RobotError):
        bus.open(0.3)
    sdk()
    bus.open(LIMIT_S)
    assert bus.info("group", "arm").joint_names


def test_two_arms_are_told_apart_by_their_namespace(sdk, link):
    left, right = sdk(namespace="left"), sdk(namespace="right", profile="rx200")
    one, other = link("left"), link("right")
    one.open(LIMIT_S)
    other.open(LIMIT_S)
    one.write_group("arm", np.zeros(6))
    wait_for(lambda: left.servos.commands)
    assert not right.servos.commands
    assert len(other.info("group", "arm").joint_names) == 5


def test_commands_that_are_not_finite_stay_here(sdk, link):
    fake = sdk()
    bus = link()
    bus.open(LIMIT_S)
    with pytest.raises(SafetyError):
        bus.write_group("arm", np.full(6, np.nan))
    with pytest.raises(SafetyError):
        bus.write_single("gripper", float("inf"))
    assert not fake.servos.commands


def test_without_the_vendors_messages_the_install_line_is_given(monkeypatch):
    from roboreward_ros.ros.xs_link import message_package

    monkeypatch.setitem(sys.modules, "interbotix_xs_msgs", None)
    monkeypatch.setitem(sys.modules, "interbotix_xs_msgs.msg", None)
    with pytest.raises(ConfigError, match="colcon build --packages-select interbotix_xs_msgs"):
        message_package()
