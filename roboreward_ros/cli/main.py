# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward``: one command, its subcommands loaded only when they are asked for."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Protocol, cast

import roboreward_ros
from roboreward_ros.errors import RoboRewardError

COMMANDS: dict[str, tuple[str, str]] = {
    "launch": ("roboreward_ros.cli.launch", "start the whole stack: real arm or twin"),
    "demo": ("roboreward_ros.cli.demo", "fine-tune on the twin, evaluate, write a report"),
    "score": ("roboreward_ros.cli.score", "score one video or episode"),
    "console": ("roboreward_ros.cli.console", "the operator's keys in this terminal"),
    "rehearse": ("roboreward_ros.cli.rehearse", "play a recorded run through the real nodes"),
    "report": ("roboreward_ros.cli.report", "page and plots of a run"),
    "episodes": ("roboreward_ros.cli.episodes", "list, show, verify, export and import episodes"),
    "rescore": ("roboreward_ros.cli.rescore", "score a run's episodes again"),
    "policy": ("roboreward_ros.cli.policy", "train and evaluate diffusion policies"),
    "reward": ("roboreward_ros.cli.reward", "train and evaluate reward models"),
    "bench": ("roboreward_ros.cli.bench", "benchmarks of reward models"),
    "serve": ("roboreward_ros.cli.serve", "rewards, a policy or a learner for robots elsewhere"),
    "study": ("roboreward_ros.cli.study", "the studies on the twin, as tables"),
    "calibrate": ("roboreward_ros.cli.calibrate", "set up a real arm's camera and workspace"),
    "doctor": ("roboreward_ros.cli.doctor", "what is missing here and what to do"),
}
"""Subcommand -> (module with ``add_parser``, help line)."""

ERROR_EXIT_CODE = 2
INTERRUPTED_EXIT_CODE = 130


class Run(Protocol):
    """What a subcommand leaves in ``args.run``."""

    def __call__(self, args: argparse.Namespace) -> int: ...


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser; only ``command``'s module is imported, the others are a line of help each."""
    parser = argparse.ArgumentParser(
        prog="roboreward",
        description="Fine-tune a robot's diffusion policy online with rewards from "
        "vision-language models.",
    )
    parser.add_argument("--version", action="version", version=roboreward_ros.__version__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        if name == command:
            importlib.import_module(module).add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=text, add_help=False)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    2 stands for an error that the package explains in one line on stderr (and for a wrong usage,
    as argparse has it), 130 for an interruption.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in words if not word.startswith("-")), None)
    args = build_parser(command).parse_args(words)
    try:
        return cast("Run", args.run)(args)
    except RoboRewardError as error:
        print(f"roboreward {args.command}: {error}", file=sys.stderr)
        return ERROR_EXIT_CODE
    except KeyboardInterrupt:
        print(f"roboreward {args.command}: interrupted", file=sys.stderr)
        return INTERRUPTED_EXIT_CODE
    except BrokenPipeError:
        # The reader went away (`| head`): that is its right; python must not flush again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
