# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward doctor``: what is here, what is missing, and the command that mends it."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from roboreward_ros.cli.domain import own_domain
from roboreward_ros.cli.findings import Finding, Verdict
from roboreward_ros.cli.preflight import config_dir, nodes_in_domain
from roboreward_ros.errors import RoboRewardError, StackError
from roboreward_ros.sim.gl import APT, choose_backend
from roboreward_ros.stack import StackArguments, parse_assignments

RMEM_WANTED = 4 * 2**20  # whole camera frames in one socket buffer
SHM_WANTED = 64 * 2**20  # the 16 MB segment of a few participants

Check = Callable[[], Finding]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("doctor", help="what is missing here and what to do")
    parser.add_argument("--json", action="store_true", help="a json list instead of lines")
    parser.add_argument(
        "--robot", action="store_true", help="look at the real arm, its cable and camera, too"
    )
    parser.add_argument(
        "launch", nargs="*", default=[], metavar="name:=value", help="launch arguments of the arm"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the findings; 1 when something is missing."""
    arm: Mapping[str, Check] = {}
    if args.robot:
        from roboreward_ros.cli.doctor_arm import checks

        arm = checks(StackArguments.from_strings(parse_assignments(args.launch)))
    findings = list(examine({**CHECKS, **arm}))
    if args.json:
        import json
        from dataclasses import asdict

        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{finding.verdict:8}{finding.name:12}{finding.text}")
            if finding.remedy:
                print(f"{'':20}-> {finding.remedy}")
    return int(any(finding.verdict is Verdict.MISSING for finding in findings))


def examine(checks: Mapping[str, Check] | None = None) -> Iterator[Finding]:
    """All findings, in the order in which they build on each other."""
    for name, check in (CHECKS if checks is None else checks).items():
        try:
            yield check()
        except (RoboRewardError, OSError) as error:
            yield Finding(name, Verdict.MISSING, str(error))


def _python() -> Finding:
    return Finding("python", Verdict.GOOD, f"{platform.python_version()} at {sys.executable}")


def _packages() -> Finding:
    wanted = ("numpy", "torch", "mujoco", "zarr", "safetensors", "opencv-python-headless", "rich")
    found, absent = [], []
    for name in wanted:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            absent.append(name)
    if absent:
        return Finding(
            "packages", Verdict.MISSING, f"not installed: {', '.join(absent)}", "Run: make setup"
        )
    return Finding("packages", Verdict.GOOD, ", ".join(found))


def _ros() -> Finding:
    if importlib.util.find_spec("rclpy") is None:
        remedy = "Run make setup (wheels), or source /opt/ros/jazzy/setup.bash before it."
        return Finding("ros", Verdict.MISSING, "rclpy cannot be imported", remedy)
    distribution = os.environ.get("ROS_DISTRO", "")
    if distribution and distribution != "jazzy":
        return Finding(
            "ros", Verdict.MISSING, f"ROS 2 {distribution} is sourced", "Source ROS 2 Jazzy."
        )
    origin = "sourced Jazzy" if distribution else "Jazzy from wheels"
    extra = "with" if shutil.which("ros2") else "without"
    return Finding("ros", Verdict.GOOD, f"{origin}, {extra} the ros2 command line")


def _interfaces() -> Finding:
    code = "from roboreward_ros.msg import Reward; Reward(value=1.0)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Finding("interfaces", Verdict.MISSING, last, "Run: make setup (or colcon build)")
    return Finding("interfaces", Verdict.GOOD, "messages, services and actions are built")


def _config() -> Finding:
    return Finding("config", Verdict.GOOD, str(config_dir()))


def _opengl() -> Finding:
    backend = choose_backend()
    code = (
        "from roboreward_ros.sim.gl import prepare; prepare(); import mujoco; "
        "mujoco.GLContext(64, 64).make_current()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Finding(
            "opengl",
            Verdict.MISSING,
            f"{backend} is here, but: {last}",
            f"sudo apt-get install {APT[backend]}",
        )
    return Finding("opengl", Verdict.GOOD, f"the twin renders with {backend}")


def _shared_memory() -> Finding:
    usage = shutil.disk_usage("/dev/shm")
    text = f"/dev/shm has {usage.free / 2**20:.0f} of {usage.total / 2**20:.0f} MB free"
    if usage.free < SHM_WANTED:
        remedy = "Free it (fastdds shm clean), or give a container more: --shm-size=512m"
        return Finding("shm", Verdict.NOTE, text, remedy)
    return Finding("shm", Verdict.GOOD, text)


def _socket_buffers() -> Finding:
    size = int(Path("/proc/sys/net/core/rmem_max").read_text())
    text = f"net.core.rmem_max is {size / 2**20:.1f} MB"
    if size < RMEM_WANTED:
        remedy = f"sudo sysctl -w net.core.rmem_max={RMEM_WANTED}  # 640x480 images over UDP"
        return Finding("rmem", Verdict.NOTE, text, remedy)
    return Finding("rmem", Verdict.GOOD, text)


def _domain() -> Finding:
    try:
        domain = own_domain()
    except StackError as error:
        return Finding("domain", Verdict.MISSING, str(error))
    others = nodes_in_domain(set())
    if others:
        names = ", ".join(sorted(others)[:6])
        remedy = "Another ROS_DOMAIN_ID keeps you apart from them."
        return Finding("domain", Verdict.NOTE, f"{domain}, with other nodes: {names}", remedy)
    return Finding("domain", Verdict.GOOD, f"{domain}, nobody else is there")


def _torch() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("torch", Verdict.MISSING, "torch cannot be imported", "Run: make setup")
    import torch

    if torch.cuda.is_available():
        name = torch.cuda.get_device_name(0)
        return Finding("torch", Verdict.GOOD, f"{torch.__version__}, device cuda ({name})")
    text = f"{torch.__version__}, device cpu"
    if shutil.which("nvidia-smi"):
        remedy = "This torch has no CUDA although a driver is here; see `make help`."
        return Finding("torch", Verdict.NOTE, text, remedy)
    return Finding("torch", Verdict.GOOD, text)


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0))
    verdict = Verdict.GOOD if cores >= 2 else Verdict.NOTE
    return Finding("cores", verdict, f"{cores}", "" if cores >= 2 else "The demo wants two.")


CHECKS: dict[str, Check] = {
    "python": _python,
    "packages": _packages,
    "ros": _ros,
    "interfaces": _interfaces,
    "config": _config,
    "opengl": _opengl,
    "shm": _shared_memory,
    "rmem": _socket_buffers,
    "domain": _domain,
    "torch": _torch,
    "cores": _cores,
}
