# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an arm was told, a line a command: written before the arm hears it, read after an accident.

``<steady ns> <pid> <verb>`` with the verbs connect, reset, step, hold, close. A line is one write,
so that a killed process leaves whole lines; a full file moves aside once.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from roboreward_ros.clock import Clock
from roboreward_ros.files import make_folder
from roboreward_ros.protocols import Robot
from roboreward_ros.types import FloatArray, RobotState, StepReport

COMMANDS = "commands.log"
FULL_BYTES = 16 << 20


class Verb(StrEnum):
    """What an arm can be told."""

    CONNECT = "connect"
    RESET = "reset"
    STEP = "step"
    HOLD = "hold"
    CLOSE = "close"


_AT_REST = (Verb.CONNECT, Verb.RESET, Verb.HOLD, Verb.CLOSE)


@dataclass(frozen=True, slots=True)
class Command:
    """One line.

    Attributes:
        steady_ns: of the machine's steady clock, when it was given.
        pid: process that gave it.
        verb: what.
    """

    steady_ns: int
    pid: int
    verb: Verb


class LoggedRobot:
    """``protocols.Robot`` that notes what it is told before the arm behind it hears it.

    A disk that takes no more lines does not stop an arm: the log then has a gap.

    Args:
        robot: the arm.
        path: of the log; its folder is made.
        clock: for the lines.
        full_bytes: size at which the file moves to ``<path>.1`` and a new one begins.
    """

    def __init__(
        self, robot: Robot, path: Path, clock: Clock, full_bytes: int = FULL_BYTES
    ) -> None:
        self._robot = robot
        self._path = path
        self._clock = clock
        self._full_bytes = full_bytes
        self._closed = False
        make_folder(path.parent)
        self._fd = self._open()
        self._bytes = os.fstat(self._fd).st_size

    def connect(self) -> None:
        self._note(Verb.CONNECT)
        self._robot.connect()

    def reset(self, task: str, seed: int) -> RobotState:
        self._note(Verb.RESET)
        return self._robot.reset(task, seed)

    def step(self, action: FloatArray) -> StepReport:
        self._note(Verb.STEP)
        return self._robot.step(action)

    def hold(self) -> StepReport:
        self._note(Verb.HOLD)
        return self._robot.hold()

    def state(self) -> RobotState:
        return self._robot.state()

    def close(self) -> None:
        self._note(Verb.CLOSE)
        self._robot.close()
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._closed = -1, True

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def _note(self, verb: Verb) -> None:
        if self._closed:
            return
        line = f"{self._clock.steady_ns()} {os.getpid()} {verb}\n".encode()
        try:
            if self._fd < 0 or self._bytes + len(line) > self._full_bytes:
                self._begin_anew()
            self._bytes += os.write(self._fd, line)
        except OSError:
            return

    def _begin_anew(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        if self._path.exists():
            self._path.replace(aside(self._path))
        self._fd, self._bytes = self._open(), 0


def aside(path: Path) -> Path:
    """Where a full log goes; the one before it is gone then."""
    return path.with_name(path.name + ".1")


def read_commands(path: Path) -> list[Command]:
    """Every whole line of a log, the part that moved aside first; [] where there is none."""
    found = []
    for part in (aside(path), path):
        for line in part.read_bytes().split(b"\n")[:-1] if part.exists() else ():
            words = line.split()
            if len(words) == 3:
                found.append(Command(int(words[0]), int(words[1]), Verb(words[2].decode())))
    return found


def unheld(commands: Iterable[Command], killed: Collection[int] = ()) -> list[str]:
    """Where an arm was left without a hold: before a reset, or by a process that ended.

    Args:
        commands: of a log, in order.
        killed: processes that drove the arm and were killed themselves: nobody could hold.
    """
    wrong = []
    last: dict[int, Command] = {}
    for command in commands:
        before = last.get(command.pid)
        if before is None:
            wrong += [_left(pid, it) for pid, it in last.items() if not _rests(it, pid, killed)]
            last = {}
        elif command.verb is Verb.RESET and before.verb not in _AT_REST:
            wrong.append(f"process {command.pid} reset the arm after a {before.verb}, not a hold")
        last[command.pid] = command
    return wrong


def _rests(it: Command, pid: int, killed: Collection[int]) -> bool:
    return pid in killed or it.verb in _AT_REST


def _left(pid: int, it: Command) -> str:
    return f"process {pid} left the arm with a {it.verb} as its last command"
