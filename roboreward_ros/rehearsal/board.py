# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which faults of disks and of the network hold now: one small file between the processes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from roboreward_ros.files import write_atomic
from roboreward_ros.rehearsal.faults import Fault, FaultKind

BOARD_FILE = "rehearsal.now"


class FaultBoard:
    """Written by the player, before the step that it is about is told to anybody.

    Args:
        run_dir: of the rehearsal.
    """

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / BOARD_FILE
        self._shown: list[Fault] = []

    def show(self, faults: Sequence[Fault]) -> None:
        """These hold from now on, and no others."""
        if list(faults) != self._shown:
            self._shown = list(faults)
            rows = [[fault.fault, fault.node, fault.size] for fault in faults]
            write_atomic(self._path, json.dumps(rows))

    def size(self, kind: FaultKind, node: str = "") -> float | None:
        """The amount of a fault that holds now, of one process; None where it does not hold."""
        try:
            rows = json.loads(self._path.read_text())
        except FileNotFoundError:
            return None
        found = [float(size) for fault, name, size in rows if (fault, name) == (kind, node)]
        return max(found, default=None)
