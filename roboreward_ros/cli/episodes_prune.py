# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward episodes prune RUN --budget 20G``: pictures that nobody needs go, oldest first."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from roboreward_ros.dsrl.learned import learned_episodes
from roboreward_ros.episodes.retention import (
    Need,
    PrunePlan,
    Retention,
    RetentionConfig,
    parse_size,
)
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import StoreError

NEWEST = 50


def add_verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser], run_help: str) -> None:
    prune = verbs.add_parser(
        "prune", help="remove pictures that nobody needs, until the run fits a disk budget"
    )
    prune.add_argument("run_dir", type=Path, metavar="RUN", help=run_help)
    prune.add_argument("--budget", required=True, metavar="SIZE", help="such as 20G or 500M")
    prune.add_argument("--dry-run", action="store_true", help="say what would go, remove nothing")
    prune.add_argument(
        "--need", choices=[need.value for need in Need], default=Need.LEARNED.value,
        help="what must have happened to an episode before its pictures go (default: learned)",
    )  # fmt: skip
    prune.add_argument(
        "--keep", type=int, default=NEWEST, metavar="N",
        help=f"newest episodes that keep their pictures (default: {NEWEST})",
    )  # fmt: skip
    prune.add_argument(
        "--force", action="store_true",
        help="also pictures that were not scored, learned from or exported; never the newest, nor "
        "what a person labelled",
    )  # fmt: skip
    prune.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    config = RetentionConfig(parse_size(args.budget), args.keep, Need(args.need))
    store = _open(args.run_dir, writes=not args.dry_run)
    try:
        keeper = Retention(store, config, lambda: learned_episodes(store.run_dir))
        if not args.dry_run and (finished := keeper.finish()):
            print(f"{finished} removals that were interrupted are finished")
        plan = keeper.plan(force=args.force)
        if not args.dry_run:
            keeper.carry_out(plan)
    finally:
        store.close()
    _say(plan, dry=args.dry_run)
    return 1 if plan.problem else 0


def _open(run_dir: Path, *, writes: bool) -> EpisodeStore:
    EpisodeStore(run_dir)  # no run is made where there is none
    try:
        return EpisodeStore(run_dir, "w" if writes else "r")
    except StoreError as error:
        raise StoreError(
            "this run cannot be pruned now",
            got=str(error),
            next_step="A session that runs keeps its own budget: ros2 param describe "
            "/recorder_node disk_budget_gb; or stop it, or ask with --dry-run.",
        ) from None


def _say(plan: PrunePlan, *, dry: bool) -> None:
    console = Console()
    verb = "would lose" if dry else "lost"
    for it in plan.remove:
        console.print(
            f"{it.episode_id} {verb} its pictures, {it.size / 1e6:.2f} MB", highlight=False
        )
    after = plan.total - plan.freed
    console.print(
        f"{len(plan.remove)} episodes, {plan.freed / 1e9:.3g} GB: the run takes {after / 1e9:.3g} "
        f"of {plan.budget / 1e9:g} GB; everything but these pictures stays",
        highlight=False,
        soft_wrap=True,
    )
    if plan.problem:
        console.print(f"[yellow]{plan.problem}[/yellow]", soft_wrap=True)
