# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Memory and time of the data pipeline over manifests of different length.

Usage::

    python bench/reward_data.py [--rows 1000 10000] [--folder DIR] [--json OUT]

Each length runs in a process of its own: read the table, relabel it (a provider that answers at
once; one video in ten is a success and gets the whole ladder), write manifest and data set, check
the data set, and bring a second data set together out of it. What is printed is the process's peak
memory behind each stage. The rows name 50 small videos under as many sentences as there are rows.
Answers are synced to disk one by one, which decides the time: ``--folder /dev/shm`` measures the
rest.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from roboreward_ros.clock import SystemClock
from roboreward_ros.episodes.exchange.labelled_layout import METADATA
from roboreward_ros.reward_training.data.build import BuildConfig, build
from roboreward_ros.reward_training.data.check import check
from roboreward_ros.reward_training.data.options import Options
from roboreward_ros.reward_training.data.recordings import LayoutSource
from roboreward_ros.reward_training.relabel.catalogue import Catalogue, fill
from roboreward_ros.reward_training.relabel.episode import RelabelConfig
from roboreward_ros.reward_training.relabel.output import write_layout
from roboreward_ros.reward_training.relabel.pipeline import relabelled, run, write_manifest
from roboreward_ros.reward_training.relabel.prompted import PromptedProvider
from roboreward_ros.testing.grey_video import write_video

VIDEOS = 50
SUCCESSES = 10
"""One row in so many."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of one run: rows that came out, seconds, and the peak of memory so far, MiB."""

    name: str
    rows: int
    seconds: float
    peak_mib: float


def answer(prompt: str) -> str:
    """What a model would say, at once: an answer for every kind of question."""
    mark = hashlib.sha256(prompt.encode()).hexdigest()[:6]
    task = prompt.splitlines()[-2].removeprefix("Instruction: ")
    return json.dumps(
        {
            "instruction": task if "Correct grammar" in prompt else f"put the cup in place {mark}",
            "instructions": [f"set the cup down in place {mark}"],
            "modes": ["another thing", "another place", "the wrong side", f"tilted {mark}"],
            "scene": "a table",
            "objects": ["cup", "plate"],
            "primary_object": "cup",
            "actions": ["moves it"],
            "final_state": f"on it {mark}",
            "score": 2,
            "fits": True,
            "reason": f"The last frame shows {mark}.",
        }
    )


def make_table(folder: Path, rows: int) -> Path:
    """A layout of ``rows`` rows over a few videos."""
    place = folder / "in" / "train"
    (place / "robot").mkdir(parents=True)
    for k in range(VIDEOS):
        write_video(place / "robot" / f"{k}.mp4", 4 + k % 7, 5, size=(32, 32))
    with (place / METADATA).open("w", encoding="utf-8") as table:
        for k in range(rows):
            reward = 5 if k % SUCCESSES == 0 else 1 + k % 4
            row = {
                "file_name": f"robot/{k % VIDEOS}.mp4",
                "task": f"put the cup on plate {k}",
                "reward": reward,
            }
            table.write(json.dumps(row) + "\n")
    return folder / "in"


def measure(folder: Path, rows: int) -> list[Stage]:
    """All stages, in this process."""
    clock = SystemClock()
    stages: list[Stage] = []
    began = clock.steady_ns()

    def done(name: str, count: int) -> None:
        nonlocal began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        stages.append(Stage(name, count, (clock.steady_ns() - began) * 1e-9, peak))
        began = clock.steady_ns()

    source = make_table(folder, rows)
    config = RelabelConfig(clip_ends=(), paraphrases=1)
    provider = PromptedProvider(answer, lambda prompt, *_: answer(prompt), "instant")
    done("make", rows)
    with Catalogue() as videos:
        fill(videos, source / "train" / METADATA)
        done("read", len(videos))
        journal = folder / "journal"
        examples = run(videos, provider, journal, config).examples
        done("relabel", examples)
        write_manifest(relabelled(videos, provider, journal, config), folder / "manifest.jsonl")
        done("manifest", examples)
        found = relabelled(videos, provider, journal, config)
        written = write_layout(found, folder / "out", provider.identity)
        done("write", sum(written.values()))
    verdict = check(folder / "out", decode=False)
    done("check", sum(levels.total() for levels in verdict.levels.values()))
    again = LayoutSource(Options("layout", folder / "out", {"split": "train"}))
    built = build([again], folder / "second", BuildConfig(split="train"))
    done("build", built.census.rows)
    return stages


def main() -> None:
    """Measure each length in a process of its own, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--folder", type=Path, help="where to work (default: the temporary one)")
    parser.add_argument("--json", type=Path, help="also write everything here")
    parser.add_argument("--inner", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inner:
        print(json.dumps([asdict(stage) for stage in measure(args.folder, args.inner)]))
        return
    results: dict[int, list[Stage]] = {}
    for rows in args.rows:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            words = [sys.executable, __file__, "--inner", str(rows), "--folder", folder]
            done = subprocess.run(words, check=True, capture_output=True, text=True)
        results[rows] = [Stage(**stage) for stage in json.loads(done.stdout.splitlines()[-1])]
        for stage in results[rows]:
            print(
                f"{rows:6d} rows  {stage.name:<9} {stage.rows:7d} out  {stage.seconds:8.1f} s  "
                f"peak {stage.peak_mib:6.1f} MiB",
                flush=True,
            )
    if args.json:
        content = {
            "machine": {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()},
            "load": os.getloadavg()[0],
            "python": platform.python_version(),
            "rows": {str(rows): [asdict(s) for s in stages] for rows, stages in results.items()},
        }
        args.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
