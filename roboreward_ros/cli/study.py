# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward study``: studies on the twin, each one command that leaves a table behind."""

from __future__ import annotations

import argparse
from pathlib import Path

from roboreward_ros.cli.demo import EPISODES, HELD_OUT, DemoOptions, run_demo
from roboreward_ros.cli.progress import make_display
from roboreward_ros.evaluation.summary import RunSummary
from roboreward_ros.studies.demo_study import run_study


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("study", help="the studies on the twin, as tables")
    studies = parser.add_subparsers(dest="study", required=True, metavar="STUDY")
    demo = studies.add_parser("demo", help="the demo over several seeds")
    demo.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    demo.add_argument("--episodes", type=int, default=EPISODES)
    demo.add_argument("--held-out", type=int, default=HELD_OUT)
    demo.add_argument("--task", default="")
    demo.add_argument("--runs", type=Path, default=Path("runs/demo_seeds"), help="of the runs")
    demo.add_argument("--out", type=Path, default=Path("bench/results"), help="of the tables")
    demo.set_defaults(run=run_demo_study)


def run_demo_study(args: argparse.Namespace) -> int:
    """Run or resume the demo for every seed; 1 when fewer than four in five seeds pass."""
    display = make_display()

    def one(seed: int) -> RunSummary:
        display.say(f"seed {seed}")
        options = DemoOptions(
            run_dir=args.runs / f"seed_{seed}",
            seed=seed,
            episodes=args.episodes,
            held_out=args.held_out,
            task=args.task,
            trials_dir=args.runs / "trials",
        )
        return run_demo(options, display)

    try:
        results = run_study(args.seeds, one, args.out)
    finally:
        display.close()
    print((args.out / "demo_seeds.md").read_text(encoding="utf-8"))
    print(f"tables: {args.out / 'demo_seeds.md'}, {args.out / 'demo_seeds.json'}")
    passed = sum(result.passes for result in results)
    return int(5 * passed < 4 * len(results))
