# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a process that dies to a person who is called: real processes, a real program as hook."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray

from roboreward_ros.cli.launch import run_stack
from roboreward_ros.clock import SystemClock
from roboreward_ros.restarts import RestartPolicy
from roboreward_ros.ros.diagnostics import health_from_msg
from roboreward_ros.ros.qos import LATCHED
from roboreward_ros.stack import NodeProcess, Stack, StackArguments
from roboreward_ros.types import HealthLevel, HealthView

if TYPE_CHECKING:
    from conftest import Ros

pytestmark = [pytest.mark.ros, pytest.mark.timeout(400)]
LIMIT_S = 120.0
HOOK = """\
import os, pathlib, sys
out, broken = map(pathlib.Path, sys.argv[1:])
if broken.exists():
    raise SystemExit("the network is away")
with out.open("a") as file:
    file.write(os.environ["ROBOREWARD_PAGE"] + chr(10) + "---" + chr(10))
"""
SESSION = """\
import pathlib, time
go = pathlib.Path(__file__).with_name("go")
while not go.exists():
    time.sleep(0.02)
raise SystemExit(int(go.read_text()))
"""
LAUNCHER = """\
import subprocess, sys
child = subprocess.Popen(sys.argv[1:])
print("pid", child.pid, flush=True)
child.wait()
"""


@contextmanager
def started(
    environment: dict[str, str], node: str, *parameters: str, wrapper: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A node in a process of its own, once it takes work."""
    words = [word for parameter in parameters for word in ("-p", parameter)]
    command = [sys.executable, "-m", f"roboreward_ros.nodes.{node}", "--ros-args", *words]
    process = subprocess.Popen(
        [*wrapper, *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Read lines up to one with ``text``; returns it. The test's time-out bounds it."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return line
    raise AssertionError((text, lines))


def wait_until(fits: Callable[[], bool], what: str) -> None:
    clock = SystemClock()
    end_ns = clock.steady_ns() + round(LIMIT_S * 1e9)
    while not fits():
        assert clock.steady_ns() < end_ns, what
        clock.sleep(0.05)


@pytest.fixture
def health(tmp_path: Path) -> tuple[str, ...]:
    """Parameters of a health_node that calls by writing into ``called``, unless ``broken``."""
    (tmp_path / "hook.py").write_text(HOOK)
    hook = f"{sys.executable} {tmp_path / 'hook.py'} {tmp_path / 'called'} {tmp_path / 'broken'}"
    return (
        f"run_dir:={tmp_path / 'night'}",
        f'page_command:="{hook}"',
        "page_every_s:=0.5",
        "rise_s:=0.0",
        "clear_s:=0.0",
        "silent_s:=3.0",
        "exit_with_launcher:=true",
    )


def test_a_node_that_dies_is_told_to_a_person_although_the_network_was_away(
    ros: "Ros", node_environment: dict[str, str], health: tuple[str, ...], tmp_path: Path
) -> None:
    called, broken = tmp_path / "called", tmp_path / "broken"
    broken.touch()
    views: list[HealthView] = []
    ros.node().create_subscription(
        DiagnosticArray, "health", lambda m: views.append(health_from_msg(m)), LATCHED
    )

    def reasons() -> str:
        return "\n".join(f"{it.level.name} {it.name}: {it.what}" for it in views[-1].reasons)

    run_dir = f"run_dir:={tmp_path / 'night'}"
    with (
        started(node_environment, "health_node", *health),
        started(node_environment, "recorder_node", run_dir) as recorder,
    ):
        well = HealthLevel.OK
        ros.spin_until(lambda: views and views[-1].level is well, "the recorder is heard")
        recorder.send_signal(signal.SIGKILL)
        failed = "ERROR health_node: pager command: a page did not get out"
        ros.spin_until(lambda: failed in reasons(), "the page that did not get out")
        assert "STALE recorder_node: recorder: silent" in reasons()
        assert not called.exists()
        broken.unlink()
        ros.spin_until(lambda: failed not in reasons(), "a page that did")
    first = called.read_text().partition("---")[0]
    assert first.startswith("night: ")
    assert "STALE recorder_node: recorder: silent" in first
    assert failed in first


def test_the_death_of_the_launcher_is_told_and_a_stop_is_not(
    node_environment: dict[str, str], health: tuple[str, ...], tmp_path: Path
) -> None:
    called = tmp_path / "called"
    launcher = (sys.executable, "-c", LAUNCHER)
    with started(node_environment, "health_node", *health, wrapper=launcher) as process:
        pid = int(read_until(process, "pid").split()[1])
        read_until(process, "ready")
        os.kill(pid, signal.SIGINT)
        assert process.wait(LIMIT_S) == 0
    assert not called.exists()

    with started(node_environment, "health_node", *health, wrapper=launcher) as process:
        read_until(process, "ready")
        process.kill()
        wait_until(lambda: called.exists() and "---" in called.read_text(), "the last page")
    assert f"ERROR launch: the launcher (process {process.pid}) is gone" in called.read_text()


ENDS = [("1", "session_node died 2 times"), ("2", "session_node refused its configuration")]


@pytest.mark.parametrize(("ending", "told"), [*ENDS, ("0", ""), ("Ctrl-C", "")])
def test_a_launch_that_gives_up_is_told_and_one_that_was_ended_is_not(
    node_environment: dict[str, str],
    health: tuple[str, ...],
    tmp_path: Path,
    ending: str,
    told: str,
) -> None:
    (tmp_path / "departing.py").write_text(SESSION)
    values = {
        name: yaml.safe_load(value) for name, value in (word.split(":=", 1) for word in health)
    }
    run_dir = tmp_path / "night"
    run_dir.mkdir()
    stack = Stack(
        StackArguments(sim=True, run_dir=str(run_dir)),
        (
            NodeProcess("health_node", "roboreward_ros.nodes.health_node", "", values, ""),
            NodeProcess("session_node", "departing", "", {}, "", shutdown_on_exit_zero=True),
        ),
        {},
        RestartPolicy(limit=1, backoff_s=(0.02,)),
    )

    def go(name: str, line: str) -> None:
        if name != "health_node" or not line.endswith(" ready"):
            return
        if ending == "Ctrl-C":
            os.kill(os.getpid(), signal.SIGINT)
        else:
            (tmp_path / "go").write_text(ending)

    search = f"{tmp_path}:{node_environment.get('PYTHONPATH', '')}"
    code = run_stack(stack, sink=go, environment={**node_environment, "PYTHONPATH": search})
    assert code == (0 if ending == "Ctrl-C" else int(ending))
    called = tmp_path / "called"
    pages = called.read_text().split("---\n")[:-1] if called.exists() else []
    mine = [page for page in pages if "ERROR launch" in page]
    assert len(mine) == bool(told)
    if told:
        assert f"night: ERROR launch: session ended by the launch: {told}, and" in mine[0]
