# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward rescore RUN --source S``: score stored episodes again, into the ledger."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from roboreward_ros.cli.episodes import RUN_HELP, open_store
from roboreward_ros.clock import SystemClock
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.requests import reward_request
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import RewardView, ViewConfig
from roboreward_ros.errors import StoreError
from roboreward_ros.rewards.config import options_from_json
from roboreward_ros.rewards.guard import Guard
from roboreward_ros.rewards.jobs import RequestFactory
from roboreward_ros.rewards.opening import open_source
from roboreward_ros.rewards.registry import SOURCES
from roboreward_ros.rewards.shadow import ask_many
from roboreward_ros.types import (
    Abstain,
    LabelRecord,
    RewardFailure,
    RewardOutcome,
    Score,
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("rescore", help="score a run's episodes again")
    parser.add_argument("run_dir", type=Path, metavar="RUN", help=RUN_HELP)
    parser.add_argument("--source", required=True, help=f"one of {', '.join(sorted(SOURCES))}")
    parser.add_argument("--options", default="", metavar="JSON", help="over the source's file")
    parser.add_argument("--force", action="store_true", help="also what it has scored already")
    parser.add_argument(
        "--no-promote", action="store_true", help="keep the run's present source for replay"
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    console = Console()
    store = open_store(args.run_dir)
    ledger = _writable(args.run_dir)
    try:
        guard = open_source(args.source, options_from_json(args.options))
        try:
            counts = _score_all(args, console, store, ledger, guard)
        finally:
            guard.source.close()
        spec = guard.source.spec
        if not args.no_promote and not counts[RewardFailure]:
            promote(args.run_dir, spec.name, spec.scale, "rescore", SystemClock().now_ns())
    finally:
        ledger.close()
    parts = [f"{counts[kind]} {name}" for kind, name in _NAMES.items() if counts[kind]]
    console.print(f"{spec.name}: {', '.join(parts) or 'nothing left to score'}")
    if not counts[RewardFailure]:
        return 0
    console.print("The run keeps its present source; try the failed episodes again.")
    return 1


def _writable(run_dir: Path) -> Ledger:
    """The run's ledger; a session that goes on keeps it, before anything is loaded."""
    try:
        return Ledger(run_dir, "w")
    except StoreError as error:
        raise StoreError(
            "this run cannot be scored again now",
            got=str(error),
            next_step="If its session runs, stop it first (it resumes where it was), or change "
            "the source of the session: ros2 param set /reward_node source NAME.",
        ) from None


_NAMES: dict[type[RewardOutcome], str] = {
    Score: "scored",
    Abstain: "abstained",
    RewardFailure: "failed",
}


def _score_all(
    args: argparse.Namespace,
    console: Console,
    store: EpisodeStore,
    ledger: Ledger,
    guard: Guard,
) -> Counter[type[RewardOutcome]]:
    spec, clock = guard.source.spec, SystemClock()
    view = RewardView([ledger], ViewConfig(spec.name, spec.scale))
    ids = store.ids() if args.force else view.unanswered(store.ids(), spec.name)
    counts: Counter[type[RewardOutcome]] = Counter()
    for start in track(
        range(0, len(ids), guard.batch),
        description=spec.name,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ):
        some = ids[start : start + guard.batch]
        for episode_id, outcome in zip(some, _ask(store, guard, some), strict=True):
            if isinstance(outcome, RewardFailure):
                console.print(f"[red]{episode_id}[/red]: {outcome.message}", soft_wrap=True)
            ledger.append(LabelRecord(-1, episode_id, outcome, clock.now_ns()))
            counts[type(outcome)] += 1
    return counts


def _ask(store: EpisodeStore, guard: Guard, ids: Sequence[str]) -> list[RewardOutcome]:
    """Outcomes in order; several episodes in one forward pass where the source can."""

    def factory(episode_id: str) -> RequestFactory:
        return lambda spec: reward_request(store.open(episode_id), spec)

    return [outcome for _, outcome in ask_many(guard, [factory(name) for name in ids])]
