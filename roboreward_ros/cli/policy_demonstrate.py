# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward policy demonstrate RUN``: the twin's scripted demonstrations as a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from roboreward_ros.cli.progress import make_display
from roboreward_ros.errors import ConfigError


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``demonstrate`` to the commands of ``policy``."""
    parser = commands.add_parser(
        "demonstrate", help="record the twin's scripted demonstrators, imperfect on purpose"
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN", help="run to add to; made if absent")
    parser.add_argument(
        "--task", action="append", required=True, help="sentence; repeat for more tasks"
    )
    parser.add_argument("--episodes", type=int, default=100, help="per task (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of layouts and styles (%(default)s)")
    parser.set_defaults(run=run_demonstrate)


def run_demonstrate(args: argparse.Namespace) -> int:
    """Record, and say how many are new."""
    from roboreward_ros.cli.episodes_exchange import encode_picture
    from roboreward_ros.clock import SystemClock
    from roboreward_ros.studies.demonstration_run import record_demonstrations

    if args.episodes < 1 or args.seed < 0:
        got = (args.episodes, args.seed)
        raise ConfigError("--episodes and --seed", got=got, allowed=">= 1, >= 0")
    display = make_display()
    display.stage("demonstrating", len(args.task) * args.episodes)
    try:
        added = record_demonstrations(
            args.run_dir, tuple(args.task), args.episodes, args.seed, encode_picture,
            SystemClock().now_ns(), display.update,
        )  # fmt: skip
    finally:
        display.close()
    print(f"{args.run_dir}: {added} demonstrations added")
    return 0
