# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One changed bit in a file of a rehearsal, while the process that reads it is dead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from roboreward_ros.dsrl.learned import CHECKPOINT
from roboreward_ros.episodes.ledger import ledger_path
from roboreward_ros.errors import StackError
from roboreward_ros.rehearsal.faults import ROT, Fault, FaultKind
from roboreward_ros.stack import Stack
from roboreward_ros.testing.faults import rot

READ_BY_LEARNER = "chunks/noise"
"""Part of an episode that learning from it needs."""


def require_rot(stack: Stack, faults: Sequence[Fault]) -> None:
    """Raise StackError where a file that is to be damaged lies on another host."""
    kinds = [fault.fault for fault in faults if ROT.get(fault.fault) == "learner_node"]
    if kinds and stack.arguments.learner:
        raise StackError(
            f"{kinds[0]} needs a learner on this machine",
            got=f"learner:={stack.arguments.learner}",
            next_step="Leave the fault out, or give learner:= with nothing behind it.",
        )


def rot_file(kind: FaultKind, run_dir: Path) -> str:
    """Change a bit as a fault asks.

    Args:
        kind: one of ``faults.ROT``.
        run_dir: of the rehearsal.

    Returns:
        What was done, for people; also where there was nothing to damage.
    """
    path = _file(kind, run_dir)
    if path is None or not path.is_file() or not path.stat().st_size:
        return f"{kind}: there is no such file yet"
    rot(path, _place(kind, path))
    return f"{kind}: one bit of {path.relative_to(run_dir)} is changed"


def _file(kind: FaultKind, run_dir: Path) -> Path | None:
    episodes = run_dir / "episodes"
    if kind is FaultKind.ROT_LEDGER:
        return ledger_path(run_dir)
    if kind is FaultKind.ROT_CHECKPOINT:
        return run_dir / CHECKPOINT
    if kind is FaultKind.ROT_JOURNAL:
        return max(episodes.glob(".journal/*/journal"), default=None)
    newest = max(episodes.glob("ep_*"), default=run_dir)
    return max(newest.glob(f"{READ_BY_LEARNER}/c*"), default=None)


def _place(kind: FaultKind, path: Path) -> float:
    """How far into the file, 0..1: where its reader must notice."""
    if kind is FaultKind.ROT_LEDGER:
        last = path.read_bytes().splitlines()[-1]
        return 1.0 - len(last) / 2 / path.stat().st_size
    return {FaultKind.ROT_JOURNAL: 1.0, FaultKind.ROT_CHECKPOINT: 0.0}.get(kind, 0.5)
