# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is said when an arm or its camera is not there."""

import sys
from types import ModuleType

import pytest

from roboreward_ros.cli import arm_checks, preflight
from roboreward_ros.stack import StackArguments, camera_parameter, describe


@pytest.fixture
def vendor(monkeypatch):
    """The vendor's messages are installed."""
    module = ModuleType("interbotix_xs_msgs")
    module.__spec__ = object()
    monkeypatch.setitem(sys.modules, "interbotix_xs_msgs", module)


def test_a_missing_package_is_named_with_the_remedy():
    (text,) = arm_checks.driver_problems(StackArguments(driver="interbotix_api"))
    assert "interbotix_xs_modules" in text
    assert arm_checks.GUIDE in text
    assert arm_checks.driver_problems(StackArguments(driver="fake")) == []


def test_an_arm_that_does_not_answer_is_missed_by_its_full_name(vendor, monkeypatch):
    stack = describe(StackArguments(robot_name="left", console=False))
    monkeypatch.setattr(preflight, "nodes_in_domain", lambda *_: {"/right/xs_sdk"})
    (text,) = preflight._domain_problems(stack)
    assert "/left/xs_sdk" in text
    assert "robot_model:=wx250s robot_name:=left" in text
    monkeypatch.setattr(preflight, "nodes_in_domain", lambda *_: {"/left/xs_sdk"})
    assert preflight._domain_problems(stack) == []


def test_the_stack_does_not_share_the_vendors_namespace(vendor, monkeypatch):
    stack = describe(StackArguments(namespace="wx250s"))
    (text,) = preflight._domain_problems(stack)
    assert "another namespace" in text


@pytest.mark.parametrize(
    ("camera", "parameter", "problem"),
    [
        ("/dev/video77", ("device", "/dev/video77"), "no /dev/video77"),
        ("film.mp4", ("file", "film.mp4"), "no film.mp4"),
        ("realsense", ("realsense", "any"), "pyrealsense2"),
        ("realsense:0123", ("realsense", "0123"), "pyrealsense2"),
        ("ros:/blue/image_raw", ("ros_topic", "/blue/image_raw"), None),
        ("ros:", ("ros_topic", ""), "needs a topic"),
    ],
)
def test_each_kind_of_camera_is_looked_for(camera, parameter, problem):
    assert camera_parameter(camera) == parameter
    found = arm_checks.camera_problems(camera)
    assert (problem in found[0]) if problem else found == []
