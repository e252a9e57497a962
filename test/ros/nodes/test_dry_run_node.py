# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The corners of the box, visited over the graph with robot_node on the fake arm."""

import json

import pytest

from roboreward_ros.nodes.dry_run_node import DryRunNode
from roboreward_ros.nodes.robot_node import RobotNode
from roboreward_ros.ros.dialogue import LEFT_EXIT_CODE
from roboreward_ros.ros.stop import StopSignal

LIMIT_S = 90.0


class Watcher:
    """The person beside the arm."""

    def __init__(self, free=lambda corner: "y", leave_at=9) -> None:
        self.free = free
        self.leave_at = leave_at
        self.corner = 0
        self.heard = []

    def say(self, line) -> None:
        self.heard.append(line)

    def ask(self, question) -> str:
        if "Enter goes" in question:
            self.corner += 1
            return "q" if self.corner == self.leave_at else ""
        return self.free(self.corner)

    def typed(self):
        return None


@pytest.fixture
def visit(ros, tmp_path):
    """Runs a whole dry run; returns exit code and what was kept."""
    arm = RobotNode(
        context=ros.context,
        parameters={"control_hz": 20.0, "workspace": "small", "run_dir": str(tmp_path)},
    )
    assert ros.add(arm).bring_up(), arm.failure

    def run(watcher):
        node = DryRunNode(
            terminal=watcher,
            context=ros.context,
            parameters={"workspace": "small", "step_m": 0.02, "run_dir": str(tmp_path)},
        )
        node.stop = StopSignal()
        assert ros.add(node).bring_up(), node.failure
        ros.spin_until(lambda: node.stop, f"the dry run; {watcher.heard[-3:]}", LIMIT_S)
        node.wind_down("done")
        kept = tmp_path / "workspace_check.json"
        return node.stop.code, json.loads(kept.read_text())["corners"] if kept.exists() else []

    yield run
    arm.wind_down("end of test")


def test_a_free_box_is_good(visit):
    watcher = Watcher()
    code, rows = visit(watcher)
    assert code == 0, watcher.heard
    assert len(rows) == 8
    assert all(row["reached"] and row["free"] and not row["stopped"] for row in rows)


def test_a_corner_that_is_not_free_and_a_person_who_leaves_are_told_by_the_code(visit):
    code, rows = visit(Watcher(free=lambda corner: "n" if corner == 2 else "y", leave_at=4))
    assert code == LEFT_EXIT_CODE
    assert [row["free"] for row in rows] == [True, False, True]


def test_enter_while_it_moves_makes_the_arm_hold(visit, monkeypatch):
    watcher = Watcher(leave_at=2)
    monkeypatch.setattr(DryRunNode, "_to_start", unheard(DryRunNode._to_start))
    watcher.typed = lambda: ""
    code, rows = visit(watcher)
    assert code == LEFT_EXIT_CODE
    assert rows[0]["stopped"]
    assert not rows[0]["reached"]


def unheard(to_start):
    """The way to the start pose without the person's Enter."""

    def go(node):
        typed, node._terminal.typed = node._terminal.typed, lambda: None
        to_start(node)
        node._terminal.typed = typed

    return go
