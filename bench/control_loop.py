# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How fast and how even the control loop is over real ROS 2. Run: python bench/control_loop.py.

sim_node and policy_node run as processes of their own on the loopback profile; this process plays
the session. Measured: lock-step milliseconds per step with and without the policy's network, the
5 Hz beat's jitter, observation-to-action latency and the age of the decisions' pictures at real
time, and a recorder's path (take, JPEG, journal) at three 640x480 streams of 30 frames a second.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parent.parent
os.environ["ROBOREWARD_DDS"] = "loopback"

from roboreward_ros.ros import dds  # noqa: E402

dds.prepare()

import numpy as np  # noqa: E402

TASK = "open the drawer"
STREAMS, WIDTH, HEIGHT, FPS = 3, 640, 480, 30.0
FAKE = (
    "from roboreward_ros.nodes.policy_node import PolicyNode\n"
    "from roboreward_ros.ros.spin import run\n"
    "from roboreward_ros.testing.fake_policy import FakePolicy\n"
    "raise SystemExit(run(lambda: PolicyNode(lambda _: FakePolicy())))\n"
)


def node(name: str, *parameters: str, code: str | None = None) -> subprocess.Popen[bytes]:
    program = ["-c", code] if code else ["-m", f"roboreward_ros.nodes.{name}"]
    words = [word for p in parameters for word in ("-p", p)]
    command = [sys.executable, *program, "--ros-args", *words, "--log-level", "warn"]
    return subprocess.Popen(command, cwd=ROOT)


def percentiles(values: list[float]) -> dict[str, float]:
    if not values:
        return {"p50": float("nan"), "p99": float("nan"), "max": float("nan"), "n": 0}
    p50, p99 = np.percentile(values, (50, 99))
    return {"p50": float(p50), "p99": float(p99), "max": float(max(values)), "n": len(values)}


