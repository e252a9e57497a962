# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward bench rewards``: judge reward models on labelled videos."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from roboreward_ros.cli.bench_scoring import score_folder, worst_films
from roboreward_ros.errors import ConfigError
from roboreward_ros.evaluation.benchmark.dataset import LabelledVideo, file_sha256, read_folder
from roboreward_ros.evaluation.benchmark.page import render
from roboreward_ros.evaluation.benchmark.predictions import Prediction, read_predictions
from roboreward_ros.evaluation.benchmark.result import BenchmarkResult, judge, to_json

HELP = """\
Judge reward models as RoboRewardBench does.

  roboreward bench rewards DIR --source roboreward --model FOLDER
  roboreward bench rewards DIR --source api --endpoint URL --model NAME
  roboreward bench rewards --predictions a.jsonl --predictions b.jsonl --json out.json
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("bench", help="benchmarks of reward models")
    kinds = parser.add_subparsers(dest="bench", required=True, metavar="BENCHMARK")
    rewards = kinds.add_parser(
        "rewards",
        help="error, ranking, false praise and calibration on labelled videos",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    rewards.add_argument("folder", nargs="?", type=Path, help="benchmark folder (metadata.jsonl)")
    rewards.add_argument("--split", default="test", help="of the folder (default: test)")
    rewards.add_argument("--source", default="", help="reward source to ask, by registry name")
    rewards.add_argument("--endpoint", default="", help="of --source api, such as http://host/v1")
    rewards.add_argument("--model", default="", help="folder, Hub id or served name")
    rewards.add_argument("--options", default="", metavar="JSON", help="over the source's file")
    rewards.add_argument(
        "--predictions", action="append", default=[], type=Path, metavar="FILE.jsonl",
        help="judge saved answers; several files are compared",
    )  # fmt: skip
    rewards.add_argument(
        "--out", type=Path, default=Path("runs/bench"), help="predictions and page go here"
    )
    rewards.add_argument("--json", type=Path, help="file for all figures")
    rewards.add_argument(
        "--probes", action="store_true", help="also show each video under another's sentence"
    )
    rewards.add_argument(
        "--trained-on", type=Path, metavar="FILE", help="sha256 of training videos, one a line"
    )
    rewards.add_argument("--published", action="store_true", help="list the literature's figures")
    rewards.add_argument("--keep-going", action="store_true", help="leave bad rows out, by name")
    rewards.add_argument("--limit", type=int, default=0, help="first rows only; 0: all")
    rewards.add_argument("--seed", type=int, default=0, help="of the intervals and the probes")
    rewards.set_defaults(run=run_bench)


def run_bench(args: argparse.Namespace) -> int:
    """Score where asked, judge, write; 1 when rows were left out."""
    if not args.source and not args.predictions:
        raise ConfigError(
            "nothing to judge",
            allowed="DIR --source NAME, or --predictions FILE.jsonl",
            next_step="`roboreward bench rewards --help` shows both.",
        )
    if args.source and args.folder is None:
        raise ConfigError("--source needs a folder of labelled videos", got="no DIR")
    problems: list[str] = []
    videos: Sequence[LabelledVideo] = ()
    if args.folder is not None:
        folder = read_folder(args.folder, args.split, keep_going=args.keep_going)
        videos = folder.rows[: args.limit] if args.limit else folder.rows
        problems += folder.problems
    models: dict[str, Sequence[Prediction]] = {}
    if args.source:
        name, answered = score_folder(args, videos)
        models[name] = answered.rows
        problems += answered.problems
    for path in args.predictions:
        loaded = read_predictions(path, keep_going=args.keep_going)
        name = _unused(path.stem, models)
        models[name] = loaded.rows
        problems += loaded.problems
    first = next(iter(models))
    results = judge(models, trained_on=_hashes(args.trained_on), seed=args.seed)
    document = to_json(results, first, problems)
    films = worst_films(models, videos)
    args.out.mkdir(parents=True, exist_ok=True)
    page = args.out / "leaderboard.html"
    title = f"Reward models on {args.folder.name if args.folder else 'saved answers'}"
    page.write_text(
        render(results, films, title=title, problems=problems, published=args.published),
        encoding="utf-8",
    )
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(document, encoding="utf-8")
    _print(results, problems)
    print(f"page: {page}" + (f"; figures: {args.json}" if args.json else ""))
    return int(bool(problems))


def _hashes(path: Path | None) -> set[str] | None:
    """Hashes from a list, or of the videos of a training folder."""
    if path is None:
        return None
    if path.is_dir():
        return {file_sha256(row.path) for row in read_folder(path, "train").rows}
    if not path.is_file():
        raise ConfigError("no such list of training videos", got=str(path))
    return {line.split()[0] for line in path.read_text().splitlines() if line.strip()}


def _unused(name: str, models: Mapping[str, object]) -> str:
    number, candidate = 2, name
    while candidate in models:
        candidate, number = f"{name}-{number}", number + 1
    return candidate


def _print(results: Sequence[BenchmarkResult], problems: Sequence[str]) -> None:
    width = max(len(result.name) for result in results)
    for result in results:
        low, high = result.macro_mae_interval
        wins = "" if result.mean_win_rate is None else f", win rate {result.mean_win_rate:.3f}"
        false = result.false_positives
        praise = f"{100 * false.value:.1f} % of {false.n}" if false.n else "none to judge"
        print(
            f"{result.name:<{width}}  MAE {result.macro_mae:.3f} ({low:.3f} to {high:.3f}), "
            f"exact {100 * result.exact_match:.1f} %, false 5s {praise}, "
            f"{result.unparsed} of {result.n} without a number{wins}"
        )
    for problem in problems:
        print(f"left out: {problem}")
