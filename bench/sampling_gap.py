# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far a checkpoint's scores differ between two ways of asking it.

Run: python bench/sampling_gap.py [--compare sampling|readout] [--source roboreward]
     [--options JSON] [--run RUN] [--limit N] [--json OUT].

``sampling``: frames spread evenly (uniform_n) against frames at fixed times (grid), which is what
incremental scoring needs. ``readout``: answers scored behind their beginning, without reasoning,
against greedy text (for lrm_* and roboreward). Without a run, drawn clips are judged; without a
model in the options, random weights: then only the mechanism is shown, not a trained model.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
from PIL import Image

from roboreward_ros.episodes.requests import reward_request
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.rewards.gap import Gap, compare
from roboreward_ros.rewards.guard import Guard
from roboreward_ros.rewards.registry import build
from roboreward_ros.testing.tiny_vlm import make_tiny_vlm
from roboreward_ros.types import RewardOutcome, RewardRequest, RewardSpec

WAYS = {"sampling": ("uniform_n", "grid"), "readout": ("scored", "printed")}
TASKS = ("open the drawer", "put the mushroom on the cloth")


def drawn(count: int) -> Iterator[RewardRequest]:
    """Clips of a block that wanders, at 5 Hz."""
    for number in range(count):
        rng = np.random.default_rng(number)
        frames, place = [], rng.integers(8, 80, 2).astype(float)
        for _ in range(int(rng.integers(12, 60))):
            place = np.clip(place + rng.normal(0, 3, 2), 0, 84)
            pixels = np.full((96, 96, 3), 110, np.uint8)
            row, column = place.astype(int)
            pixels[row : row + 12, column : column + 12] = (200, 40, 40)
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
            frames.append(buffer.getvalue())
        stamps = [200_000_000 * k for k in range(len(frames))]
        yield RewardRequest(f"drawn {number}", TASKS[number % 2], frames, stamps, 5.0)


def stored(run: Path, limit: int, spec: RewardSpec) -> Iterator[RewardRequest]:
    """The newest episodes of a run."""
    store = EpisodeStore(run)
    for episode_id in store.ids()[-limit:]:
        yield reward_request(store.open(episode_id), spec)


def ask(
    name: str, options: dict[str, object], requests: list[RewardRequest]
) -> tuple[list[RewardOutcome], float]:
    """Outcomes and CPU seconds an episode."""
    source = build(name, options)
    guard = Guard(source, deadline_s=600.0)
    guard.warm_up(600.0)
    start = time.process_time()
    found = [guard.score(request) for request in requests]
    seconds = (time.process_time() - start) / max(1, len(requests))
    source.close()
    return found, seconds


def line(way: tuple[str, str], gap: Gap, seconds: tuple[float, float]) -> str:
    return (
        f"{way[0]} against {way[1]}: {gap.episodes} episodes, {gap.both_scored} scored by both; "
        f"same {gap.same:.1%}, mean |difference| {gap.mean_abs:.3f} (max {gap.max_abs:.2f}), "
        f"expectations {gap.expected_abs:.3f}, mass moved {gap.total_variation:.3f}; only "
        f"{way[0]} scored {gap.only_first}, only {way[1]} {gap.only_second}, failed {gap.failed}; "
        f"{seconds[0]:.3f} and {seconds[1]:.3f} CPU s an episode"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compare", choices=sorted(WAYS), default="sampling")
    parser.add_argument("--source", default="roboreward")
    parser.add_argument("--options", default="{}", help="JSON over the source's file")
    parser.add_argument("--run", type=Path, help="folder of a run whose episodes are judged")
    parser.add_argument("--limit", type=int, default=24, help="newest episodes, or drawn clips")
    parser.add_argument("--json", default="", help="file for the figures")
    args = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    options = {"device": "cpu", **json.loads(args.options)}
    with tempfile.TemporaryDirectory() as scratch:
        if not options.get("model"):
            options |= {"model": str(make_tiny_vlm(Path(scratch) / "random")), "max_entropy": 9.0}
            options["max_off_answer_mass"] = 1.0
            print("random weights: only the mechanism is shown")
        spec = build(args.source, options).spec
        requests = list(stored(args.run, args.limit, spec) if args.run else drawn(args.limit))
        ways = WAYS[args.compare]
        both = [ask(args.source, {**options, args.compare: way}, requests) for way in ways]
    gap = compare(both[0][0], both[1][0])
    seconds = (both[0][1], both[1][1])
    print(line(ways, gap, seconds))
    if args.json:
        row = {
            "source": args.source,
            "options": {k: v for k, v in options.items() if k != "model"},
            "model": next((o.provenance.model for o in both[0][0] if o.provenance.model), ""),
            "episodes_of": args.run.name if args.run else "drawn",
            "compare": list(ways),
            **dataclasses.asdict(gap),
            "cpu_s": list(seconds),
        }
        Path(args.json).write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