class Session:
    """Plays session_node and measures what passes by."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.action import ActionClient
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node
        from roboreward_ros.action import ResetRobot, RunPolicy

        from roboreward_ros import msg, srv
        from roboreward_ros.ros.qos import EVENT

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = Node("bench_session", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.reset = ActionClient(self.node, ResetRobot, "reset_robot")
        self.policy = ActionClient(self.node, RunPolicy, "run_policy")
        self.begin = self.node.create_client(srv.BeginEpisode, "begin_episode")
        self.heard = [
            self.node.create_subscription(msg.RobotState, "state", self._on_state, EVENT),
            self.node.create_subscription(msg.EefAction, "action", self._on_action, EVENT),
            self.node.create_subscription(msg.ActionChunk, "chunk", self._on_chunk, EVENT),
        ]
        self.clear()

    def clear(self) -> None:
        self.states: list[tuple[int, int]] = []  # steady ns, stamp ns
        self.latency: list[float] = []
        self.decision: list[float] = []
        self.age: list[float] = []
        self.ended = False
        self.holds = 0

    def _on_state(self, message: object) -> None:
        if message.episode_id:
            stamp = message.header.stamp
            self.states.append((time.monotonic_ns(), stamp.sec * 10**9 + stamp.nanosec))
            self.ended = self.ended or message.last
            self.holds += bool(message.flags & 32)

    def _on_action(self, _: object) -> None:
        # Both messages cross one hop, so the difference is the policy's answer time.
        if self.states:
            self.latency.append((time.monotonic_ns() - self.states[-1][0]) * 1e-6)

    def _on_chunk(self, message: object) -> None:
        if math.isnan(message.latency_s):
            return  # it closes the episode: no arm waited for it
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        self.decision.append(message.latency_s * 1e3)
        self.age.append((time.time_ns() - stamp) * 1e-6 - message.latency_s * 1e3)

    def spin(self, ready: object, limit_s: float = 60.0) -> None:
        end = time.monotonic() + limit_s
        while not ready():
            if time.monotonic() > end:
                raise SystemExit("the nodes did not answer in time")
            self.executor.spin_once(timeout_sec=0.02)

    def connect(self) -> None:
        self.spin(lambda: self.reset.server_is_ready() and self.policy.server_is_ready())
        self.spin(lambda: self.begin.service_is_ready())
        self.spin(lambda: all(s.get_publisher_count() for s in self.heard))

    def _await(self, future: object) -> object:
        self.spin(future.done)
        return future.result()

    def episode(self, k: int, steps: int) -> float:
        """Run one; returns seconds from begin to the last state."""
        from roboreward_ros.action import ResetRobot, RunPolicy

        from roboreward_ros import srv

        goal = self._await(self.reset.send_goal_async(ResetRobot.Goal(task=TASK, seed=k)))
        self._await(goal.get_result_async())
        ready: list[object] = []
        order = RunPolicy.Goal(episode_id=f"ep_{k:06d}", task=TASK, max_steps=steps, seed=k)
        run = self._await(self.policy.send_goal_async(order, feedback_callback=ready.append))
        self.spin(lambda: ready)
        self.ended = False
        began = time.monotonic()
        request = srv.BeginEpisode.Request(episode_id=order.episode_id, max_steps=steps)
        answer = self._await(self.begin.call_async(request))
        if answer.error_code:
            raise SystemExit(answer.error_msg)
        self.spin(lambda: self.ended, 120.0)
        seconds = time.monotonic() - began
        self._await(run.get_result_async())
        return seconds

    def close(self) -> None:
        import rclpy

        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


def control(speed: str, policy: str, episodes: int, steps: int, image: int) -> dict[str, object]:
    """One configuration of the loop."""
    twin = node("sim_node", f"speed:={speed}", f"image_size:={image}")
    brain = (
        node("policy_node", "actor:=false", code=FAKE)
        if policy == "fake"
        else node("policy_node", f"policy:={policy}", "actor:=false")
    )
    session = Session()
    try:
        session.connect()
        session.episode(0, steps)  # the first builds scenes and fills caches
        session.clear()
        per_step, intervals, spread = [], [], []
        for k in range(1, episodes + 1):
            session.states.clear()
            session.holds = 0
            per_step.append(session.episode(k, steps) / steps * 1e3)
            stamps = np.array([stamp for _, stamp in session.states]) * 1e-6
            arrival = np.array([moment for moment, _ in session.states]) * 1e-6
            intervals += [float(v) for v in np.abs(np.diff(stamps) - 200.0)]
            spread += [float(v) for v in np.abs(np.diff(arrival) - 200.0)]
        figures: dict[str, object] = {
            "ms_per_step": float(np.median(per_step)),
            "observation_to_action_ms": percentiles(session.latency),
            "decision_ms": percentiles(session.decision),
            "holds": session.holds,
        }
        if speed == "realtime":
            figures["jitter_at_the_arm_ms"] = percentiles(intervals)
            figures["jitter_at_the_listener_ms"] = percentiles(spread)
            figures["camera_to_policy_frame_age_ms"] = percentiles(session.age)
        return figures
    finally:
        session.close()
        for process in (brain, twin):
            process.send_signal(signal.SIGINT)
        for process in (brain, twin):
            process.wait(20)


def camera(name: str, frames: int) -> int:
    """A process of its own: publishes numbered frames at 30 Hz once somebody listens."""
    import rclpy
    from rclpy.node import Node
    from sensor_msgs.msg import Image

    from roboreward_ros.ros.convert import image_to_msg
    from roboreward_ros.ros.qos import EVENT

    rclpy.init()
    publisher_node = Node(f"bench_{name}")
    publisher = publisher_node.create_publisher(Image, name, EVENT)
    rng = np.random.default_rng(0)
    x = np.linspace(0, 255, WIDTH)[None, :, None]
    picture = (0.5 * x + rng.normal(60, 4, (HEIGHT, WIDTH, 3))).clip(0, 255).astype(np.uint8)
    while publisher.get_subscription_count() == 0:
        time.sleep(0.02)
    time.sleep(0.5)
    due = time.monotonic()
    for k in range(frames):
        picture[0, 0] = (k >> 16 & 255, k >> 8 & 255, k & 255)
        publisher.publish(image_to_msg(picture, time.time_ns()))
        due += 1.0 / FPS
        time.sleep(max(due - time.monotonic(), 0.0))
    time.sleep(1.0)  # the last frames are still on their way
    publisher_node.destroy_node()
    rclpy.shutdown()
    return 0


def recorder(seconds: float) -> dict[str, object]:
    """Takes three streams, encodes and journals every frame; counts what is missing."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from sensor_msgs.msg import Image

    from roboreward_ros.episodes.store import EpisodeStore
    from roboreward_ros.ros.convert import image_from_msg, image_to_compressed
    from roboreward_ros.ros.qos import EVENT
    from roboreward_ros.types import EpisodeMeta

    frames = round(seconds * FPS)
    context = rclpy.Context()
    rclpy.init(context=context)
    listener = Node("bench_recorder", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)
    queues: list[SimpleQueue[object]] = [SimpleQueue() for _ in range(STREAMS)]
    numbers: list[list[int]] = [[] for _ in range(STREAMS)]
    ages: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        store = EpisodeStore(folder, "w")

        def write(index: int) -> None:
            meta = EpisodeMeta(
                f"ep_{index:06d}", index, TASK, 0, frames, FPS, "bench", "0" * 64, 1, 0
            )
            writer = store.create(meta)
            while (message := queues[index].get()) is not None:
                frame = image_from_msg(message)
                red, green, blue = (int(v) for v in frame.image[0, 0])
                jpeg = bytes(image_to_compressed(frame.image, 0, quality=95).data)
                step = len(numbers[index])
                writer.add_observation(step, frame.stamp_ns, jpeg, np.zeros(7), np.zeros(6))
                numbers[index].append(red << 16 | green << 8 | blue)
                ages.append((time.time_ns() - frame.stamp_ns) * 1e-6)
            writer.abort()

        workers = [threading.Thread(target=write, args=(k,)) for k in range(STREAMS)]
        for k, worker in enumerate(workers):
            listener.create_subscription(Image, f"camera_{k}", queues[k].put, EVENT)
            worker.start()
        processes = [
            subprocess.Popen([sys.executable, __file__, "--camera", f"camera_{k}", str(frames)])
            for k in range(STREAMS)
        ]
        end = time.monotonic() + seconds + 60.0
        while any(p.poll() is None for p in processes) and time.monotonic() < end:
            executor.spin_once(timeout_sec=0.02)
        for k, worker in enumerate(workers):
            queues[k].put(None)
            worker.join()
        store.close()
    executor.shutdown()
    listener.destroy_node()
    rclpy.shutdown(context=context)
    for process in processes:
        process.kill()
    return {
        "streams": STREAMS,
        "frames_sent": frames * STREAMS,
        "frames_stored": sum(len(n) for n in numbers),
        "frames_dropped": sum(frames - len(set(n)) for n in numbers),
        "in_order": all(n == sorted(n) for n in numbers),
        "exposure_to_journal_ms": percentiles(ages),
    }


