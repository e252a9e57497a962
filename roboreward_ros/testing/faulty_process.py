# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node whose disk fails or is slow while a rehearsal's board says so.

Usage::

    python -m roboreward_ros.testing.faulty_process RUN_DIR NODE MODULE [arguments of the module]
"""

from __future__ import annotations

import errno
import runpy
import sys
import time
from pathlib import Path

from roboreward_ros.rehearsal.board import FaultBoard
from roboreward_ros.rehearsal.faults import FaultKind
from roboreward_ros.testing.faults import refuse, troubled_disk

MODULE = "roboreward_ros.testing.faulty_process"


def command_under_faults(command: tuple[str, ...], run_dir: Path, node: str) -> tuple[str, ...]:
    """``python -m MODULE ...`` with the disk of this module."""
    return (*command[:2], MODULE, str(run_dir), node, *command[2:])


def trouble_of(run_dir: Path, node: str, what: str) -> None:
    """Wait, or raise OSError, as the board says for this node."""
    board = FaultBoard(run_dir)
    if delay_s := board.size(FaultKind.DISK_SLOW, node):
        time.sleep(delay_s)
    for kind, number in (
        (FaultKind.DISK_READ_ONLY, errno.EROFS),
        (FaultKind.DISK_FULL, errno.ENOSPC),
    ):
        if board.size(kind, node) is not None:
            refuse(number, what)


def main() -> None:
    """Run the module as the main program of this process."""
    place, node, module, *arguments = sys.argv[1:]
    run_dir = Path(place)
    sys.argv = [module, *arguments]
    with troubled_disk(lambda what: trouble_of(run_dir, node, what), run_dir):
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
