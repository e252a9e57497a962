# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward serve policy``: a policy too big for the robot's machine."""

from __future__ import annotations

import argparse
import logging

from roboreward_ros.cli.serve import add_door, check_papers, door_config, serve_until_stopped

SERVE_HELP = """\
Hold a policy for a robot at another machine. On the GPU's machine (papers as for rewards):

  roboreward serve policy --policy DIR --device cuda --bind 0.0.0.0 --port 8651 \\
      --cert ~/.roboreward/host.crt --key ~/.roboreward/host.key --token-file ~/.roboreward/token

On the robot's machine, once, with copies of token and host.crt; then policy:=policies/big:

  roboreward policy connect wss://gpu.lab:8651 --ca-file host.crt --token-file token \\
      --out policies/big
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "policy",
        help="hold a policy for a robot at another machine",
        description=SERVE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--policy", default="demo", help="folder, or demo: the shipped one")
    parser.add_argument("--device", default="cpu", help="torch device (%(default)s)")
    add_door(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    config = door_config(args)
    check_papers(config)
    from roboreward_ros.policies.loading import load_any_policy
    from roboreward_ros.policies.remote.service import PolicyService

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    policy = load_any_policy(args.policy, args.device)
    return serve_until_stopped(
        config, PolicyService(policy), f"policy {policy.spec.policy_id[:12]}"
    )
