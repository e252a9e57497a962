# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The short form of the kill suite; ``make soak`` is the long one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from roboreward_ros.cli.domain import free_domain
from roboreward_ros.session.plan import PlanConfig
from roboreward_ros.sim.tasks import TASKS
from roboreward_ros.testing.kills import (
    ALL,
    TARGETS,
    StackProcess,
    kills,
    processes_of,
    schedule,
    wait_until,
)
from roboreward_ros.testing.witness import Shadow, Witness

TASK = TASKS[0].sentence
FAST = ("sim:=true", "speed:=max", "console:=false", "reward:=ground_truth", "max_steps:=8")


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StackProcess]:
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    with free_domain() as domain:
        made = StackProcess(tmp_path / "run", [f"task:={TASK}", *FAST], {**os.environ, **domain})
        yield made
        made.end()


@pytest.mark.launch
@pytest.mark.slow
@pytest.mark.ros
@pytest.mark.timeout(700)
def test_nothing_is_lost_or_doubled_when_parts_of_the_stack_are_killed(
    stack: StackProcess, tmp_path: Path
) -> None:
    witness = Witness(stack.run_dir, PlanConfig(TASK))
    targets = ("recorder_node", "session_node", "reward_node")
    numbers = iter(range(len(targets)))
    rows = list(
        kills(stack, witness, numbers, seed=3, targets=targets, spread_s=2.0, patience_s=240.0)
    )
    assert [row.wrong for row in rows] == [()] * len(targets)
    assert {row.victim for row in rows} == set(targets)

    stack.kill(ALL)
    wait_until(lambda: not processes_of(stack.run_dir), 120.0)
    assert witness.look(stack.killed) == []
    stack.launch(f"episodes:={max(witness.episodes + 1, 12)}")
    assert stack.wait(300.0) == 0, stack.lines[-30:]
    assert witness.look(stack.killed) == []
    assert witness.unanswered() == []
    (tmp_path / "anew").mkdir()
    shadow = Shadow(stack.run_dir, tmp_path / "anew")
    assert shadow.compare() == []
    assert shadow.updates > 0


def test_everything_has_its_turn_before_it_is_killed_again() -> None:
    plan = [schedule(5, number) for number in range(3 * len(TARGETS))]
    for turn in range(3):
        part = plan[turn * len(TARGETS) : (turn + 1) * len(TARGETS)]
        assert {victim for victim, _ in part} == set(TARGETS)
    assert all(0 <= moment < 1 for _, moment in plan)
    assert plan != [schedule(6, number) for number in range(3 * len(TARGETS))]
