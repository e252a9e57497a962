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


FILLED_IN_MID_RUN = """
set -e
mount -t tmpfs -o size=64m tmpfs /dev/shm
ip link set lo up multicast on
exec "$0" -c "$2" "$1"
"""
MID_RUN = f"""
from roboreward_ros.ros import dds
dds.prepare("shm")
import subprocess, sys
from pathlib import Path
import rclpy
from roboreward_ros.clock import SystemClock
from roboreward_ros.ros.qos import EVENT
from sensor_msgs.msg import Image
SHARED, clock, heard = Path("/dev/shm"), SystemClock(), []
NODE = [sys.executable, "-m", "roboreward_ros.nodes.camera_node", "--ros-args"]

def camera():
    process = subprocess.Popen(
        [*NODE, "-p", "file:=" + sys.argv[1], "-p", "fps:=30.0"], stderr=subprocess.PIPE, text=True
    )
    said = []
    for line in process.stderr:
        said.append(line)
        if line.rstrip().endswith("ready"):
            break
    else:
        raise SystemExit("camera_node ended: " + "".join(said))
    return process, sum("pictures go by UDP" in line for line in said)

def own():
    return {{f.name for f in SHARED.glob("fastrtps_*") if f.stat().st_size > 16 << 20}}

def goes_on(what):
    heard.clear()
    end_ns = clock.steady_ns() + 120_000_000_000
    while len(heard) < {WANTED}:
        assert clock.steady_ns() < end_ns, f"{{what}}: {{len(heard)}} pictures"
        rclpy.spin_once(node, timeout_sec=0.1)
    assert {{(m.width, m.height) for m in heard}} == {{({WIDTH}, {HEIGHT})}}, what

rclpy.init()
node = rclpy.create_node("reader")
node.create_subscription(Image, "image", heard.append, EVENT)
first, told = camera()
goes_on("there is room")
assert (told, len(own())) == (0, 2)

with (SHARED / "fill").open("wb", buffering=0) as fill:
    try:
        while True:
            fill.write(bytes(1 << 16))
    except OSError:
        pass
goes_on("it was filled while both ran")
assert first.poll() is None
first.kill()
first.wait()
second, told = camera()
assert told == 1, "the node that was started again says so"
goes_on("it is full, and the camera was started again")
second.terminate()
assert second.wait() == 0

(SHARED / "fill").unlink()
before = own()
third, told = camera()
goes_on("there is room again")
assert (told, len(own() - before)) == (0, 1), "by shared memory again"
third.terminate()
assert third.wait() == 0
node.destroy_node()
rclpy.shutdown()
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


def test_what_runs_goes_on_when_it_fills_and_what_starts_says_so_until_there_is_room(
    video: Path,
) -> None:
    """In namespaces of its own, too: a /dev/shm of 64 MB."""
    dropped = (*dds.PROFILE_FILE_VARIABLES, "ROS_AUTOMATIC_DISCOVERY_RANGE")
    environment = {k: v for k, v in os.environ.items() if k not in dropped}
    done = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c",
         FILLED_IN_MID_RUN, sys.executable, str(video), MID_RUN],
        env={**environment, dds.VARIABLE: "shm"},
        capture_output=True,
        text=True,
        timeout=240.0,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"namespaces need root (unshare, mount):\n{done.stderr}"


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
