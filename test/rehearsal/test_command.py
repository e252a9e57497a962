# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward rehearse``: which processes, what they are told, who is hit, and the exit code."""

import json
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from roboreward_ros.cli import rehearse
from roboreward_ros.cli.main import main
from roboreward_ros.cli.rehearse import RESULT_FILE, Theatre, free_folder
from roboreward_ros.cli.rehearse_stack import Plan, rehearsal_stack
from roboreward_ros.clock import FakeClock, SystemClock
from roboreward_ros.episodes.ledger import ledger_path
from roboreward_ros.errors import StackError, StoreError
from roboreward_ros.rehearsal.faults import Fault, FaultKind
from roboreward_ros.rehearsal.notes import Note, NoteBook, NoteKind, NoteReader
from roboreward_ros.rehearsal.recording import StoredRecording

GIVEN = {"policy": "demo", "reward": "human"}
WORDS = [f"{name}:={value}" for name, value in GIVEN.items()]


def plan(recorded, run_dir, **changes):
    values = {"episodes": 0, "script": None, "faults": None, "speed": "max", "given": GIVEN}
    return Plan(recorded, run_dir, **{**values, **changes})


def test_everything_is_as_recorded_but_for_the_arm_and_the_camera(recorded, tmp_path):
    stack = rehearsal_stack(plan(recorded, tmp_path / "out"), StoredRecording(recorded))
    names = [node.name for node in stack.nodes]
    assert names[0] == "player_node"
    assert not {"sim_node", "robot_node", "camera_node", "console_node"} & set(names)
    player = stack.node("player_node").parameters
    assert (player["recording"], player["speed"]) == (str(recorded), "max")
    assert type(player["latencies"]) is str, "parameters are written as YAML"
    session = stack.node("session_node").parameters
    assert (session["task"], session["max_steps"]) == ("put the mushroom on the cloth", 6)
    assert session["episodes"] == 3
    assert (session["auto_reset"], session["wait_for_learner"]) == (False, True)
    assert (session["stop_when_done"], session["exit_on_fault"]) == (False, False)
    assert stack.node("reward_node").parameters["source"] == "human"
    assert stack.environment["ROBOREWARD_DDS"] == "loopback"
    config = json.loads((tmp_path / "out" / "run.json").read_text())["config"]
    assert (config["sim"], config["reward"], config["seed"]) == (False, "human", 0)
    with pytest.raises(StoreError, match="holds a run already"):
        rehearsal_stack(plan(recorded, tmp_path / "out"), StoredRecording(recorded))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"policy": "/nowhere"}, r"no policy\.json"),
        ({**GIVEN, "task": "another"}, "task of a rehearsal"),
        ({**GIVEN, "reward": "phlogiston"}, "reward"),
    ],
)
def test_what_is_missing_is_said_before_anything_starts(recorded, tmp_path, given, said):
    with pytest.raises(StackError, match=said):
        rehearsal_stack(plan(recorded, tmp_path, given=given), StoredRecording(recorded))
    assert list(tmp_path.iterdir()) == []


class Quiet:
    """A display, and a supervisor of one process."""

    def __init__(self, pid=0):
        self.lines, self.pid, self.stopped = [], pid, 0

    def say(self, line):
        self.lines.append(line)

    def update(self, done, detail=""):
        self.lines.append(f"{done} {detail}")

    def pids(self):
        return {"reward_node": self.pid}

    def ask_stop(self):
        self.stopped += 1


@pytest.fixture
def victim():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def becomes(process, stopped):
    """Whether a process stands still, or goes on, within a while: signals take their time."""
    clock = SystemClock()
    due_ns = clock.steady_ns() + 60_000_000_000
    while clock.steady_ns() < due_ns:
        state = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        if (state == "T") == stopped:
            return True
        clock.sleep(0.01)
    return False


def test_processes_are_hit_where_the_player_says_and_go_on_when_it_is_time(
    recorded, tmp_path, victim
):
    stack = rehearsal_stack(plan(recorded, tmp_path / "out"), StoredRecording(recorded))
    faults = [
        Fault(FaultKind.STOP, node="reward_node", amount=2.0),
        Fault(FaultKind.KILL, node="reward_node"),
        Fault(FaultKind.KILL, node="policy_node"),
    ]
    clock, shown = FakeClock(), Quiet(victim.pid)
    theatre = Theatre(stack, faults, shown, 60.0, clock)
    theatre._supervisor = shown

    def hit(number):
        theatre._take(Note(NoteKind.HIT, 0, 0, 0, "", number), clock.steady_ns())

    hit(2)  # it is not there: nothing happens
    hit(0)
    assert becomes(victim, stopped=True)
    clock.advance(1.9)
    theatre._tick()
    assert becomes(victim, stopped=True)
    clock.advance(0.2)
    theatre._tick()
    assert becomes(victim, stopped=False)
    hit(1)
    assert victim.wait(60.0) == -signal.SIGKILL
    theatre._take(Note(NoteKind.OVER, 0, 0, 0, "ep_000000", 0), 0)
    assert shown.lines == ["1 ep_000000"]
    clock.advance(100.0)
    theatre._tick()
    assert shown.stopped == 1
    assert "nothing happened for 60 s" in shown.lines[-1]


