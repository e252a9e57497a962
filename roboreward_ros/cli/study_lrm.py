# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward study lrm``: which of Large Reward Models' signals refines a policy online."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from roboreward_ros.cli.progress import make_display

if TYPE_CHECKING:
    from roboreward_ros.studies.lrm.config import LrmConfig

ITERATIONS, EPISODES, HELD_OUT, DEMONSTRATIONS, CLONING = 30, 64, 192, 300, 4000


def add_parser(studies: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``lrm`` to ``roboreward study``."""
    parser = studies.add_parser(
        "lrm", help="PPO on the denoising chain under each signal of Large Reward Models"
    )
    parser.add_argument("--arms", nargs="+", default=[], help="rewards (default: all)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="of runs")
    parser.add_argument(
        "--iterations", type=int, default=ITERATIONS, help=f"of a run ({ITERATIONS})"
    )
    parser.add_argument(
        "--episodes", type=int, default=EPISODES, help=f"of an iteration ({EPISODES})"
    )
    parser.add_argument(
        "--held-out", type=int, default=HELD_OUT, help=f"layouts of each seed ({HELD_OUT})"
    )
    parser.add_argument(
        "--demonstrations", type=int, default=DEMONSTRATIONS,
        help=f"that the base policy is cloned from ({DEMONSTRATIONS})",
    )  # fmt: skip
    parser.add_argument(
        "--cloning", type=int, default=CLONING, help=f"steps of cloning it ({CLONING})"
    )
    parser.add_argument(
        "--hold", type=int, default=8, help="K, control steps between two queries (8)"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs/lrm"), help="of the runs")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="of the tables")
    parser.set_defaults(run=run_lrm)


def run_lrm(args: argparse.Namespace) -> int:
    """Run or resume the study and write its tables."""
    from roboreward_ros.errors import ConfigError
    from roboreward_ros.studies.lrm.config import Arm, BaseConfig, LrmConfig
    from roboreward_ros.studies.lrm.report import write_report
    from roboreward_ros.studies.lrm.study import LrmStudy

    known = [arm.value for arm in Arm]
    unknown = [name for name in args.arms if name not in known]
    if unknown:
        raise ConfigError("unknown arm of the study", got=unknown, allowed=known)
    config = LrmConfig(
        arms=tuple(Arm(name) for name in args.arms or known),
        seeds=tuple(args.seeds),
        iterations=args.iterations,
        episodes=args.episodes,
        held_out=args.held_out,
        hold_steps=args.hold,
        base=dataclasses.replace(
            BaseConfig(), demonstrations=args.demonstrations, steps=args.cloning
        ),
    )
    display = make_display()
    try:
        result = LrmStudy(config, args.runs, display.say).run()
    finally:
        display.close()
    write_report(result, args.out, "study_lrm", _command(args, config))
    print((args.out / "study_lrm.md").read_text(encoding="utf-8"))
    print(f"tables: {args.out / 'study_lrm'}.md, .json, .png")
    return 0


def _command(args: argparse.Namespace, config: LrmConfig) -> str:
    words = ["roboreward", "study", "lrm"]
    if args.arms:
        words += ["--arms", *args.arms]
    if config.seeds != (0, 1, 2, 3, 4):
        words += ["--seeds", *map(str, config.seeds)]
    for option, value, default in (
        ("--iterations", args.iterations, ITERATIONS), ("--episodes", args.episodes, EPISODES),
        ("--held-out", args.held_out, HELD_OUT), ("--hold", args.hold, 8),
        ("--demonstrations", args.demonstrations, DEMONSTRATIONS),
        ("--cloning", args.cloning, CLONING),
    ):  # fmt: skip
        if value != default:
            words += [option, str(value)]
    return " ".join(words)
