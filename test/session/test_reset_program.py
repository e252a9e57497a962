# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A program lays out the scene: a real process, its deadline, its end on request."""

import queue
import sys
import threading
from pathlib import Path

import pytest

from roboreward_ros.clock import SystemClock
from roboreward_ros.errors import ConfigError
from roboreward_ros.session import events as ev
from roboreward_ros.session.events import Phase
from roboreward_ros.session.machine import MachineConfig, SessionMachine
from roboreward_ros.session.plan import PlanConfig
from roboreward_ros.session.reset_program import ResetProgram, ResetProgramConfig

PLAN = PlanConfig("open the $(drawer); `now`", episodes=3)
FIRST = PLAN.episode(0)
LIMIT_S = 60.0


def python(code: str) -> str:
    return f'{sys.executable} -c "{code}"'


def started(command: str, limit_s: float = LIMIT_S, grace_s: float = 5.0):
    answers = queue.Queue()
    config = ResetProgramConfig(command, limit_s, grace_s)
    program = ResetProgram(config, SystemClock(), lambda *told: answers.put(told))
    program.start(FIRST)
    return program, lambda: answers.get(timeout=LIMIT_S)


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # before the file is opened, or after
        return False


def test_the_program_learns_of_the_episode_and_its_exit_code_says_ready(tmp_path):
    out = tmp_path / "out"
    code = (
        "import os;open(r'"
        + str(out)
        + "','w').write('|'.join(os.environ['ROBOREWARD_'+n] for n in ('TASK','EPISODE','SEED')))"
    )
    _, answer = started(python(code))
    assert answer() == ("ep_000000", "", False)
    assert out.read_text() == "open the $(drawer); `now`|ep_000000|0"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (python("import sys;print('a');sys.exit('the gripper is stuck')"), "the gripper is stuck"),
        (python("import os;os._exit(3)"), "exit code 3"),
        ("/nowhere/reset", "/nowhere/reset"),
    ],
)
def test_a_program_that_fails_says_why(command, words):
    _, answer = started(command)
    name, problem, stopped = answer()
    assert (name, stopped) == ("ep_000000", False)
    assert words in problem


def test_one_that_takes_too_long_is_ended_though_it_does_not_listen(tmp_path):
    pid = tmp_path / "pid"
    # A shell, since an interpreter may take longer than that to start.
    deaf = f"/bin/sh -c \"trap '' TERM; echo $$ > '{pid}'; while :; do sleep 0.1; done\""
    _, answer = started(deaf, limit_s=2.0, grace_s=0.2)
    assert answer() == ("ep_000000", "not done within 2 s", False)
    assert not alive(int(pid.read_text()))


def test_one_that_is_not_wanted_any_more_is_ended_and_answers_once():
    program, answer = started(python("import time;time.sleep(600)"))
    assert not program.abort("ep_000001")
    assert program.abort("ep_000000")
    assert answer() == ("ep_000000", "stopped", True)
    assert not program.abort("ep_000000")  # whoever moves the arm answers now
    program.start(FIRST)
    assert program.abort("ep_000000")
    assert answer()[2]


def test_after_the_sessions_end_nothing_runs_and_nobody_is_told():
    told = []
    config = ResetProgramConfig(python("import time;time.sleep(600)"))
    program = ResetProgram(config, SystemClock(), lambda *answer: told.append(answer))
    program.start(FIRST)
    program.close()
    program.close()
    assert told == []
    assert "reset program" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("values", [("a 'b",), ("a", 0.0), ("a", 1e9), ("a", 1.0, 0.0)])
def test_a_command_or_time_that_is_none_is_refused(values):
    with pytest.raises(ConfigError, match="reset"):
        ResetProgramConfig(*values)


def machine(confirm):
    config = MachineConfig(
        auto_reset=False, reset_program=True, confirm_reset=confirm, max_retries=1
    )
    return SessionMachine(config, PLAN)


def test_without_a_confirmation_the_arm_starts_when_the_program_is_done():
    m = machine(confirm=False)
    assert m.handle(ev.Start()) == [ev.LayOut(FIRST)]
    assert m.phase is Phase.RESETTING
    assert m.handle(ev.LaidOut("ep_000000")) == [ev.Reset(FIRST)]


def test_with_a_confirmation_the_arm_waits_for_it():
    m = machine(confirm=True)
    m.handle(ev.Start())
    assert m.handle(ev.LaidOut("ep_000000")) == []
    assert m.phase is Phase.WAIT_RESET
    assert "is the scene ready" in m.message
    assert m.handle(ev.ConfirmReset()) == [ev.Reset(FIRST)]


def test_a_failed_program_asks_the_operator_or_is_tried_again_and_then_gives_up():
    m = machine(confirm=True)
    m.handle(ev.Start())
    m.handle(ev.LaidOut("ep_000000", "jammed"))
    assert m.phase is Phase.WAIT_RESET
    assert "the reset program failed (jammed): lay out the scene" in m.message
    m = machine(confirm=False)
    m.handle(ev.Start())
    assert m.handle(ev.LaidOut("ep_000000", "jammed")) == [ev.RetryIn(1.0, 1)]
    assert m.handle(ev.RetryDue(1)) == [ev.LayOut(FIRST)]
    assert isinstance(m.handle(ev.LaidOut("ep_000000", "jammed"))[0], ev.GiveUp)
    assert (m.phase, m.committed) == (Phase.FAULT, 0)


def test_a_hold_drops_the_program_and_a_late_answer_moves_nothing():
    m = machine(confirm=False)
    m.handle(ev.Start())
    assert m.handle(ev.Hold()) == [ev.Abort("ep_000000")]
    assert m.handle(ev.LaidOut("ep_000000")) == []
    assert m.handle(ev.Aborted("ep_000000")) == []
    assert m.phase is Phase.PAUSED
    assert m.handle(ev.LaidOut("ep_000000")) == []
    assert m.handle(ev.Start()) == [ev.LayOut(FIRST)]
