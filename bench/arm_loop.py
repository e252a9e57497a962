# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The 5 Hz loop of a real arm with several cameras. Run: python bench/control_loop.py --cameras 2.

robot_node drives the fake xs_sdk (100 Hz joint states, the vendor's messages or their stand-ins),
camera_node plays 640x480 films at 30 Hz as so many cameras, policy_node answers with the shipped
policy and recorder_node stores every episode: all processes of their own. Measured where the
commands arrive, in this process: how uneven they come, and each process's share of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from control_loop import HEIGHT, ROOT, TASK, WIDTH, Session, node, percentiles, table

PERIOD_MS = 200.0
TICKS = os.sysconf("SC_CLK_TCK")
FILM_FPS = 30.0
PARTS = ("robot_node", "camera_node", "policy_node", "recorder_node", "xs_sdk (fake)", "this")


def make_film(path: Path, seed: int) -> None:
    """Two seconds of a noisy picture: as costly to decode as a camera's MJPEG."""
    import cv2

    rng = np.random.default_rng(seed)
    x = np.linspace(0, 255, WIDTH)[None, :, None]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FILM_FPS, (WIDTH, HEIGHT))
    for _ in range(round(2 * FILM_FPS)):
        noisy = 0.5 * x + rng.normal(60, 6, (HEIGHT, WIDTH, 3))
        writer.write(noisy.clip(0, 255).astype(np.uint8))
    writer.release()


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, s."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class ArmSession(Session):
    """Also records, and notes when commands reach the arm and frames of further cameras come."""

    def __init__(self, cameras: int) -> None:
        super().__init__()
        from interbotix_xs_msgs.msg import JointGroupCommand
        from rclpy.action import ActionClient
        from roboreward_ros.action import RecordEpisode
        from sensor_msgs.msg import Image

        from roboreward_ros.ros.qos import COMMAND, EVENT

        self.commands: list[int] = []
        self.frames = [0] * (cameras - 1)
        self.record = ActionClient(self.node, RecordEpisode, "record_episode")
        topic = "/wx250s/commands/joint_group"
        self.node.create_subscription(JointGroupCommand, topic, self._on_command, COMMAND)
        for k in range(cameras - 1):
            self.node.create_subscription(Image, f"extra_{k}", self._counter(k), EVENT)

    def _on_command(self, _: object) -> None:
        self.commands.append(time.monotonic_ns())

    def _counter(self, k: int) -> object:
        def count(_: object) -> None:
            self.frames[k] += 1

        return count

    def recorded(self, k: int, steps: int) -> None:
        """One episode that is stored, too."""
        from roboreward_ros.action import RecordEpisode

        ready: list[object] = []
        goal = RecordEpisode.Goal(
            episode_id=f"ep_{k:06d}", index=k, task=TASK, seed=k, max_steps=steps
        )
        handle = self._await(self.record.send_goal_async(goal, feedback_callback=ready.append))
        self.episode(k, steps)
        result = self._await(handle.get_result_async()).result
        if result.error_code:
            raise SystemExit(result.error_msg)


def start(cameras: int, folder: Path) -> dict[str, subprocess.Popen[bytes]]:
    """All processes but this one."""
    films = [folder / f"film_{k}.avi" for k in range(cameras)]
    for k, film in enumerate(films):
        make_film(film, k)
    more = ",".join(f"extra_{k}={film}" for k, film in enumerate(films[1:]))
    extra = (f"more:={more}",) if more else ()
    run_dir = f"run_dir:={folder / 'run'}"
    fake = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'test/ros')!r})\n"
        "import xs_interfaces; xs_interfaces.prepare()\n"
        "import fake_xs_sdk; sys.argv = ['x']; raise SystemExit(fake_xs_sdk.main())\n"
    )
    driver = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'test/ros')!r})\n"
        "import xs_interfaces; xs_interfaces.prepare()\n"
        "from roboreward_ros.nodes.robot_node import main; raise SystemExit(main())\n"
    )
    return {
        "xs_sdk (fake)": node("xs_sdk", code=fake),
        "robot_node": node(
            "robot_node", "driver:=xs_sdk", "connect_timeout_s:=60.0", "travel_speed:=2.0",
            "max_state_age_s:=1.0", run_dir, code=driver,
        ),
        "camera_node": node("camera_node", f"file:={films[0]}", "fps:=30.0", run_dir, *extra),
        "policy_node": node("policy_node", "policy:=demo", "actor:=false", run_dir),
        "recorder_node": node("recorder_node", run_dir),
    }  # fmt: skip


def measure(cameras: int, episodes: int, steps: int) -> dict[str, object]:
    """Run the episodes; the first one warms everything up and does not count."""
    sys.path.insert(0, str(ROOT / "test/ros"))
    import xs_interfaces

    xs_interfaces.prepare()
    with tempfile.TemporaryDirectory() as name:
        processes = start(cameras, Path(name))
        session = ArmSession(cameras)
        try:
            session.connect()
            session.spin(session.record.server_is_ready)
            session.recorded(0, steps)
            session.clear()
            return _measured(session, processes, cameras, episodes, steps)
        finally:
            session.close()
            for process in processes.values():
                process.send_signal(signal.SIGINT)
            for process in processes.values():
                process.wait(30)


def _measured(
    session: ArmSession,
    processes: dict[str, subprocess.Popen[bytes]],
    cameras: int,
    episodes: int,
    steps: int,
) -> dict[str, object]:
    pids = {**{name: p.pid for name, p in processes.items()}, "this": os.getpid()}
    session.frames = [0] * (cameras - 1)
    before, began = {name: cpu_s(pid) for name, pid in pids.items()}, time.monotonic()
    jitter, holds = [], 0
    for k in range(1, episodes + 1):
        session.states.clear()
        session.holds = 0
        session.recorded(k, steps)
        holds += session.holds
        first, last = session.states[0][0], session.states[-1][0]
        arrived = [moment for moment in session.commands if first <= moment <= last]
        session.commands.clear()
        # The hold at the end comes at once and is no beat.
        jitter += [abs(ns * 1e-6 - PERIOD_MS) for ns in np.diff(arrived)[:-1]]
    wall_s, cores = time.monotonic() - began, os.cpu_count() or 1
    used = {name: cpu_s(pid) - before[name] for name, pid in pids.items()}
    figures: dict[str, object] = {
        "cameras": cameras,
        "command_jitter_ms": percentiles(jitter),
        "observation_to_action_ms": percentiles(session.latency),
        "frame_age_ms": percentiles(session.age),
        "periods_held": holds,
        "extra_frames_per_s": [round(count / wall_s, 1) for count in session.frames],
        "cpu_share_of_all_cores": round(sum(used.values()) / (wall_s * cores), 3),
    }
    for name in PARTS:
        figures[f"cpu_of_a_core: {name}"] = round(used[name] / wall_s, 3)
    return figures


def run(cameras: int, quick: bool, as_json: bool, out: Path) -> int:
    """Measure, print, keep."""
    from domain_coordinator import domain_id

    with domain_id() as domain:
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        load = os.getloadavg()[0]
        figures = measure(cameras, 1 if quick else 6, 20 if quick else 60)
    figures["cores"] = os.cpu_count()
    figures["load_1min_before"] = round(load, 2)
    figures["nice"] = os.nice(0)
    print(json.dumps(figures, indent=2) if as_json else table(list(figures.items())))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/arm_loop.json")
    options = parser.parse_args()
    return run(options.cameras, options.quick, options.json, options.out)


if __name__ == "__main__":
    sys.exit(main())
