# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The supervisor with real, tiny processes."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from roboreward_ros.cli.supervisor import ChildSpec, StopPatience, Supervisor
from roboreward_ros.clock import SystemClock
from roboreward_ros.errors import StackError
from roboreward_ros.restarts import RestartPolicy
from roboreward_ros.stack import REFUSED_EXIT_CODE

LIMIT_S = 60.0
FAST = RestartPolicy(limit=3, window_s=60.0, backoff_s=(0.05, 0.1))
# Says READY, then waits for SIGINT, whose arrival it reports.
PATIENT = "trap 'echo INT $0; exit 0' INT; echo READY; while :; do sleep 0.02; done"
STUBBORN = "trap '' INT TERM; echo READY; while :; do sleep 0.02; done"


class Lines:
    """Collects (name, line), a ``slow`` one after a while, and lets a test wait for one."""

    def __init__(self, slow: str = "") -> None:
        self.all: list[tuple[str, str]] = []
        self._slow = slow
        self._changed = threading.Condition()

    def __call__(self, name: str, line: str) -> None:
        if line == self._slow:
            SystemClock().sleep(0.2)
        with self._changed:
            self.all.append((name, line))
            self._changed.notify_all()

    def wait_for(self, fits: Callable[[list[tuple[str, str]]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: fits(self.all), LIMIT_S), self.all

    def count(self, text: str) -> int:
        return sum(text in line for _, line in self.all)


class Run:
    """A supervisor in a thread of its own."""

    def __init__(
        self, tmp_path: Path, *children: ChildSpec, slow_line: str = "", **options: object
    ) -> None:
        self.lines = Lines(slow_line)
        self.log_dir = tmp_path / "logs"
        self.supervisor = Supervisor(
            children,
            environment=dict(os.environ),
            log_dir=self.log_dir,
            sink=self.lines,
            restart=FAST,
            patience=StopPatience(interrupt_s=LIMIT_S, terminate_s=0.2, kill_s=LIMIT_S),
            **options,  # type: ignore[arg-type]
        )
        self.code: int | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self.code = self.supervisor.run()

    def wait(self) -> int | None:
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive(), self.lines.all
        return self.code

    def wait_ready(self, number: int) -> None:
        self.lines.wait_for(lambda _: self.lines.count("READY") >= number)


def sh(name: str, script: str, **options: object) -> ChildSpec:
    return ChildSpec(name, ("/bin/sh", "-c", script, name), **options)  # type: ignore[arg-type]


def gone(pid: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):  # before the file is opened, or after
        return True


def wait_until(fits: Callable[[], bool]) -> None:
    clock = SystemClock()
    end_ns = clock.steady_ns() + int(LIMIT_S * 1e9)
    while not fits():
        assert clock.steady_ns() < end_ns
        clock.sleep(0.01)


def test_the_end_of_the_session_ends_the_rest_with_code_0(tmp_path: Path) -> None:
    session = sh("session_node", "echo bye", done_on_exit_zero=True)
    run = Run(tmp_path, sh("sim_node", PATIENT), session)
    assert run.wait() == 0
    assert run.supervisor.pids() == {}


def test_lines_are_prefixed_and_kept_in_a_log_of_each_node(tmp_path: Path) -> None:
    run = Run(tmp_path, sh("session_node", "echo one; echo two >&2", done_on_exit_zero=True))
    run.wait()
    assert [line for name, line in run.lines.all if name == "session_node"] == ["one", "two"]
    assert (run.log_dir / "session_node.log").read_text() == "one\ntwo\n"


def test_a_killed_node_is_started_again(tmp_path: Path) -> None:
    run = Run(tmp_path, sh("learner_node", PATIENT))
    run.wait_ready(1)
    first = run.supervisor.pids()["learner_node"]
    os.kill(first, signal.SIGKILL)
    run.wait_ready(2)
    assert run.supervisor.pids()["learner_node"] != first
    assert run.lines.count("killed by SIGKILL") == 1
    run.supervisor.ask_stop()
    assert run.wait() == 0


def test_what_a_dead_node_left_behind_is_killed(tmp_path: Path) -> None:
    script = "sleep 300 & echo worker $!; echo READY; wait"
    run = Run(tmp_path, sh("reward_node", script))
    run.wait_ready(1)
    worker = int(next(line.split()[1] for _, line in run.lines.all if line.startswith("worker")))
    os.kill(run.supervisor.pids()["reward_node"], signal.SIGKILL)
    run.wait_ready(2)
    wait_until(lambda: gone(worker))
    run.supervisor.ask_stop()
    run.wait()


def test_a_node_that_keeps_dying_stays_down_and_the_rest_goes_on(tmp_path: Path) -> None:
    run = Run(tmp_path, sh("learner_node", "echo try; exit 7"), sh("sim_node", PATIENT))
    run.lines.wait_for(lambda _: run.lines.count("the session pauses") == 1)
    assert run.lines.count("stays down") == 1
    assert run.lines.count("try") == 1 + FAST.limit
    assert run.lines.count("ended with code 7") == 2 + FAST.limit - 1
    assert "sim_node" in run.supervisor.pids()
    run.supervisor.ask_stop()
    assert run.wait() == 0


def test_what_a_node_said_last_stands_before_what_is_said_of_its_end(tmp_path: Path) -> None:
    run = Run(tmp_path, sh("learner_node", "echo last words; exit 7"), slow_line="last words")
    run.lines.wait_for(lambda _: run.lines.count("the session pauses") == 1)
    said = [line for _, line in run.lines.all if line == "last words" or "ended with" in line]
    assert said[::2] == ["last words"] * (1 + FAST.limit)
    run.supervisor.ask_stop()
    assert run.wait() == 0


def test_an_unattended_run_ends_with_1_when_a_node_stays_down(tmp_path: Path) -> None:
    dying = sh("learner_node", "exit 7")
    run = Run(tmp_path, dying, sh("sim_node", PATIENT), stop_on_give_up=True)
    assert run.wait() == 1


def test_a_session_that_cannot_be_kept_running_ends_the_stack(tmp_path: Path) -> None:
    why: list[tuple[str, int]] = []
    sleeper = sh("health_node", PATIENT)
    session = sh("session_node", "exit 1", done_on_exit_zero=True)
    run = Run(
        tmp_path,
        sleeper,
        session,
        on_failure=lambda reason: why.append((reason, len(run.supervisor.pids()))),
    )
    assert run.wait() == 1
    assert why == [("session_node died 4 times", 1)], "told before the rest is stopped"


@pytest.mark.parametrize("script", ["exit 0", PATIENT])
def test_an_end_that_was_asked_for_is_no_failure(tmp_path: Path, script: str) -> None:
    why: list[str] = []
    session = sh("session_node", script, done_on_exit_zero=True)
    run = Run(tmp_path, session, on_failure=why.append)
    if script == PATIENT:
        run.wait_ready(1)
        run.supervisor.ask_stop()
    assert run.wait() == 0
    assert why == []


def test_a_refused_configuration_is_not_tried_again(tmp_path: Path) -> None:
    refusing = sh("policy_node", f"echo try; exit {REFUSED_EXIT_CODE}")
    why: list[str] = []
    run = Run(tmp_path, refusing, sh("sim_node", PATIENT), on_failure=why.append)
    assert run.wait() == REFUSED_EXIT_CODE
    assert why == ["policy_node refused its configuration"]
    assert run.lines.count("try") == 1
    assert run.lines.count("policy_node.log") == 1


def test_nodes_are_interrupted_stage_by_stage(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        sh("sim_node", PATIENT, stop_stage=2),
        sh("session_node", PATIENT, stop_stage=0),
        sh("policy_node", PATIENT, stop_stage=1),
    )
    run.wait_ready(3)
    run.supervisor.ask_stop()
    assert run.wait() == 0
    order = [line for _, line in run.lines.all if line.startswith("INT")]
    assert order == ["INT session_node", "INT policy_node", "INT sim_node"]


def test_a_node_that_ignores_signals_is_killed(tmp_path: Path) -> None:
    run = Run(tmp_path, sh("reward_node", STUBBORN))
    run.supervisor._patience = StopPatience(0.1, 0.1, LIMIT_S)
    run.wait_ready(1)
    pid = run.supervisor.pids()["reward_node"]
    run.supervisor.ask_stop()
    assert run.wait() == 0
    assert gone(pid)
    assert run.lines.count("killing it") == 1


def test_asking_twice_kills_at_once(tmp_path: Path) -> None:
    run = Run(tmp_path, sh("reward_node", STUBBORN))
    run.supervisor._patience = StopPatience(3600.0, 3600.0, LIMIT_S)
    run.wait_ready(1)
    run.supervisor.ask_stop()
    run.lines.wait_for(lambda _: run.lines.count("stopping") == 1)
    run.supervisor.ask_stop()
    assert run.wait() == 0


def test_asking_again_while_the_first_signal_goes_out_kills_at_once(tmp_path: Path) -> None:
    run = Run(tmp_path, sh("reward_node", STUBBORN))
    run.supervisor._patience = StopPatience(3600.0, 3600.0, LIMIT_S)
    run.wait_ready(1)
    (child,) = run.supervisor._children
    assert child.process is not None
    send = child.process.send_signal

    def send_and_ask_again(number: int) -> None:
        send(number)
        run.supervisor.ask_stop()

    child.process.send_signal = send_and_ask_again  # type: ignore[method-assign]
    run.supervisor.ask_stop()
    assert run.wait() == 0


def test_children_lead_their_own_group_in_the_launchers_session(tmp_path: Path) -> None:
    run = Run(tmp_path, sh("sim_node", PATIENT))
    run.wait_ready(1)
    pid = run.supervisor.pids()["sim_node"]
    assert os.getpgid(pid) == pid
    assert os.getsid(pid) == os.getsid(0)
    run.supervisor.ask_stop()
    run.wait()


def test_a_missing_program_stops_what_was_started(tmp_path: Path) -> None:
    lines = Lines()
    supervisor = Supervisor(
        [sh("sim_node", PATIENT), ChildSpec("ghost_node", ("/nowhere/ghost_node",))],
        environment=dict(os.environ),
        log_dir=tmp_path / "logs",
        sink=lines,
        restart=FAST,
    )
    with pytest.raises(StackError, match="ghost_node cannot be started"):
        supervisor.run()
    assert supervisor.pids() == {}


MAIN = """
import os, sys
from pathlib import Path
from roboreward_ros.cli.launch import ConsoleSink, signals_to
from roboreward_ros.cli.supervisor import ChildSpec, Supervisor
from roboreward_ros.restarts import RestartPolicy

child = ChildSpec("sim_node", ("/bin/sh", "-c", sys.argv[2], "sim_node"))
supervisor = Supervisor(
    [child], environment=dict(os.environ), log_dir=Path(sys.argv[1]), sink=ConsoleSink(),
    restart=RestartPolicy(),
)
with signals_to(supervisor.ask_stop):
    sys.exit(supervisor.run())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_nodes_and_exits_0(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, str(tmp_path), PATIENT],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.strip())
        if line.strip() == "[sim_node] READY":
            process.send_signal(number)
    assert process.wait(LIMIT_S) == 0
    assert "[sim_node] INT sim_node" in lines
