# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is to go wrong in a rehearsal, and when: a list in YAML, checked before anything starts.

::

    faults:
      - {fault: camera_freezes, episode: 1, step: 5, steps: 4}
      - {fault: kill, node: reward_node, episode: 2}
"""

from __future__ import annotations

import json
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
    POLICY_LATE = "policy_late"  # answers of the policy come `amount` s after their state
    REWARD_LATE = "reward_late"  # the reward of the episode takes `amount` s at least
    REWARD_MEMORY = "reward_memory"  # `amount` asks about it find no room on the GPU
    DISK_FULL = "disk_full"  # `node` cannot write into the run's folder
    DISK_READ_ONLY = "disk_read_only"  # the same, and nothing there can be removed
    DISK_SLOW = "disk_slow"  # each of its writes there takes `amount` s longer
    NETWORK_CUT = "network_cut"  # no connection to the reward server
    NETWORK_LATE = "network_late"  # what goes there or comes from there takes `amount` s longer
    NETWORK_DOUBLED = "network_doubled"  # what goes there arrives twice
    NETWORK_HTML = "network_html"  # a proxy's error page comes back from there
    NETWORK_FLAPS = "network_flaps"  # every second connection there ends as it begins
    PARAMETER = "parameter"  # somebody sets `parameter` of `node`
    KILL = "kill"  # SIGKILL to `node`
    STOP = "stop"  # SIGSTOP to `node` for `amount` s
    # Of a file at rest: who reads it is killed, one bit is changed, its successor finds it.
    ROT_EPISODE = "rot_episode"  # a chunk of the newest episode
    ROT_JOURNAL = "rot_journal"  # the tail of the running episode's journal
    ROT_LEDGER = "rot_ledger"  # the last line of the scores
    ROT_CHECKPOINT = "rot_checkpoint"  # of the learner


ROT = {
    FaultKind.ROT_EPISODE: "learner_node",
    FaultKind.ROT_JOURNAL: "recorder_node",
    FaultKind.ROT_LEDGER: "reward_node",
    FaultKind.ROT_CHECKPOINT: "learner_node",
}
"""Who reads the file."""
SIGNALS = frozenset({FaultKind.KILL, FaultKind.STOP})
HITS = SIGNALS | set(ROT)
"""Kinds that the command carries out on a process."""
DISK = frozenset({FaultKind.DISK_FULL, FaultKind.DISK_READ_ONLY, FaultKind.DISK_SLOW})
NETWORK = frozenset(kind for kind in FaultKind if kind.startswith("network_"))
REWARD = frozenset({FaultKind.REWARD_LATE, FaultKind.REWARD_MEMORY})
NEEDS_NODE = SIGNALS | DISK | {FaultKind.PARAMETER}
DEFAULT_AMOUNT = {
    FaultKind.CAMERA_LATE: 0.1,
    FaultKind.STATES_STALL: 0.5,
    FaultKind.CLOCK_JUMPS: 3600.0,
    FaultKind.POLICY_LATE: 0.5,
    FaultKind.REWARD_LATE: 5.0,
    FaultKind.REWARD_MEMORY: 2.0,  # the first ask and the worker's own second try
    FaultKind.DISK_SLOW: 0.05,
    FaultKind.NETWORK_LATE: 0.2,
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
        node: which process; for ``kill``, ``stop``, disks and ``parameter``.
        amount: see ``FaultKind``; 0 takes the kind's own.
        parameter: ``name=value``, a value that is no JSON being text; for ``parameter``.

    Raises:
        ConfigError: a value out of range, or a node where none is meant.
    """

    fault: FaultKind
    episode: int = 0
    step: int = 0
    steps: int = 1
    node: str = ""
    amount: float = 0.0
    parameter: str = ""

    def __post_init__(self) -> None:
        if self.episode < 0 or self.step < 0 or self.steps < 1:
            raise ConfigError(
                f"when does {self.fault} happen?",
                got=f"episode {self.episode}, step {self.step}, {self.steps} steps",
                allowed="episode and step 0 or more, steps 1 or more",
            )
        if (self.fault in NEEDS_NODE) != bool(self.node):
            raise ConfigError(
                f"{self.fault} and its node",
                got=self.node or "none",
                allowed=f"one of each of {', '.join(sorted(NEEDS_NODE))}; none of others",
            )
        if (self.fault is FaultKind.PARAMETER) != bool(self.parameter):
            raise ConfigError(f"{self.fault} and its parameter", got=self.parameter or "none")
        if self.parameter and not isinstance(self.setting[1], bool | int | float | str):
            raise ConfigError(
                f"what {self.fault} sets",
                got=self.parameter,
                allowed="name=value, the value true, false, a number or text",
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
    def victim(self) -> str:
        """The process that is hit, "" for none."""
        return ROT.get(self.fault, self.node if self.fault in SIGNALS else "")

    @property
    def text(self) -> str:
        """One phrase for people."""
        what = " ".join(filter(None, (self.fault, self.node, self.parameter)))
        return f"{what}, episode {self.episode}, step {self.step}" + (
            f" to {self.step + self.steps - 1}" if self.steps > 1 else ""
        )

    @property
    def setting(self) -> tuple[str, object]:
        """Name and value of ``parameter``."""
        name, equals, text = self.parameter.partition("=")
        try:
            return name, json.loads(text) if name and equals else None
        except ValueError:
            return name, text

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
    node, parameter = (str(row.get(name, "")) for name in ("node", "parameter"))
    return Fault(kind, **whole, node=node, amount=float(amount), parameter=parameter)
