# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward serve rewards``: score episodes for robots at other machines."""

from __future__ import annotations

import argparse
import logging

from roboreward_ros.cli.serve import add_door, check_papers, door_config, serve_until_stopped
from roboreward_ros.errors import ConfigError

SERVE_HELP = """\
Score episodes for robots at other machines. On the GPU's machine:

  roboreward serve token ~/.roboreward/token
  roboreward serve certificate ~/.roboreward gpu.lab 192.168.1.20
  roboreward serve rewards --source roboreward --options '{"model": "DIR", "device": "cuda"}' \\
      --bind 0.0.0.0 --cert ~/.roboreward/host.crt --key ~/.roboreward/host.key \\
      --token-file ~/.roboreward/token

On the robot's machine, with copies of token and host.crt (never of host.key):

  ... reward:=remote reward_options:='{"url": "wss://gpu.lab:8650", "ca_file": "host.crt",
      "token_file": "token"}'
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "rewards",
        help="score episodes for robots at other machines",
        description=SERVE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--source", default="roboreward", help="reward source (%(default)s)")
    parser.add_argument("--options", default="", metavar="JSON", help="over the source's file")
    parser.add_argument(
        "--deadline", type=float, default=0.0, metavar="S", help="of a score; 0: the source's own"
    )
    parser.add_argument(
        "--start-limit", type=float, default=600.0, metavar="S", help="of loading (%(default)s)"
    )
    parser.add_argument(
        "--frames-mb", type=int, default=512, metavar="N", help="frames kept, MiB (%(default)s)"
    )
    add_door(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from roboreward_ros.rewards.config import options_from_json
    from roboreward_ros.rewards.remote.service import RewardService

    if args.deadline < 0 or args.start_limit <= 0 or args.frames_mb < 1:
        raise ConfigError("a limit is out of range", allowed="--deadline >= 0, others above 0")
    config = door_config(args)
    check_papers(config)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    service = RewardService(
        args.source,
        options_from_json(args.options),
        args.deadline or None,
        args.start_limit,
        args.frames_mb << 20,
    )
    try:
        return serve_until_stopped(config, service, f"rewards of '{args.source}'")
    finally:
        service.close()
