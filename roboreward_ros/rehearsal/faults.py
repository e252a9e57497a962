# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is to go wrong in a rehearsal, and when: a list in YAML, checked before anything starts.

::

    faults:
      - {fault: camera_freezes, episode: 1, step: 5, steps: 4}
      - {fault: kill, node: reward_node, episode: 2}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

from roboreward_ros.errors import ConfigError
from roboreward_ros.rehearsal.lists import read_list


class FaultKind(StrEnum):
    """What can go wrong; ``amount`` is in the unit named here."""

    CAMERA_FREEZES = "camera_freezes"  # the same picture again, under new stamps
    CAMERA_DROPS = "camera_drops"  # no pictures
    CAMERA_REORDERS = "camera_reorders"  # each picture comes after its successor
    CAMERA_RESIZES = "camera_resizes"  # pictures of half the size
    CAMERA_LATE = "camera_late"  # pictures come `amount` s after their state, with true stamps
    STATES_STALL = "states_stall"  # the arm says nothing for `amount` s at each step
    ARM_FAULT = "arm_fault"  # the arm refuses an action
    CLOCK_JUMPS = "clock_jumps"  # stamps are `amount` s off
    KILL = "kill"  # SIGKILL to `node`
    STOP = "stop"  # SIGSTOP to `node` for `amount` s


NEEDS_NODE = frozenset({FaultKind.KILL, FaultKind.STOP})
DEFAULT_AMOUNT = {
    FaultKind.CAMERA_LATE: 0.1,
    FaultKind.STATES_STALL: 0.5,
    FaultKind.CLOCK_JUMPS: 3600.0,
    FaultKind.STOP: 3.0,
}
NODES = ("recorder_node", "policy_node", "reward_node", "learner_node", "session_node")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        fault: what.
        episode: number in the rehearsal, from 0.
        step: first control step of it.
        steps: for how many control steps; a process is hit once, at the first.
        node: which process, for ``kill`` and ``stop``.
        amount: see ``FaultKind``; 0 takes the kind's own.

    Raises:
        ConfigError: a value out of range, or a node where none is meant.
    """

    fault: FaultKind
    episode: int = 0
    step: int = 0
    steps: int = 1
    node: str = ""
    amount: float = 0.0

    def __post_init__(self) -> None:
        if self.episode < 0 or self.step < 0 or self.steps < 1:
            raise ConfigError(
                f"when does {self.fault} happen?",
                got=f"episode {self.episode}, step {self.step}, {self.steps} steps",
                allowed="episode and step 0 or more, steps 1 or more",
            )
        if (self.fault in NEEDS_NODE) != bool(self.node):
            raise ConfigError(
                f"{self.fault} and its node", got=self.node or "none", allowed="only of kill, stop"
            )
        if self.node and self.node not in NODES:
            raise ConfigError(f"{self.fault}: no such node", got=self.node, allowed=NODES)
        if not -1e6 <= self.amount <= 1e6:
            raise ConfigError(f"amount of {self.fault}", got=self.amount, allowed="finite")

    @property
    def size(self) -> float:
        """The amount in force."""
        return self.amount or DEFAULT_AMOUNT.get(self.fault, 0.0)

    @property
    def text(self) -> str:
        """One phrase for people."""
        what = f"{self.fault} {self.node}".rstrip()
        return f"{what}, episode {self.episode}, step {self.step}" + (
            f" to {self.step + self.steps - 1}" if self.steps > 1 else ""
        )

    def covers(self, episode: int, step: int) -> bool:
        """Whether it holds at a control step."""
        return episode == self.episode and self.step <= step < self.step + self.steps


def load_faults(path: Path) -> tuple[Fault, ...]:
    """Read a fault file; see the module's text.

    Raises:
        ConfigError: it is not there, or holds something else.
    """
    return tuple(
        _fault(row, f"{path}, fault {number}")
        for number, row in enumerate(read_list(path, "faults"), 1)
    )


def _fault(row: object, where: str) -> Fault:
    names = {field.name for field in fields(Fault)}
    if not isinstance(row, Mapping) or not set(row) <= names or "fault" not in row:
        raise ConfigError(f"{where} is none", got=str(row), allowed=f"fault and any of {names}")
    try:
        kind = FaultKind(row["fault"])
    except ValueError:
        raise ConfigError(where, got=str(row["fault"]), allowed=tuple(FaultKind)) from None
    whole = {
        name: row.get(name, 1 if name == "steps" else 0) for name in ("episode", "step", "steps")
    }
    amount = row.get("amount", 0.0)
    if not all(type(value) is int for value in whole.values()) or type(amount) not in (int, float):
        raise ConfigError(
            where, got=str(dict(row)), allowed="whole numbers, and a number of amount"
        )
    return Fault(kind, **whole, node=str(row.get("node", "")), amount=float(amount))
