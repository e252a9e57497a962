# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Nodes behind and one in front: whoever ends first, nobody is left waiting."""

import dataclasses
from pathlib import Path

import pytest

from roboreward_ros.cli import arm_dialogue
from roboreward_ros.cli.supervisor import Supervisor
from roboreward_ros.errors import StackError
from roboreward_ros.stack import Stack, StackArguments, describe

WAITS = "trap 'exit 7' INT; while :; do sleep 0.02; done"


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Without nodes behind: its supervisor waits until it is stopped."""
    found = describe(StackArguments(sim=True, run_dir=str(tmp_path), policy="demo"))
    return dataclasses.replace(found, nodes=())


def talk(stack: Stack, front: str, monkeypatch: pytest.MonkeyPatch) -> int:
    command = ["/bin/sh", "-c", front]
    monkeypatch.setattr(arm_dialogue, "_command", lambda *_: command)
    return arm_dialogue.in_front(stack, "trial_node", {})


@pytest.mark.parametrize("code", [0, 3])
def test_the_end_of_the_talk_ends_the_nodes(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    assert talk(stack, f"exit {code}", monkeypatch) == code


def test_nodes_that_cannot_be_kept_running_end_the_talk(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Supervisor, "run", lambda _: 1)
    with pytest.raises(StackError, match=r"kept running; got 1"):
        talk(stack, WAITS, monkeypatch)


@pytest.mark.parametrize(
    ("raised", "told", "words"),
    [
        (StackError("robot_node cannot be started"), StackError, "kept running.*robot_node"),
        (ZeroDivisionError("a bug"), ZeroDivisionError, "a bug"),
    ],
)
def test_what_the_nodes_failed_of_is_told(
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    told: type[Exception],
    words: str,
) -> None:
    def run(_: Supervisor) -> int:
        raise raised

    monkeypatch.setattr(Supervisor, "run", run)
    with pytest.raises(told, match=words):
        talk(stack, WAITS, monkeypatch)
