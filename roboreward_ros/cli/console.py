# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward console``: the operator's keys in a terminal, for machines without a browser."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path

from roboreward_ros.cli import run_config
from roboreward_ros.errors import ConfigError, StackError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "console",
        help="the operator's keys in this terminal",
        description="Joins the running session of this ROS domain. x closes the console, and the "
        "session goes on; q ends the session.",
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--run", dest="place", type=Path, help="folder of the run: its namespace is taken"
    )
    place.add_argument("--namespace", default="", help="namespace of the arm, such as arm1")
    parser.add_argument("--operator", default="", help="name in the labels (default: your login)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Replace this process by the console's node; does not return."""
    if not sys.stdin.isatty():
        raise ConfigError(
            "the terminal console needs a terminal", next_step="Run it in a shell, or over ssh -t."
        )
    command, environment = console_process(args.place, args.namespace, args.operator)
    os.execvpe(command[0], command, environment)
    return 0


def console_process(
    folder: Path | None, namespace: str, operator: str
) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of the node.

    Raises:
        StackError: the folder holds no run.
    """
    environment = dict(os.environ)
    if folder is not None:
        stored = run_config.load(folder)
        if not stored:
            raise StackError("there is no run in this folder", got=str(folder))
        namespace = stored.get("namespace", "")
        profile = "loopback" if stored.get("sim") == "true" else "shm"
        environment.setdefault("ROBOREWARD_DDS", profile)
    command = [sys.executable, "-m", "roboreward_ros.nodes.terminal_node", "--ros-args"]
    if namespace.strip("/"):
        command += ["-r", f"__ns:=/{namespace.strip('/')}"]
    command += ["-p", f"operator:={operator or getpass.getuser()}", "--disable-stdout-logs"]
    return command, environment
