# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an arm was told can be read afterwards, and a missing hold is found."""

import os
from pathlib import Path

import numpy as np
import pytest

from roboreward_ros.clock import SystemClock
from roboreward_ros.robot.command_log import Command, LoggedRobot, Verb, read_commands, unheld
from roboreward_ros.testing.fake_robot import FakeRobot


def logged(path: Path, full_bytes: int = 1 << 20) -> LoggedRobot:
    robot = LoggedRobot(FakeRobot(), path, SystemClock(), full_bytes)
    robot.connect()
    return robot


def told(*words: str) -> list[Command]:
    """ "1 step" is process 1, told to step."""
    pairs = [word.split() for word in words]
    return [Command(k, int(pid), Verb(verb)) for k, (pid, verb) in enumerate(pairs)]


def test_every_command_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "commands.log"
    robot = logged(path)
    robot.reset("t", 0)
    report = robot.step(np.zeros(7))
    assert robot.state().stamp_ns == report.state.stamp_ns
    robot.hold()
    robot.close()
    robot.close()
    commands = read_commands(path)
    assert [it.verb for it in commands] == ["connect", "reset", "step", "hold", "close"]
    assert {it.pid for it in commands} == {os.getpid()}
    assert [it.steady_ns for it in commands] == sorted(it.steady_ns for it in commands)


def test_a_full_log_moves_aside_once(tmp_path: Path) -> None:
    path = tmp_path / "commands.log"
    robot = logged(path, full_bytes=400)
    robot.reset("t", 0)
    for _ in range(60):
        robot.hold()
    robot.close()
    assert {entry.name for entry in tmp_path.iterdir()} == {path.name, path.name + ".1"}
    assert sum(entry.stat().st_size for entry in tmp_path.iterdir()) <= 800
    assert read_commands(path)[-1].verb is Verb.CLOSE


def test_a_disk_that_takes_nothing_does_not_stop_the_arm(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    robot = logged(folder / "commands.log", full_bytes=50)
    folder.rename(tmp_path / "elsewhere")
    robot.reset("t", 0)
    robot.hold()
    folder.mkdir()
    robot.hold()
    robot.close()
    assert [it.verb for it in read_commands(folder / "commands.log")][-2:] == ["hold", "close"]


def test_an_unfinished_line_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "commands.log"
    path.write_bytes(b"5 1 hold\n7 1 ste")
    assert read_commands(path) == [Command(5, 1, Verb.HOLD)]
    assert read_commands(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("commands", "named"),
    [
        (told("1 connect", "1 reset", "1 step", "1 hold", "1 reset"), ""),
        (told("1 reset", "1 step", "1 reset"), "process 1 reset the arm after a step"),
        (told("1 reset", "1 step", "2 connect"), "process 1 left the arm with a step"),
        (told("1 reset", "1 step", "1 hold", "1 close", "2 connect"), ""),
        (told("1 reset", "1 step"), ""),  # it runs
    ],
)
def test_a_missing_hold_is_found(commands: list[Command], named: str) -> None:
    wrong = unheld(commands)
    assert bool(wrong) == bool(named)
    assert named in "; ".join(wrong)


def test_who_was_killed_could_not_hold() -> None:
    assert unheld(told("1 reset", "1 step", "2 connect"), killed={1}) == []
