# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What ``roboreward doctor --robot`` looks at beyond the rest: the arm, its cable, its camera."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from roboreward_ros.cameras.choose import choice_of, choose_camera
from roboreward_ros.cli import arm_checks
from roboreward_ros.cli.findings import Finding, Verdict
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.stack import StackArguments, camera_parameter

PROBE_LIMIT_S = 40.0
FRAMES, READ_S = 20, 2.0
DARK, BRIGHT = 25.0, 230.0
USB = Path("/sys/bus/usb-serial/devices")


def checks(arguments: StackArguments) -> dict[str, Callable[[], Finding]]:
    """The checks of an arm, in the order in which they build on each other."""
    return {
        "profile": partial(_profile, arguments),
        "vendor": partial(_vendor, arguments),
        "cable": partial(_cable, SERIAL_PORT, USB),
        "camera": partial(_camera, arguments),
        "arm": partial(_arm, arguments),
    }


SERIAL_PORT = arm_checks.SERIAL_PORT


def _profile(arguments: StackArguments) -> Finding:
    profile = load_profile(arguments.robot)
    if arguments.workspace:
        profile = profile.with_workspace(arguments.workspace)
    box = profile.box
    text = f"{profile.name}, box {profile.workspace}: {box.low.tolist()} .. {box.high.tolist()} m"
    return Finding("profile", Verdict.GOOD, text)


def _vendor(arguments: StackArguments) -> Finding:
    missing = arm_checks.driver_problems(arguments)
    if missing:
        return Finding("vendor", Verdict.MISSING, missing[0], f"See {arm_checks.GUIDE}.")
    package = arm_checks.VENDOR_PACKAGES.get(arguments.driver, "nothing of the vendor's")
    return Finding("vendor", Verdict.GOOD, f"driver {arguments.driver} finds {package}")


def _cable(port: Path, usb: Path) -> Finding:
    """The USB adapter of the motors' bus; on another machine there is none here."""
    if not port.exists():
        text = f"no {port} here: unplugged, no udev rule, or xs_sdk runs on another machine"
        return Finding("cable", Verdict.NOTE, text, f"See {arm_checks.GUIDE}, udev.")
    if not os.access(port, os.R_OK | os.W_OK):
        remedy = "sudo usermod -aG dialout $USER, log in again"
        return Finding("cable", Verdict.MISSING, f"{port} may not be opened", remedy)
    timer = usb / port.resolve().name / "latency_timer"
    if not timer.is_file():
        return Finding("cable", Verdict.GOOD, f"{port} is there; it tells no latency timer")
    value = int(timer.read_text())
    if value > 1:
        text = f"the latency timer of {port} is {value} ms, so joint states come at a third"
        return Finding("cable", Verdict.NOTE, text, f"echo 1 | sudo tee {timer}, or the udev rule")
    return Finding("cable", Verdict.GOOD, f"{port}, latency timer {value} ms")


@dataclass(frozen=True, slots=True)
class _Look:
    """Attributes: size: of the pictures; fps; brightness: mean; different: pictures in a row."""

    size: str
    fps: float
    brightness: float
    different: int


def _camera(arguments: StackArguments) -> Finding:
    if problems := arm_checks.camera_problems(arguments.camera):
        return Finding("camera", Verdict.MISSING, problems[0])
    kind, source = camera_parameter(arguments.camera)
    if kind == "ros_topic":
        text = f"topic {source}: camera_node will look for it"
        return Finding("camera", Verdict.NOTE, text, f"ros2 topic hz {source}")
    camera = choose_camera(choice_of(arguments.camera))
    camera.open()
    try:
        frames = [camera.read(READ_S) for _ in range(FRAMES)]
    finally:
        camera.close()
    pictures = [frame.image for frame in frames]
    seconds = (frames[-1].stamp_ns - frames[0].stamp_ns) * 1e-9
    look = _Look(
        f"{pictures[0].shape[1]}x{pictures[0].shape[0]}",
        (FRAMES - 1) / seconds if seconds > 0 else 0.0,
        float(np.mean(pictures[-1])),
        sum(bool((a != b).any()) for a, b in itertools.pairwise(pictures)),
    )
    return _judge(arguments.camera, look)


def _judge(camera: str, look: _Look) -> Finding:
    text = f"{camera} gives {look.size} at {look.fps:.0f} Hz, mean brightness {look.brightness:.0f}"
    if not look.different:
        remedy = "It is frozen: replug it, or use another USB port."
        return Finding(
            "camera", Verdict.MISSING, f"{text}, {FRAMES} times the same picture", remedy
        )
    if not DARK <= look.brightness <= BRIGHT:
        return Finding(
            "camera", Verdict.NOTE, text, "Lens cap, lights, or a wrong locked exposure?"
        )
    remedy = "" if look.fps >= 10.0 else "Fewer than 10 Hz make old pictures: more light, MJPG."
    return Finding("camera", Verdict.NOTE if remedy else Verdict.GOOD, text, remedy)


def _arm(arguments: StackArguments) -> Finding:
    if arguments.driver != "xs_sdk" or arm_checks.driver_problems(arguments):
        return Finding("arm", Verdict.NOTE, f"not asked: driver {arguments.driver}")
    namespace = arguments.robot_name or load_profile(arguments.robot).name
    command = [sys.executable, "-m", "roboreward_ros.ros.arm_probe", arguments.robot, namespace]
    environment = {"ROBOREWARD_DDS": "shm", **os.environ}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PROBE_LIMIT_S, check=False, env=environment
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Finding("arm", Verdict.MISSING, last)
    return arm_finding(done.stdout)


def arm_finding(told: str) -> Finding:
    """The finding of what ``ros.arm_probe`` printed."""
    found = json.loads(told)
    if found["problems"]:
        remedy = f"{arm_checks.GUIDE} says what each message means."
        return Finding("arm", Verdict.MISSING, "; ".join(found["problems"]), remedy)
    hottest = max(found["temperatures"].values(), default=0)
    volts = min(found["volts"].values(), default=0.0)
    text = (
        f"joint states at {found['rate_hz']:.0f} Hz, mode {found['mode']}, gripper "
        f"{found['gripper_mode']}, hottest motor {hottest} deg C"
    )
    text += f", {volts:.1f} V" if volts else ""
    if found["notes"]:
        return Finding("arm", Verdict.NOTE, text, "; ".join(found["notes"]))
    return Finding("arm", Verdict.GOOD, text)
