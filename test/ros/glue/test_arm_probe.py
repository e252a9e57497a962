# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the doctor reads of an arm over the wire; nothing is commanded."""

import pytest
from xs_world import SpunSdk

from roboreward_ros.clock import SystemClock
from roboreward_ros.robot.interrupt import Interrupt
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.ros import arm_probe


@pytest.fixture
def looked(ros):
    """Looks at a fake after it was changed."""
    sdk = SpunSdk(ros)
    from roboreward_ros.ros.xs_link import XsLink

    link = XsLink("wx250s", ros.context, SystemClock(), Interrupt())
    link.open(60.0)

    def look(profile="wx250s"):
        return arm_probe.examine(link, load_profile(profile), SystemClock()), sdk

    yield look
    link.close()
    sdk.kill()


def test_a_sound_arm_is_read_and_nothing_is_touched(looked):
    found, sdk = looked()
    assert not found.problems
    assert found.rate_hz > 0
    assert (found.mode, found.gripper_mode) == ("position, time", "pwm")
    assert set(found.temperatures.values()) == {34}
    assert set(found.volts.values()) == {12.1}
    assert not sdk.servos.commands
    assert set(sdk.node.requests) == {"get_robot_info", "get_motor_registers"}


def test_what_is_wrong_with_the_motors_is_said(looked):
    _, sdk = looked()
    sdk.node.fault("overload elbow")
    sdk.servos.registers["waist"].update(Present_Temperature=61, Present_Input_Voltage=102)
    sdk.servos.registers["shoulder"]["Torque_Enable"] = 0
    found, _ = looked()
    assert found.problems == ["elbow reports overload"]
    notes = " ".join(found.notes)
    for said in ("waist 61 deg C", "waist 10.2 V", "without torque", "shoulder"):
        assert said in notes


def test_another_arm_is_a_problem(looked):
    found, _ = looked("vx300s")
    assert "not the profile's vx300s" in found.problems[0]
