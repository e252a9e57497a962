# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward policy connect``: a folder that stands for a policy of another host."""

from __future__ import annotations

import argparse
from pathlib import Path

from roboreward_ros.policies.remote.dialect import Coding


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "connect", help="a folder that stands for the policy of another host (serve policy)"
    )
    parser.add_argument("url", help="wss://HOST:PORT")
    parser.add_argument("--out", type=Path, required=True, help="folder; then policy:=FOLDER")
    parser.add_argument("--ca-file", default="", metavar="FILE", help="the host's certificate")
    parser.add_argument("--token-file", default="", metavar="FILE", help="holds the token")
    parser.add_argument(
        "--token-env", default="", metavar="NAME", help="variable that holds the token instead"
    )
    parser.add_argument(
        "--coding",
        type=Coding,
        choices=list(Coding),
        default=Coding.RAW,
        help="of images; jpeg alone is lossy (%(default)s)",
    )
    parser.add_argument(
        "--timeout", type=float, default=1.0, metavar="S", help="of a question (%(default)s)"
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from roboreward_ros.policies.remote.folder import RemotePolicyConfig, write_folder
    from roboreward_ros.policies.remote.policy import fetch_spec

    config = RemotePolicyConfig(
        args.url,
        str(Path(args.ca_file).resolve()) if args.ca_file else "",
        args.token_env,
        str(Path(args.token_file).resolve()) if args.token_file else "",
        args.coding,
        args.timeout,
    )
    spec = fetch_spec(config)
    write_folder(args.out, config, spec)
    tasks = ", ".join(spec.tasks) or "any task"
    print(
        f"{args.out}: policy {spec.policy_id[:12]} of {args.url}, {spec.control_hz:g} Hz, {tasks}"
    )
    return 0
