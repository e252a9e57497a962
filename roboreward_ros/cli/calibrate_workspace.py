# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward calibrate workspace``: what the box lets the arm reach, seen slowly by a person."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from roboreward_ros.cli import arm_checks
from roboreward_ros.cli.arm_dialogue import in_front
from roboreward_ros.errors import StackError
from roboreward_ros.stack import Stack, StackArguments, describe, parse_assignments

SLOW_RAD_S = 0.3
"""Fastest joint on the way to the start pose."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "workspace",
        help="visit the corners of the box slowly, a hand on the stop",
        description="Each corner is visited from the start pose after Enter; Enter while the arm "
        "moves makes it hold. Ends with 1 when a corner cannot be reached or is not free.",
    )
    parser.add_argument("--step", type=float, default=0.01, help="m a control step (%(default)s)")
    parser.add_argument(
        "launch", nargs="*", default=[], metavar="name:=value", help="launch arguments of the arm"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the check; the answers are kept in the run folder."""
    given = {"run_dir": "runs/workspace_check", **parse_assignments(args.launch)}
    folder = Path(given["run_dir"]).expanduser().absolute()
    stack = arm_only(StackArguments.from_strings({**given, "run_dir": str(folder)}))
    folder.mkdir(parents=True, exist_ok=True)
    arguments = stack.arguments
    visit = {"profile": arguments.robot, "workspace": arguments.workspace, "step_m": args.step}
    return in_front(stack, "dry_run_node", visit)


def arm_only(arguments: StackArguments) -> Stack:
    """The stack's robot_node alone, slowly.

    Raises:
        StackError: the vendor's package is missing.
    """
    if missing := arm_checks.driver_problems(arguments):
        raise StackError("the arm cannot be started", got=missing[0])
    stack = describe(dataclasses.replace(arguments, console=False))
    node = stack.node("robot_node")
    slow = {**node.parameters, "travel_speed": SLOW_RAD_S}
    return dataclasses.replace(stack, nodes=(dataclasses.replace(node, parameters=slow),))
