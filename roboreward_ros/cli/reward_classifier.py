# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward reward classifier RUN``: a success classifier from the run's own labels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from roboreward_ros.errors import ConfigError

if TYPE_CHECKING:
    from roboreward_ros.rewards.small.model import Classifier


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``classifier`` to the commands of ``roboreward reward``."""
    parser = subparsers.add_parser(
        "classifier", help="train a small success classifier from a run's own labels"
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument(
        "--least", type=int, default=10, help="successes and failures a task must have (10)"
    )
    parser.add_argument(
        "--success-from",
        type=float,
        default=1.0,
        help="share of the label's range that counts as success (1: the best level only)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, save beside the run, and say how well it does on held-out folds."""
    from roboreward_ros.reward_training.classifier import train_classifier

    if args.least < 5:
        raise ConfigError("--least is too small", got=args.least, allowed=">= 5, one a fold")
    if not 0 < args.success_from <= 1:
        raise ConfigError("--success-from is out of range", got=args.success_from, allowed="0..1")
    path, models, refused = train_classifier(args.run_dir, args.least, args.success_from - 1e-9)
    console = Console()
    _show(console, models)
    for task, why in refused.items():
        console.print(f"no classifier for '{task}': {why}", markup=False, soft_wrap=True)
    console.print(f"saved: {path}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _show(console: Console, models: dict[str, Classifier]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("task", "labels", "successes", "accuracy", "log loss", "of a constant"):
        table.add_column(column, justify="left" if column == "task" else "right")
    for task, model in models.items():
        q = model.quality
        table.add_row(
            task,
            f"{q.labels}",
            f"{q.successes}",
            f"{q.accuracy:.1%}",
            f"{q.log_loss:.3f}",
            f"{q.constant_log_loss:.3f}",
        )
    console.print(table)
    console.print("accuracy and loss are of five folds that the fit did not see")
