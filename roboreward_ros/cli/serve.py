# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward serve``: this machine's GPU for a robot at another one, and the papers for it."""

from __future__ import annotations

import argparse
import importlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from roboreward_ros.cli.launch import signals_to
from roboreward_ros.remote.door_config import DoorConfig

if TYPE_CHECKING:
    from roboreward_ros.remote.door import Service

SERVICES: tuple[str, ...] = (
    "roboreward_ros.cli.serve_rewards",
    "roboreward_ros.cli.serve_policy",
    "roboreward_ros.cli.serve_learner",
)
"""Modules of ``roboreward serve NAME``, each with ``add_parser``."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``serve`` and its subcommands."""
    serve = subparsers.add_parser(
        "serve",
        help="rewards, a policy or a learner for robots at other machines",
        description="Serve what needs a GPU to a robot at another machine, over one authenticated "
        "and encrypted connection.",
    )
    commands = serve.add_subparsers(dest="serve_command", required=True, metavar="COMMAND")
    for module in SERVICES:
        importlib.import_module(module).add_parser(commands)

    token = commands.add_parser("token", help="make a secret that both machines need")
    token.add_argument("file", type=Path, metavar="FILE", help="new file, for its owner alone")
    token.set_defaults(run=_token)

    papers = commands.add_parser("certificate", help="make the certificate of this machine")
    papers.add_argument("folder", type=Path, metavar="FOLDER", help="gets host.crt and host.key")
    papers.add_argument(
        "hosts", nargs="+", metavar="HOST", help="names and addresses that askers use for it"
    )
    papers.add_argument("--days", type=int, default=825, help="how long it is valid (%(default)s)")
    papers.set_defaults(run=_certificate)


def add_door(parser: argparse.ArgumentParser) -> None:
    """Arguments of where to listen and who is let in."""
    group = parser.add_argument_group("door")
    group.add_argument(
        "--bind", default="127.0.0.1", help="address to listen on; 0.0.0.0: all (%(default)s)"
    )
    group.add_argument("--port", type=int, default=DoorConfig().port, help="(%(default)s)")
    group.add_argument("--cert", default="", metavar="FILE", help="certificate to serve with")
    group.add_argument("--key", default="", metavar="FILE", help="its private key")
    group.add_argument("--token-file", default="", metavar="FILE", help="holds the token")
    group.add_argument(
        "--token-env", default="", metavar="NAME", help="variable that holds the token instead"
    )
    group.add_argument(
        "--max-peers", type=int, default=DoorConfig().max_peers, help="askers (%(default)s)"
    )


def door_config(args: argparse.Namespace) -> DoorConfig:
    """Raises ConfigError, and reads nothing yet."""
    return DoorConfig(
        bind=args.bind,
        port=args.port,
        cert_file=args.cert,
        key_file=args.key,
        token_file=args.token_file,
        token_env=args.token_env,
        max_peers=args.max_peers,
    )


def serve_until_stopped(config: DoorConfig, service: Service, what: str) -> int:
    """Serve until Ctrl-C or SIGTERM; says where."""
    from roboreward_ros.remote.door import Door

    stop = threading.Event()
    with signals_to(stop.set), Door(config, service) as door:
        print(f"serving {what} on {door.url}", flush=True)
        stop.wait()
    return 0


def check_papers(config: DoorConfig) -> None:
    """Fail on a bad token or certificate before minutes of loading; raises ConfigError."""
    config.token()
    config.tls()


def _token(args: argparse.Namespace) -> int:
    from roboreward_ros.remote.secrets import make_token

    make_token(args.file)
    print(f"{args.file}: copy it to the other machine (scp), chmod 600 there too")
    return 0


def _certificate(args: argparse.Namespace) -> int:
    from roboreward_ros.remote.certificate import make_certificate

    certificate, key = make_certificate(args.folder, args.hosts, args.days)
    print(f"{certificate}: copy it to the askers, as their ca_file\n{key}: stays here")
    return 0
