# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How long after an episode's end its reward is there, with frames shown as they come and without.

Usage::

    python bench/reward_latency.py [--model FOLDER] [--frames 16 45] [--json OUT]

Each row is one source in its child process, as reward_node runs it: ``plain`` sends the stored
episode at its end, ``live`` shows frames while the episode runs (at its own pace, so that the model
is idle at the end, as on a robot) and sends the same request. Without ``--model`` a small random
Qwen3-VL is made; latency does not depend on what weights say.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roboreward_ros.clock import SystemClock
from roboreward_ros.rewards.host import RewardHost
from roboreward_ros.rewards.live import LiveFrame
from roboreward_ros.types import RewardRequest, Score

OPTIONS = {
    "sampling": "grid",
    "fps": 5.0,
    "max_frames": 256,
    "offline": True,
    "max_entropy": 9.0,
    "max_off_answer_mass": 1.0,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One way to score one length of episode; times in ms, medians and 99th percentiles."""

    model: str
    mode: str
    dense: bool
    frames: int
    episodes: int
    reward_p50_ms: float
    reward_p99_ms: float
    step_p50_ms: float | None
    step_p99_ms: float | None
    live_hits: int
    robot_wait_ms: float


def episode(frames: int, side: int, seed: int) -> RewardRequest:
    """Frames ``side`` x ``side`` that differ, as JPEG."""
    import io

    from PIL import Image

    rng = np.random.default_rng(seed)
    base = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
    data = []
    for k in range(frames):
        picture = Image.fromarray(np.roll(base, k % 8, axis=1)).resize((side, side))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=95)
        data.append(buffer.getvalue())
    stamps = [200_000_000 * k for k in range(frames)]
    return RewardRequest(f"ep_{seed:06d}", "open the drawer", data, stamps, 5.0)


def measure(
    name: str, options: dict[str, object], live: bool, episodes: Sequence[RewardRequest]
) -> Row:
    """Latencies of one mode."""
    clock = SystemClock()
    steps: list[float] = []
    pushed_ns: dict[int, int] = {}
    host = RewardHost(
        "roboreward",
        options,  # type: ignore[arg-type]
        on_step=lambda frame, _: steps.append((clock.steady_ns() - pushed_ns[frame.step]) / 1e6),
    )
    rewards, waits = [], []
    try:
        for request in episodes:
            if live:
                for step, jpeg in enumerate(request.frames):
                    pushed_ns[step] = start = clock.steady_ns()
                    host.push(LiveFrame(request.episode_id, request.task, 5.0, step, jpeg))
                    waits.append((clock.steady_ns() - start) / 1e6)
                    while host.following:  # the robot is slower than the model
                        clock.sleep(0.0005)
            start = clock.steady_ns()
            outcome = host.score(request)
            rewards.append((clock.steady_ns() - start) / 1e6)
            assert isinstance(outcome, Score), outcome
        child = host.child
        hits = child.live_hits if child is not None else 0
    finally:
        host.close()
    return Row(
        model=name,
        mode="live" if live else "plain",
        dense=bool(options["dense"]),
        frames=len(episodes[0].frames),
        episodes=len(episodes),
        reward_p50_ms=float(np.median(rewards)),
        reward_p99_ms=float(np.percentile(rewards, 99)),
        step_p50_ms=float(np.median(steps)) if steps else None,
        step_p99_ms=float(np.percentile(steps, 99)) if steps else None,
        live_hits=hits,
        robot_wait_ms=float(np.max(waits)) if waits else 0.0,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--model", default="", help="checkpoint folder or shipped name")
    parser.add_argument("--frames", type=int, nargs="+", default=[16, 45])
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--side", type=int, default=128, help="pixels of a frame's side")
    parser.add_argument("--json", type=Path, default=None, metavar="OUT")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, object] = {"device": "cpu"}
        name = args.model or "random qwen3-vl 0.3 M"
        if args.model:
            options["model"] = args.model
            sized = {k: OPTIONS[k] for k in ("sampling", "max_entropy", "max_off_answer_mass")}
        else:
            from roboreward_ros.testing.tiny_vlm import make_tiny_vlm

            options["model"] = str(make_tiny_vlm(Path(folder)))
            sized = dict(OPTIONS)
        options |= sized
        for frames in args.frames:
            episodes = [episode(frames, args.side, seed) for seed in range(args.episodes)]
            for dense in (False, True):
                for live in (False, True):
                    row = measure(name, {**options, "dense": dense}, live, episodes)
                    rows.append(row)
                    step = f", step {row.step_p50_ms:.1f} ms" if row.step_p50_ms else ""
                    print(
                        f"{row.frames:4d} frames {'dense   ' if dense else 'episodic'} "
                        f"{row.mode:5s}: reward {row.reward_p50_ms:7.1f} ms "
                        f"(p99 {row.reward_p99_ms:7.1f}){step}, "
                        f"robot waits {row.robot_wait_ms:.2f} ms at most"
                    )
    if args.json is not None:
        load = os.getloadavg()[0]
        content = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}",
            "rows": [dataclasses.asdict(row) for row in rows],
        }
        text = json.dumps(content, indent=2, allow_nan=False)
        args.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
