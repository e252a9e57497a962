# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Launches that gave up, and why (``run_dir/logs/ends.jsonl``): what a person is called about.

A launch that was asked to stop leaves no line. The line is there before any node is stopped:
health_node, told by the same signal in either case, looks for it. A log for people: a torn or
foreign line is left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ENDS_FILE = Path("logs") / "ends.jsonl"


@dataclass(frozen=True, slots=True)
class LaunchEnd:
    """One launch that ended by itself, its work not done.

    Attributes:
        stamp_ns: ns since the epoch.
        launcher: names its process beyond the reuse of process ids.
        reason: ``session_node died 4 times``.
    """

    stamp_ns: int
    launcher: str
    reason: str

    @property
    def words(self) -> str:
        """For people."""
        return f"session ended by the launch: {self.reason}"


def add_end(run_dir: Path, end: LaunchEnd) -> None:
    """Append one.

    Raises:
        OSError: no space or no right to write.
    """
    path = run_dir / ENDS_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(end)) + "\n")


def read_ends(run_dir: Path) -> list[LaunchEnd]:
    """All ends of a run, oldest first; empty where there is no log."""
    path = run_dir / ENDS_FILE
    if not path.is_file():
        return []
    ends = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
            ends.append(LaunchEnd(int(row["stamp_ns"]), str(row["launcher"]), str(row["reason"])))
        except (ValueError, KeyError, TypeError):
            continue
    return ends


def end_to_tell(ends: Sequence[LaunchEnd], launcher: str, every_s: float) -> LaunchEnd | None:
    """The end that a person is to be called about; None for none.

    What starts a launch again whenever it gives up must not make each try a call.

    Args:
        ends: of the run, oldest first.
        launcher: the launch that ends now.
        every_s: shortest time between two calls, s.
    """
    told: LaunchEnd | None = None
    for end in ends:
        if told is None or abs(end.stamp_ns - told.stamp_ns) >= every_s * 1e9:
            told = end
    return told if told is not None and told is ends[-1] and told.launcher == launcher else None