def table(rows: list[tuple[str, object]]) -> str:
    lines = []
    for name, value in rows:
        if isinstance(value, dict):
            text = f"p50 {value['p50']:7.2f}   p99 {value['p99']:7.2f}   max {value['max']:7.2f}"
            text += f"   (n={value['n']})"
        else:
            text = f"{value:.2f}" if isinstance(value, float) else str(value)
        lines.append(f"{name:<58} {text}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--camera", nargs=2, metavar=("NAME", "FRAMES"), help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="a few episodes only")
    parser.add_argument(
        "--cameras", type=int, help="a real arm's loop instead, with so many cameras"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--policy", default="demo", help="checkpoint folder, or demo")
    parser.add_argument("--out", type=Path, help="where the figures are kept")
    options = parser.parse_args()
    if options.camera:
        return camera(options.camera[0], int(options.camera[1]))
    if options.cameras:
        import arm_loop

        kept = options.out or ROOT / "bench/results/arm_loop.json"
        return arm_loop.run(options.cameras, options.quick, options.json, kept)
    from domain_coordinator import domain_id

    episodes, seconds = (1, 3.0) if options.quick else (4, 20.0)
    with domain_id() as domain:
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        results: dict[str, object] = {
            "lock_step_fake_policy_32px": control("max", "fake", 2 * episodes, 44, 32),
            "lock_step": control("max", options.policy, 2 * episodes, 44, 256),
            "realtime_5hz": control("realtime", options.policy, episodes, 44, 256),
            "recorder": recorder(seconds),
        }
    results["machine"] = {"cores": os.cpu_count(), "load_1min": os.getloadavg()[0]}
    rows = [
        (f"{part}: {name}", value)
        for part, figures in results.items()
        if isinstance(figures, dict)
        for name, value in figures.items()
    ]
    print(json.dumps(results, indent=2) if options.json else table(rows))
    out = options.out or ROOT / "bench/results/control_loop.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
