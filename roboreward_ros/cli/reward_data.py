# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward reward data make | check`` and ``roboreward reward collect``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from roboreward_ros.cli.progress import make_display
from roboreward_ros.errors import ConfigError

if TYPE_CHECKING:
    from roboreward_ros.episodes.exchange.labelled_layout import Problem
    from roboreward_ros.reward_training.data.build import BuildConfig, Built
    from roboreward_ros.reward_training.data.check import Verdict
    from roboreward_ros.reward_training.data.clip import Source

ALOUD = 200
"""Rows between two lines of progress."""
MAKE_HELP = """\
Write labelled videos of any of these sources into one folder in RoboReward's layout, ready for
`reward train`, `reward relabel`, `bench rewards` and the Hub. Run it again to go on, or to take up
new and corrected labels.

{kinds}

  roboreward reward data make rlds:/data/bridge_dataset/1.0.0 roboarena:/data/dump --out data \\
      --per-source 1350
"""
COLLECT_HELP = """\
What people said about real episodes becomes training data: the operator's labels of every run,
audited episodes among them. Each row keeps what the run's reward model had said (model_score).

  roboreward reward collect runs/monday runs/tuesday --out data/ours
"""


def add_data(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``data`` and ``collect``."""
    from roboreward_ros.reward_training.data.sources import KINDS

    data = commands.add_parser("data", help="make and check folders of labelled videos")
    verbs = data.add_subparsers(dest="data_command", required=True, metavar="COMMAND")
    kinds = "\n".join(f"  {kind + ':PATH':<15} {text}" for kind, (_, text) in KINDS.items())
    make = verbs.add_parser(
        "make",
        help="labelled videos of many sources into one folder",
        description=MAKE_HELP.format(kinds=kinds),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    make.add_argument("sources", nargs="+", metavar="KIND:PATH", help="see above")
    _add_output(make)
    make.add_argument(
        "--per-source", type=int, default=0, metavar="N", help="rows drawn of each source (0: all)"
    )
    make.add_argument("--seed", type=int, default=0, help="of the draw")
    make.set_defaults(run=run_make)
    check = verbs.add_parser("check", help="every row and video; exit code 1 if anything is wrong")
    check.add_argument("folder", type=Path, help="labelled videos (metadata.jsonl)")
    check.add_argument(
        "--against", type=Path, nargs="+", default=[], metavar="DIR",
        help="benchmarks (their test split) that nothing here may know",
    )  # fmt: skip
    check.add_argument("--quick", action="store_true", help="read headers, decode nothing")
    check.add_argument("--json", action="store_true", help="one JSON object on stdout")
    check.set_defaults(run=run_check)
    collect = commands.add_parser(
        "collect",
        help="people's labels of runs become training data",
        description=COLLECT_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    collect.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run")
    collect.add_argument(
        "--labels", choices=("people", "view"), default="people",
        help="people's only, or what the learner sees (default: people)",
    )  # fmt: skip
    _add_output(collect)
    collect.set_defaults(run=run_collect)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder of the data set")
    parser.add_argument(
        "--split", choices=("train", "val", "test"), default="",
        help="everything into one split (default: by the video's content)",
    )  # fmt: skip
    parser.add_argument(
        "--shares", type=float, nargs=3, default=(0.8, 0.1, 0.1), metavar=("TRAIN", "VAL", "TEST"),
        help="of the splits (default: 0.8 0.1 0.1)",
    )  # fmt: skip
    parser.add_argument(
        "--max-pixels", type=int, default=0, metavar="N",
        help="shrink larger pictures, such as 61440 for 320x192 (default: as they are)",
    )  # fmt: skip
    parser.add_argument("--title", default="Labelled robot videos", help="of the data set's card")
    parser.add_argument(
        "--license", default="other", metavar="NAME", help="of the card, as the Hub spells it"
    )
    parser.add_argument(
        "--keep-going", action="store_true", help="leave out and name what cannot be used"
    )


def run_make(args: argparse.Namespace) -> int:
    """Build from sources; 1 when rows were left out."""
    from roboreward_ros.reward_training.data.sources import open_source

    sources = [open_source(text) for text in args.sources]
    return _build(sources, args, _config(args, args.per_source, args.seed))


def run_collect(args: argparse.Namespace) -> int:
    """Build from runs; 1 when episodes were left out that have a label."""
    from roboreward_ros.reward_training.data.options import Options
    from roboreward_ros.reward_training.data.recordings import RunSource

    sources = []
    for run in args.runs:
        if not (run / "episodes").is_dir():
            raise ConfigError("no run in this folder", got=str(run), allowed="a run_dir")
        sources.append(RunSource(Options("run", run, {"labels": args.labels})))
    return _build(sources, args, _config(args))


def _config(args: argparse.Namespace, per_source: int = 0, seed: int = 0) -> BuildConfig:
    from roboreward_ros.reward_training.data.build import BuildConfig

    return BuildConfig(
        per_source, seed, args.split, tuple(args.shares), args.max_pixels, args.title, args.license
    )


def _build(sources: Sequence[Source], args: argparse.Namespace, config: BuildConfig) -> int:
    from roboreward_ros.episodes.exchange.labelled_layout import Fault
    from roboreward_ros.reward_training.data.build import build

    display = make_display()
    try:
        for source in sources:
            display.say(source.describe())
        built = build(
            sources,
            args.out,
            config,
            keep_going=args.keep_going,
            # How many there will be is not known before they were read.
            on_clip=lambda rows: display.say(f"{rows} rows") if rows % ALOUD == 0 else None,
        )
    finally:
        display.close()
    _show_built(built, args.out)
    wrong = [problem for problem in built.problems if problem.fault is not Fault.UNLABELLED]
    _show_problems(wrong)
    if len(wrong) < len(built.problems):
        print(f"without a label: {len(built.problems) - len(wrong)}")
    return int(bool(wrong))


def run_check(args: argparse.Namespace) -> int:
    """Judge a folder."""
    from roboreward_ros.reward_training.data.check import check, count_rows

    problems: list[Problem] = []
    display = make_display()
    try:
        if not args.json:
            display.stage("check", count_rows(args.folder))
        verdict = check(
            args.folder,
            args.against,
            decode=not args.quick,
            on_problem=problems.append if args.json else lambda problem: display.say(str(problem)),
            on_row=(lambda _: None) if args.json else display.update,
        )
    finally:
        display.close()
    if args.json:
        named = [str(problem) for problem in problems]
        print(json.dumps({**verdict.as_json(), "named": named}, indent=1, ensure_ascii=False))
    else:
        _show_verdict(verdict)
    return int(not verdict.clean)


def _show_built(built: Built, out: Path) -> None:
    census = built.census
    print(f"{out}: {census.rows} rows of {len(census.videos)} videos, {built.written} written now")
    for split, levels in census.levels.items():
        counts = ", ".join(str(levels.get(level, 0)) for level in range(1, 6))
        print(f"{split}: {sum(levels.values())} rows, rewards 1..5: {counts}")
    print("sources: " + ", ".join(f"{n} {name}" for name, n in sorted(census.sources.items())))


def _show_problems(problems: Sequence[Problem]) -> None:
    counts: dict[str, int] = {}
    for problem in problems:
        counts[problem.fault] = counts.get(problem.fault, 0) + 1
    for fault, count in sorted(counts.items()):
        print(f"left out: {count} x {fault}")
    for problem in problems:
        print(f"  {problem}")


def _show_verdict(verdict: Verdict) -> None:
    for split, levels in verdict.levels.items():
        counts = ", ".join(str(levels.get(level, 0)) for level in range(1, 6))
        print(f"{split}: {sum(levels.values())} rows, rewards 1..5: {counts}")
    print("subsets: " + ", ".join(f"{n} {name}" for name, n in sorted(verdict.subsets.items())))
    print("rates: " + ", ".join(f"{n} at {fps:g} Hz" for fps, n in sorted(verdict.rates.items())))
    for fault, count in sorted(verdict.faults.items()):
        print(f"wrong: {count} x {fault}")
    for leak in verdict.leaks:
        print(
            f"{leak.judged} ({leak.rows} rows) beside {leak.learned}: {leak.same_video} rows of a "
            f"video that is in both, {leak.same_sentence} of a sentence that is in both"
        )
    print("clean" if verdict.clean else "not clean")
