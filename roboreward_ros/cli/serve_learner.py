# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward serve learner``: one learner for the robots that send it their episodes."""

from __future__ import annotations

import argparse
import logging
import threading
from pathlib import Path

from roboreward_ros.cli.launch import signals_to
from roboreward_ros.cli.serve import add_door, check_papers, door_config
from roboreward_ros.dsrl.fleet_disk import FleetDiskConfig
from roboreward_ros.dsrl.saving import MOST_PERIOD_S
from roboreward_ros.episodes.retention import parse_size


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``learner``."""
    parser = commands.add_parser(
        "learner",
        help="learn from the episodes that robots send",
        description="Learn from the episodes of one or several robots (learner:=wss://HOST:PORT "
        "there) and send the actor back to all of them. Everything is kept in DIR; started "
        "again, it goes on. An episode is worth as many updates as the profile says: how long a "
        "robot stands still is not known here.",
    )
    parser.add_argument("dir", type=Path, metavar="DIR", help="the learner's folder")
    group = parser.add_argument_group("learner")
    group.add_argument("--profile", default="widowx", help="config/dsrl (%(default)s)")
    group.add_argument(
        "--policy", default="demo", help="the robots' frozen policy, where it is needed"
    )
    group.add_argument("--seed", type=int, default=0, help="of weights and sampling (%(default)s)")
    group.add_argument(
        "--source", default="", help="reward source to learn from; default: each run's own"
    )
    group.add_argument(
        "--demonstrations", default="", metavar="RUN", help="run folder to learn from, too"
    )
    group.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    group.add_argument(
        "--inexact-resume", action="store_true", help="go on where the last bits may differ"
    )
    group.add_argument(
        "--keep-actors", type=int, default=50, help="newest that stay; 0: all (%(default)s)"
    )
    group.add_argument(
        "--checkpoint-s",
        type=float,
        default=30.0,
        help=f"save this often, at most every {MOST_PERIOD_S:g} s (%(default)s s)",
    )
    disk = parser.add_argument_group("disk")
    disk.add_argument(
        "--disk-budget",
        default="",
        metavar="SIZE",
        help="that the copies of all runs may take, such as 200G; pictures that were scored and "
        "learned from go, oldest first; default: any",
    )
    disk.add_argument(
        "--min-free", default="500M", metavar="SIZE", help="refuse episodes below (%(default)s)"
    )
    add_door(parser)
    parser.set_defaults(run=_serve)


def _serve(args: argparse.Namespace) -> int:
    door_at = door_config(args)
    check_papers(door_at)
    budget = parse_size(args.disk_budget) if args.disk_budget else 0
    disk = FleetDiskConfig(parse_size(args.min_free), budget)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    from roboreward_ros.dsrl.compute import Compute, Precision
    from roboreward_ros.dsrl.config import load_profile
    from roboreward_ros.dsrl.duty import DutyConfig
    from roboreward_ros.dsrl.fleet import FleetLearner
    from roboreward_ros.dsrl.fleet_desk import FleetService
    from roboreward_ros.remote.door import Door
    from roboreward_ros.session.brakes import AbstainBrakeConfig
    from roboreward_ros.session.monitor import MonitorConfig

    config = DutyConfig(
        run_dir=args.dir,
        learner=load_profile(args.profile),
        seed=args.seed,
        source=args.source,
        policy=args.policy,
        compute=Compute(precision=Precision(args.precision)),
        exact_resume=not args.inexact_resume,
        keep_actors=args.keep_actors,
        adapt=False,  # arms do not send the idle time of their sessions
        monitor=MonitorConfig(),
        brake=AbstainBrakeConfig(),
        board=True,
        demonstrations=args.demonstrations,
    )
    fleet = FleetLearner(config, args.checkpoint_s, disk)
    stop = threading.Event()

    def end() -> None:
        stop.set()
        fleet.wake()

    try:
        with signals_to(end), Door(door_at, FleetService(fleet.desk)) as door:
            print(f"serving a learner on {door.url}, in {args.dir}", flush=True)
            fleet.run(stop)
    finally:
        fleet.close()
    return 0