def test_a_file_rots_while_its_reader_is_dead_and_what_its_successor_says_is_noted(
    recorded, tmp_path, victim
):
    out = tmp_path / "out"
    stack = rehearsal_stack(plan(recorded, out), StoredRecording(recorded))
    ledger = ledger_path(out)
    ledger.parent.mkdir(parents=True, exist_ok=True)
    ledger.write_text("a header\nand a line\n")
    theatre = Theatre(stack, [Fault(FaultKind.ROT_LEDGER)], Quiet(), 60.0)
    theatre._supervisor = Quiet(victim.pid)
    with closing(NoteBook(out)) as theatre._book:
        hear = theatre._hear(None)
        hear("reward_node", "WARN 2026-11-22 08:53:35.870 before")
        theatre._take(Note(NoteKind.HIT, 0, 0, 0, "", 0), 0)
        assert victim.wait(60.0) == -signal.SIGKILL
        hear("reward_node", "INFO 2026-11-22 08:53:35.870 ready")
        hear("reward_node", "ERROR 2026-11-22 08:53:35.870 line 2 is damaged")
        hear("recorder_node", "ERROR 2026-11-22 08:53:35.870 something else")
    assert [(note.kind, note.text) for note in NoteReader(out).new()] == [
        (NoteKind.PART, "rot_ledger: one bit of ledger/ledger.jsonl is changed"),
        (NoteKind.STRUCK, ""),
        (NoteKind.PART, "reward_node: line 2 is damaged"),
    ]


def test_a_process_that_was_started_again_is_counted(recorded, tmp_path):
    stack = rehearsal_stack(plan(recorded, tmp_path / "out"), StoredRecording(recorded))
    theatre = Theatre(stack, (), Quiet(), 60.0)
    hear = theatre._hear(None)
    for name in ("reward_node", "policy_node", "reward_node"):
        hear("launch", f"{name} started, pid 12")
    hear("reward_node", "reward_node started, pid 12")
    assert theatre.restarts == 1


def test_a_process_that_ended_is_told_and_noted_for_the_table(recorded, tmp_path):
    stack = rehearsal_stack(plan(recorded, tmp_path / "out"), StoredRecording(recorded))
    shown = Quiet()
    theatre = Theatre(stack, (), shown, 60.0)
    with closing(NoteBook(tmp_path / "out")) as theatre._book:
        line = "reward_node was killed by SIGKILL: starting it again in 0.5 s"
        theatre._hear(None)("launch", line)
        theatre._hear(None)("reward_node", line)
    assert shown.lines == [line]
    (noted,) = NoteReader(tmp_path / "out").new()
    assert (noted.kind, noted.text) == (NoteKind.PART, line)


@pytest.mark.parametrize(
    ("taken", "expect", "code"),
    [((), [], 0), (("ep_000001",), [], 1), (("ep_000001",), ["missing<=1"], 0)],
)
def test_the_exit_code_says_whether_it_was_as_expected(
    recorded, tmp_path, monkeypatch, capsys, taken, expect, code
):
    def play(self, sink):
        """What a perfect rehearsal leaves; without some episodes."""
        out = Path(self._stack.arguments.run_dir)
        shutil.copytree(recorded, out, dirs_exist_ok=True)
        for name in taken:
            shutil.rmtree(out / "episodes" / name)

    monkeypatch.setattr(rehearse.Theatre, "run", play)
    words = ["rehearse", str(recorded), *WORDS, "--out", str(tmp_path / "out")]
    for text in expect:
        words += ["--expect", text]
    assert main(words) == code
    said = capsys.readouterr().out
    assert ("as expected" in said.splitlines()[-1]) or code
    assert ("not as expected: missing is 1" in said) == bool(code)
    result = json.loads((tmp_path / "out" / RESULT_FILE).read_text())
    assert result["figures"]["missing"] == len(taken)
    assert len(result["episodes"]) == 3


@pytest.mark.parametrize(
    "words", [["--expect", "luck>=1"], ["--faults", "none.yaml"], ["--script", "none.yaml"]]
)
def test_what_makes_no_sense_is_refused_before_anything_starts(recorded, words, capsys):
    assert main(["rehearse", str(recorded), *words]) == 2
    assert "rehearse: " in capsys.readouterr().err


def test_a_rehearsal_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = free_folder(Path("somewhere/monday"))
    assert first == Path("runs/rehearsals/monday_001")
    first.mkdir(parents=True)
    assert free_folder(Path("monday")).name == "monday_002"
