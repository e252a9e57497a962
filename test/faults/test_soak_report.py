# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hours of operation are judged by the stack's own slowness, and by the disk budget."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from roboreward_ros.testing.trends import Verdict

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    yield __import__("soak_hours"), __import__("soak_report")
    for name in ("soak_hours", "soak_report"):
        sys.modules.pop(name, None)


def looks_of(hours_module, step, reference, budget_mb=1000.0, disk=lambda t: min(990.0, 400 * t)):
    rng = np.random.default_rng(0)
    load = 1.0 + np.linspace(0.0, 2.0, 200)  # a machine that gets busier and busier
    return [
        hours_module.Look(
            sitting=0,
            wall_s=60.0 * k,
            hours=0.03 * k,
            episodes=k,
            processes={"sim_node": (100.0, 20, 10)},
            shm_mb=0.1,
            disk_mb={"episodes": disk(0.03 * k), "logs": 1.0},
            ros_log_mb=0.1,
            step_ms=(step(k, busy) * rng.normal(1.0, 0.05), 90.0),
            reference_ms=reference(busy) * rng.normal(1.0, 0.05),
            budget_mb=budget_mb,
        )
        for k, busy in enumerate(load)
    ]


def test_a_busy_machine_is_no_slow_stack_and_a_slow_stack_is_found(tools):
    hours, report = tools
    label = "step to step, multiple of the reference work"
    busy = looks_of(hours, lambda k, load: 30.0 * load, lambda load: 6.0 * load)
    assert report.judge(busy, 6.0)[label].verdict is Verdict.FLAT
    slow = looks_of(hours, lambda k, load: (30.0 + 0.1 * k) * load, lambda load: 6.0 * load)
    assert report.judge(slow, 6.0)[label].verdict is Verdict.GROWS
    old = [dataclasses.replace(look, reference_ms=float("nan")) for look in busy]
    assert report.judge(old, 6.0)["step to step, median, ms"].verdict is Verdict.GROWS
    assert "no reference" in report.step_words(old)


def test_the_disk_is_judged_by_the_budget(tools):
    hours, report = tools

    def words(**more):
        return report.disk_words(looks_of(hours, lambda k, b: 30.0, lambda b: 6.0, **more))

    assert "from the start, kept: at most 99 %" in words()
    assert "NOT kept" in words(disk=lambda t: 400 * t)
    assert "is not judged" in words(budget_mb=0.0)


def test_the_budget_reaches_the_recorder_alone(tools, monkeypatch):
    from roboreward_ros.stack import StackArguments, describe

    launch = __import__("soak_launch")
    stack = launch.with_budget(describe(StackArguments(sim=True)), 1.5)
    given = {node.name: node.parameters.get("disk_budget_gb") for node in stack.nodes}
    assert {name for name, value in given.items() if value is not None} == {"recorder_node"}
    assert given["recorder_node"] == 1.5
