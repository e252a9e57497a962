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
    SUPERVISOR,
    WORKER,
    StackProcess,
    console_words,
    kills,
    schedule,
    targets_of,
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
    targets = ("policy_node", "session_node", "reward_node")  # others: launch/test_whole_stack
    numbers = iter(range(len(targets)))
    rows = list(
        kills(stack, witness, numbers, seed=3, targets=targets, spread_s=2.0, patience_s=240.0)
    )
    assert [row.wrong for row in rows] == [()] * len(targets)
    assert {row.victim for row in rows} == set(targets)

    stack.kill(ALL)
    wait_until(lambda: not stack.processes(), 120.0)
    assert witness.look(stack.killed) == []
    stack.launch(f"episodes:={max(witness.episodes + 1, 12)}")
    assert stack.wait(300.0) == 0, stack.lines[-30:]
    assert witness.look(stack.killed) == []
    assert witness.unanswered() == []
    (tmp_path / "anew").mkdir()
    shadow = Shadow(stack.run_dir, tmp_path / "anew")
    assert shadow.compare() == []
    assert shadow.updates > 0


def test_all_that_runs_is_a_target(tmp_path: Path) -> None:
    nodes = {"sim_node", "recorder_node", "policy_node", "reward_node", "learner_node"}
    nodes |= {"session_node", SUPERVISOR, ALL}
    assert set(targets_of([*FAST, f"task:={TASK}"])) == nodes
    console = console_words(tmp_path)
    assert (tmp_path / "console_token").stat().st_mode & 0o077 == 0
    words = ("sim:=true", "speed:=realtime", f"task:={TASK}", *console)
    assert set(targets_of(words)) == nodes | {"console_node", "health_node", WORKER}


def test_everything_has_its_turn_before_it_is_killed_again() -> None:
    targets = ("sim_node", "policy_node", WORKER, SUPERVISOR, ALL)
    plan = [schedule(5, number, targets) for number in range(3 * len(targets))]
    for turn in range(3):
        part = plan[turn * len(targets) : (turn + 1) * len(targets)]
        assert {victim for victim, _ in part} == set(targets)
    assert all(0 <= moment < 1 for _, moment in plan)
    assert plan != [schedule(6, number, targets) for number in range(3 * len(targets))]
