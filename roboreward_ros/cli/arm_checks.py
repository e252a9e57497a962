# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the real arm and its camera need before a stack starts, as sentences with the remedy."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
from pathlib import Path

from roboreward_ros.errors import RoboRewardError
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.robot.task_profile import find_task
from roboreward_ros.stack import StackArguments, camera_parameter

VENDOR_PACKAGES = {"xs_sdk": "interbotix_xs_msgs", "interbotix_api": "interbotix_xs_modules"}
"""Python package of the vendor that each driver of a real arm needs."""
GUIDE = "docs/how-to/real-widowx.md"
SERIAL_PORT = Path("/dev/ttyDXL")


def with_task(arguments: StackArguments) -> StackArguments:
    """Arguments whose task, named by its profile or its sentence, brings its limit and its box.

    Raises:
        ConfigError: a task file that cannot be read.
    """
    profile = find_task(arguments.task) if arguments.task else None
    if profile is None:
        return arguments
    workspace = arguments.workspace
    with contextlib.suppress(RoboRewardError):  # a robot that is not known is told elsewhere
        if profile.workspace in load_profile(arguments.robot).workspaces:
            workspace = workspace or profile.workspace
    steps = arguments.max_steps or profile.max_steps
    return dataclasses.replace(arguments, task=profile.task, max_steps=steps, workspace=workspace)


def driver_problems(arguments: StackArguments) -> list[str]:
    """Packages of the vendor that are missing."""
    package = VENDOR_PACKAGES.get(arguments.driver)
    if package is None or importlib.util.find_spec(package) is not None:
        return []
    text = (
        f"driver: {arguments.driver} needs the vendor's package {package}, which cannot be "
        f"imported; build interbotix_ros_core (branch jazzy) with colcon and source it ({GUIDE}), "
        "or rehearse without an arm: driver:=fake"
    )
    return [text]


def vendor_node(arguments: StackArguments) -> str:
    """Full name of the vendor's node that the driver talks to; "" where there is none to expect."""
    package = VENDOR_PACKAGES.get(arguments.driver)
    if arguments.sim or package is None or importlib.util.find_spec(package) is None:
        return ""
    return f"/{(arguments.robot_name or arguments.robot).strip('/')}/xs_sdk"


def no_vendor_node(name: str, arguments: StackArguments, domain: int) -> str:
    """The sentence for a vendor's node that does not answer."""
    robot_name = name.split("/")[1]
    port = "" if SERIAL_PORT.exists() else f" (there is no {SERIAL_PORT}: is its USB plugged in?)"
    return (
        f"arm: no {name} in ROS domain {domain}{port}; switch the arm on, then: ros2 launch "
        f"interbotix_xsarm_control xsarm_control.launch.py robot_model:={arguments.robot} "
        f"robot_name:={robot_name}"
    )


def camera_problems(camera: str) -> list[str]:
    """Why a camera cannot be there; a topic is looked for by camera_node itself."""
    kind, source = camera_parameter(camera)
    if kind == "ros_topic":
        return [] if source else ["camera: ros: needs a topic, such as camera:=ros:/camera/image"]
    if kind == "realsense":
        if importlib.util.find_spec("pyrealsense2") is not None:
            return []
        return ["camera: a RealSense needs pyrealsense2; pip install pyrealsense2"]
    if not Path(source).exists():
        found = sorted(str(path) for path in Path("/dev").glob("video*"))
        there = ", ".join(found) or "no /dev/video*"
        give = "give camera:=/dev/videoN, realsense, ros:/TOPIC or a video file"
        return [f"camera: no {source} (found: {there}); plug it in, or {give}"]
    if kind == "device" and not os.access(source, os.R_OK | os.W_OK):
        return [f"camera: {source} may not be opened; sudo usermod -aG video $USER, log in again"]
    return []
