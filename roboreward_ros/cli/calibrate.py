# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward calibrate``: set a real arm's place up, and look whether it still is."""

from __future__ import annotations

import argparse

from roboreward_ros.cli import calibrate_camera, calibrate_workspace


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``calibrate`` and its subcommands."""
    parser = subparsers.add_parser("calibrate", help="set up a real arm's camera and workspace")
    commands = parser.add_subparsers(dest="calibrate_command", required=True, metavar="WHAT")
    calibrate_camera.add_parser(commands)
    calibrate_workspace.add_parser(commands)
