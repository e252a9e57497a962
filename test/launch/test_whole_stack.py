# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The whole stack as processes on the twin: it runs, heals, stops and leaves nothing behind."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roboreward_ros.cli.domain import free_domain
from roboreward_ros.clock import SystemClock
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.session.plan import PlanConfig
from roboreward_ros.sim.tasks import TASKS
from roboreward_ros.testing.kills import WORKER, console_words
from roboreward_ros.testing.vitals import stack_vitals
from roboreward_ros.testing.witness import Witness

pytestmark = [pytest.mark.launch, pytest.mark.slow, pytest.mark.ros, pytest.mark.timeout(900)]
LIMIT_S = 400.0
"""Bound of every wait; on two quiet cores none takes a fifth of it."""
LIGHT = ("reward:=ground_truth", "max_steps:=6")
"""For tests of processes, to which no score matters."""
COMMAND = (sys.executable, "-m", "roboreward_ros.cli.main")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    with free_domain() as domain:
        yield {**os.environ, **domain}


class Launched:
    """A launch whose lines are read as they come."""

    def __init__(self, environment: dict[str, str], *words: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip())
                self._changed.notify_all()

    def wait_for(self, pattern: str, count: int = 1) -> None:
        def there() -> bool:
            return sum(bool(re.search(pattern, line)) for line in self.lines) >= count

        with self._changed:
            assert self._changed.wait_for(there, LIMIT_S), (pattern, self.lines[-40:])

    def pid_of(self, node: str) -> int:
        found = [re.search(rf"{node} started, pid (\d+)", line) for line in self.lines]
        return int([match for match in found if match][-1].group(1))

    def wait(self) -> int:
        try:
            code = self.process.wait(LIMIT_S)
        finally:
            self.process.kill()
        self._reader.join(60.0)
        return code


def processes_of(run_dir: Path) -> list[str]:
    """Command lines that name the run's folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(run_dir) in words:
            found.append(words)
    return found


def wait_until(fits: Callable[[], bool]) -> None:
    clock = SystemClock()
    end_ns = clock.steady_ns() + int(LIMIT_S * 1e9)
    while not fits():
        assert clock.steady_ns() < end_ns
        clock.sleep(0.1)


def launch(environment: dict[str, str], run_dir: Path, *more: str) -> Launched:
    fixed = ("sim:=true", "speed:=max", "console:=false", f"run_dir:={run_dir}")
    given = {word.partition(":=")[0]: word for word in (*fixed, *more)}
    return Launched(environment, "launch", "dsrl_widowx", *given.values())


def test_a_launch_ends_by_itself_with_its_episodes_on_disk(
    environment: dict[str, str], tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    launched = launch(environment, run_dir, "episodes:=2", "max_steps:=12")
    wait_until(lambda: (run_dir / "episodes" / "ep_000000").is_dir())
    (worker,) = [it.pid for it in stack_vitals(launched.process.pid) if it.name == WORKER]
    os.kill(worker, signal.SIGKILL)
    assert launched.wait() == 0, launched.lines[-40:]
    store = EpisodeStore(run_dir)
    assert list(store.ids()) == ["ep_000000", "ep_000001"]
    assert all(episode.summary.complete and episode.summary.n_steps == 12 for episode in store)
    wait_until(lambda: processes_of(run_dir) == [])
    assert (run_dir / "logs" / "session_node.log").stat().st_size > 0

    again = launch(environment, run_dir, "episodes:=3", "max_steps:=12")
    assert again.wait() == 0, again.lines[-40:]
    assert list(EpisodeStore(run_dir).ids())[-1] == "ep_000002"
    witness = Witness(run_dir, PlanConfig(TASKS[0].sentence))
    assert witness.look() == []
    assert witness.unanswered() == [], "the reward's process was killed; each has one score"


def test_a_killed_node_comes_back_and_ctrl_c_leaves_nothing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    launched = launch(environment, run_dir, *LIGHT, *console_words(tmp_path))
    wait_until(lambda: (run_dir / "episodes" / "ep_000000").is_dir())

    other = launch(environment, tmp_path / "other")
    assert other.wait() == 2
    assert any("occupied" in line for line in other.lines), other.lines
    assert not (tmp_path / "other" / "episodes").exists()

    store = EpisodeStore(run_dir)
    victims = (("learner_node",), ("recorder_node", "console_node"), ("sim_node", "health_node"))
    for nodes in victims:  # the others: faults/test_kills
        for node in nodes:
            os.kill(launched.pid_of(node), signal.SIGKILL)
        for node in nodes:
            launched.wait_for(rf"{node} started", 2)
        for node in {"console_node", "health_node"} & set(nodes):
            launched.wait_for(rf"\[{node}\] .* ready$", 2)
        committed = len(store)
        wait_until(lambda n=committed: len(store) > n + 1)
    os.killpg(launched.process.pid, signal.SIGINT)
    assert launched.wait() == 0, launched.lines[-40:]
    wait_until(lambda: processes_of(run_dir) == [])
    assert [e.summary.meta.index for e in EpisodeStore(run_dir)] == list(range(len(store)))


def test_nodes_leave_when_their_launcher_is_killed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    launched = launch(environment, run_dir, *LIGHT)
    wait_until(lambda: (run_dir / "episodes" / "ep_000000").is_dir())
    assert len(processes_of(run_dir)) >= 7
    os.kill(launched.process.pid, signal.SIGKILL)
    launched.wait()
    wait_until(lambda: processes_of(run_dir) == [])


def test_the_real_arm_says_all_that_is_missing(environment: dict[str, str], tmp_path: Path) -> None:
    launched = Launched(environment, "launch", "dsrl_widowx", f"run_dir:={tmp_path / 'run'}")
    assert launched.wait() == 2
    text = "\n".join(launched.lines)
    assert all(part in text for part in ("driver:", "policy:", "weights:", "task:")), text


def test_a_quick_demo_ends_with_summary_and_page_and_resumes(
    environment: dict[str, str], tmp_path: Path
) -> None:
    run_dir = tmp_path / "demo"
    words = ("demo", "--quick", "--held-out", "2", "--run-dir", str(run_dir))
    demo = Launched(environment, *words)
    assert demo.wait() == 0, demo.lines[-40:]
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["labelled"] + summary["unlabelled"] == summary["episodes"] == 12
    assert summary["errors"] == 0
    assert summary["grad_steps"] > 0
    assert summary["policy_version"] > 0
    assert summary["success_n"] == 2
    assert summary["idle"]["motion_s"] > 0
    assert set(summary["arms"]) == {
        "base", "zero", "shrunk_0.25", "shrunk_0.5", "best_constant", "untrained", "steered",
        "steered_deterministic",
    }  # fmt: skip
    assert "data:image/png;base64" in (run_dir / "report.html").read_text()
    wait_until(lambda: processes_of(run_dir) == [])

    again = Launched(environment, *words)
    assert again.wait() == 0, again.lines[-40:]
    second = json.loads((run_dir / "summary.json").read_text())
    same = set(summary) - {"wall_s"}
    assert {key: second[key] for key in same} == {key: summary[key] for key in same}
