# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A full /dev/shm: nodes say so, and pictures go on by UDP without a loss."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from roboreward_ros.cli import doctor
from roboreward_ros.cli.findings import Verdict
from roboreward_ros.ros import dds

WIDTH, HEIGHT, WANTED = 640, 480, 20
READER = f"""
from roboreward_ros.ros import dds
dds.prepare("shm")
import rclpy
from roboreward_ros.clock import SystemClock
from roboreward_ros.ros.qos import EVENT
from sensor_msgs.msg import Image
rclpy.init()
node, heard, clock = rclpy.create_node("reader"), [], SystemClock()
node.create_subscription(Image, "image", heard.append, EVENT)
end_ns = clock.steady_ns() + 120_000_000_000
while len(heard) < {WANTED} and clock.steady_ns() < end_ns:
    rclpy.spin_once(node, timeout_sec=0.1)
assert len(heard) == {WANTED}, f"{{len(heard)}} pictures"
assert {{(m.width, m.height) for m in heard}} == {{({WIDTH}, {HEIGHT})}}
node.destroy_node()
rclpy.shutdown()
"""
SMALL = """
set -e
mount -t tmpfs -o size=64k tmpfs /dev/shm
ip link set lo up multicast on
"$0" -m roboreward_ros.nodes.camera_node --ros-args -p file:="$1" -p fps:=30.0 &
node=$!
"$0" -c "$2" || { kill $node; exit 1; }
kill $node
wait $node
"""


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "film.avi"
    code = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), code, 30.0, (WIDTH, HEIGHT))
    for k in range(4):
        writer.write(np.full((HEIGHT, WIDTH, 3), 40 * k, dtype=np.uint8))
    writer.release()
    return path


def test_nodes_say_that_it_is_full_and_pictures_go_by_udp(video: Path) -> None:
    """In mount and network namespaces of its own; the machine's /dev/shm is not touched."""
    dropped = (*dds.PROFILE_FILE_VARIABLES, "ROS_AUTOMATIC_DISCOVERY_RANGE")
    environment = {k: v for k, v in os.environ.items() if k not in dropped}
    done = subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-c", SMALL, sys.executable, str(video), READER],
        env={**environment, dds.VARIABLE: "shm"},
        capture_output=True,
        text=True,
        timeout=240.0,
        check=False,
    )
    assert done.returncode == 0, f"namespaces need root (unshare, mount):\n{done.stderr}"
    assert "/dev/shm has 0.1 MB free, 17 are needed: pictures go by UDP" in done.stderr


def test_only_who_wants_shared_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    told = {}
    for profile in dds.PROFILES:
        environment: dict[str, str] = {}
        dds.prepare(profile, environment)
        told[profile] = dds.shared_memory_problem(environment)
    assert told["shm"].startswith("/dev/shm has 1.0 MB free")
    assert (told["loopback"], told["none"]) == ("", "")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 30))
    environment = {}
    dds.prepare("shm", environment)
    assert dds.shared_memory_problem(environment) == ""


def test_the_doctor_names_it_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(free=1 << 20, total=64 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    found = doctor._shared_memory()
    assert found.verdict is Verdict.NOTE
    assert "1 of 64 MB free" in found.text
    assert "--shm-size" in found.remedy
