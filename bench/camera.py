# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How old pictures are when a subscriber gets them, and how many are lost, by number of cameras.

A camera is a video file of 640x480 noise at 30 frames a second; camera_node runs in a process of
its own and this process subscribes reliably, as the recorder does. Prints age (acquisition to
callback) and drops (gaps of more than one and a half periods); writes bench/results/camera.json.

Usage: python bench/camera.py [SECONDS]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("ROBOREWARD_DDS", "shm")

from roboreward_ros.ros import dds

dds.prepare()

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import rclpy  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from roboreward_ros.cli.domain import free_domain  # noqa: E402
from roboreward_ros.clock import SystemClock  # noqa: E402
from roboreward_ros.ros.convert.stamps import stamp_from_msg  # noqa: E402
from roboreward_ros.ros.qos import EVENT  # noqa: E402

FPS, SIZE = 30.0, (640, 480)
RESULT = Path(__file__).parent / "results" / "camera.json"


def film(folder: Path) -> Path:
    """Two seconds of noise."""
    path = folder / "noise.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), FPS, SIZE)
    rng = np.random.default_rng(0)
    for _ in range(round(2 * FPS)):
        writer.write(cv2.resize(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8), SIZE))
    writer.release()
    return path


def measure(path: Path, cameras: int, square: int, seconds: float) -> dict[str, float]:
    """Ages and drops of the first of so many cameras."""
    more = ",".join(f"extra{index}={path}" for index in range(1, cameras))
    words = [f"file:={path}", f"fps:={FPS}", f"square:={square}"]
    words += [f"more:={more}"] if more else []
    command = [sys.executable, "-m", "roboreward_ros.nodes.camera_node", "--ros-args"]
    command += [word for value in words for word in ("-p", value)]
    clock = SystemClock()
    ages: list[float] = []
    stamps: list[int] = []

    def heard(message: Image) -> None:
        stamp_ns = stamp_from_msg(message.header.stamp)
        ages.append((clock.now_ns() - stamp_ns) * 1e-6)
        stamps.append(stamp_ns)

    with free_domain() as domain:
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=int(domain["ROS_DOMAIN_ID"]))
        process = subprocess.Popen(
            command,
            env={**os.environ, **domain},
            stdout=subprocess.DEVNULL,
        )
        node = rclpy.create_node("bench", context=context)
        executor = rclpy.executors.SingleThreadedExecutor(context=context)
        executor.add_node(node)
        node.create_subscription(Image, "image", heard, EVENT)
        try:
            begin_ns = clock.steady_ns()
            while len(ages) < 5 and clock.steady_ns() - begin_ns < 30e9:
                executor.spin_once(timeout_sec=0.1)
            ages.clear()
            stamps.clear()
            begin_ns = clock.steady_ns()
            while clock.steady_ns() - begin_ns < seconds * 1e9:
                executor.spin_once(timeout_sec=0.1)
            usage = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            cpu_s = (int(usage[11]) + int(usage[12])) / os.sysconf("SC_CLK_TCK")
        finally:
            process.terminate()
            process.wait(10.0)
            executor.shutdown()
            node.destroy_node()
            rclpy.shutdown(context=context)
    gaps = np.diff(np.array(stamps)) * 1e-9 * FPS
    lost = int(np.maximum(np.round(gaps) - 1, 0).sum())
    p50, p99 = (float(value) for value in np.percentile(ages, (50, 99)))
    return {
        "cameras": cameras,
        "square": square,
        "frames": len(ages),
        "age_p50_ms": round(p50, 2),
        "age_p99_ms": round(p99, 2),
        "dropped": lost,
        "node_cpu_s": round(cpu_s, 2),
    }


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = film(Path(folder))
        for cameras, square in ((1, 0), (2, 0), (2, 256)):
            rows.append(measure(path, cameras, square, seconds))
            print(rows[-1])
    RESULT.parent.mkdir(exist_ok=True)
    load = round(os.getloadavg()[0], 1)
    result = {"seconds": seconds, "load_1min": load, "rows": rows}
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
