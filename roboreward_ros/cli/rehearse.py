# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward rehearse RECORDING``: a lab's own session as a test of everything but the arm."""

from __future__ import annotations

import argparse
import itertools
import os
import re
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path

from roboreward_ros.cli.domain import free_domain
from roboreward_ros.cli.launch import (
    LOG_FORMAT,
    ConsoleSink,
    child_of,
    run_dir_lock,
    signals_to,
    write_parameters,
)
from roboreward_ros.cli.progress import Display, make_display
from roboreward_ros.cli.rehearse_faults import with_faulty_disk, with_troubled_rewards, with_wire
from roboreward_ros.cli.rehearse_rot import require_rot, rot_file
from roboreward_ros.cli.rehearse_stack import Plan, rehearsal_stack
from roboreward_ros.cli.rehearse_view import show
from roboreward_ros.cli.run_files import write_json
from roboreward_ros.cli.supervisor import SUPERVISOR, LineSink, Supervisor
from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.rehearsal.bag import BagOptions
from roboreward_ros.rehearsal.compare import compare
from roboreward_ros.rehearsal.faults import ROT, Fault, FaultKind, load_faults
from roboreward_ros.rehearsal.latency import Latencies, coverage, reward_latencies
from roboreward_ros.rehearsal.notes import Note, NoteBook, NoteKind, NoteReader
from roboreward_ros.rehearsal.opening import open_recording, script_for
from roboreward_ros.rehearsal.verdict import (
    Expectation,
    causes,
    faulty_episodes,
    figures_of,
    judge,
)
from roboreward_ros.stack import Stack, parse_assignments

RESULT_FILE = "rehearsal.json"
PATIENCE_S = 600.0
LEAVE_S = 30.0
_STARTED = re.compile(r"(\w+) started, pid \d+")
_COMPLAINT = re.compile(r"(?!INFO|DEBUG)(?:(?:WARN|ERROR|FATAL) \S+ \S+ )?(.+)")
"""LOG_FORMAT, or a library's line without one."""
_TROUBLE = re.compile(r"starting it again|stays down|refused its configuration|does not stop")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "rehearse",
        help="play a recorded run through the real nodes",
        description="Plays a recorded run as the arm, the cameras and the operator; everything "
        "else is the real stack. Prints what came out otherwise; exit code 0 when every episode "
        "was rehearsed and nothing differs that no fault explains.",
    )
    parser.add_argument("recording", type=Path, metavar="RECORDING", help="run, or MCAP bag")
    parser.add_argument("--out", type=Path, help="run folder of the rehearsal; default: a new one")
    parser.add_argument("--episodes", type=int, default=0, help="only the first N")
    parser.add_argument("--faults", type=Path, help="YAML of what goes wrong")
    parser.add_argument("--script", type=Path, help="YAML of the operator's keys")
    parser.add_argument("--speed", choices=("max", "realtime"), default="max")
    parser.add_argument(
        "--latencies",
        choices=tuple(Latencies),
        default=Latencies.OWN,
        help="recorded: no decision and no reward comes sooner than it did",
    )
    parser.add_argument(
        "--expect",
        action="append",
        default=[],
        metavar="NAME<=N",
        help="a figure and its bound, such as 'action_mm<=2' or unlabelled=1; repeatable",
    )
    parser.add_argument("--patience", type=float, default=PATIENCE_S, help="longest silence, s")
    bag = parser.add_argument_group("a bag", "what an MCAP bag does not say itself")
    bag.add_argument("--task", default="", help="what was to be done, as a sentence")
    bag.add_argument("--image-topic", default="", help="of the policy's camera")
    bag.add_argument("--joint-topic", default="", help="of the arm, in a bag of another session")
    bag.add_argument("--robot", default="wx250s", help="profile of the bag's arm")
    bag.add_argument("--control-hz", type=float, default=5.0, help="rate to sample such a bag at")
    parser.add_argument("--verbose", action="store_true", help="print every line of every node")
    parser.add_argument(
        "assignments",
        nargs="*",
        default=[],
        metavar="name:=value",
        help="launch arguments over the recording's; right after RECORDING",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Rehearse; 0 as expected, 1 otherwise."""
    wanted = [Expectation.parse(text) for text in args.expect]
    faults = load_faults(args.faults) if args.faults else ()
    topics = (args.image_topic, args.joint_topic)
    bag = BagOptions(args.task, *topics, args.robot, args.control_hz)
    recording = open_recording(args.recording, args.episodes, bag)
    script_for(recording, str(args.script or ""))  # a bad one is to be said now
    plan = Plan(
        args.recording,
        (args.out or free_folder(args.recording)).expanduser().absolute(),
        args.episodes,
        args.script,
        args.faults,
        args.speed,
        parse_assignments(args.assignments),
        bag,
        Latencies(args.latencies),
    )
    late = reward_latencies(recording, faults, plan.latencies)
    with ExitStack() as opened:
        stack = rehearsal_stack(plan, recording)
        require_rot(stack, faults)
        stack = with_wire(stack, faults, plan.run_dir, opened)
        stack = with_troubled_rewards(stack, late, faults, plan.run_dir)
        display = opened.enter_context(closing(make_display()))
        display.stage("rehearsal", len(recording.names))
        for what, why in recording.left_out.items():
            display.say(f"not played: {what}: {why}")
        if plan.latencies is Latencies.RECORDED:
            display.say(coverage(recording))
        theatre = Theatre(stack, faults, display, args.patience)
        theatre.run(ConsoleSink() if args.verbose else None)
    deviations = compare(recording, plan.run_dir, real_time=args.speed == "realtime")
    notes = NoteReader(plan.run_dir).new()
    figures = figures_of(deviations, notes, theatre.restarts, faulty_episodes(faults, notes))
    problems = judge(figures, wanted)
    caused = causes(faults, notes, deviations)
    show(deviations, caused, figures, problems, plan.run_dir)
    content = {
        "recording": str(args.recording),
        "figures": asdict(figures),
        "problems": problems,
        "faults": [asdict(item) for item in caused],
        "episodes": [{**asdict(d), "different": d.different} for d in deviations],
    }
    write_json(plan.run_dir / RESULT_FILE, content)
    return int(bool(problems))


def free_folder(recording: Path) -> Path:
    """``runs/rehearsals/<name>_<n>`` with the first number that is free."""
    name = recording.expanduser().absolute().name
    folders = (Path("runs/rehearsals") / f"{name}_{n:03d}" for n in itertools.count(1))
    return next(folder for folder in folders if not folder.exists())


class Theatre:
    """The processes of a rehearsal, and the faults that hit them.

    Args:
        stack: what runs.
        faults: in the order of the fault file.
        display: shows the episodes.
        patience_s: nothing happens for so long: the rehearsal is broken off.
        clock: of the waits.
    """

    def __init__(
        self,
        stack: Stack,
        faults: Sequence[Fault],
        display: Display,
        patience_s: float,
        clock: Clock | None = None,
    ) -> None:
        self._stack = stack
        self._faults = faults
        self._display = display
        self._patience_ns = round(patience_s * 1e9)
        self._clock = clock or SystemClock()
        self._notes = NoteReader(Path(stack.arguments.run_dir))
        self._heard_ns = self._clock.steady_ns()
        self._starts: Counter[str] = Counter()
        self._stopped: list[tuple[int, int]] = []  # due, process
        self._done: set[str] = set()
        self._said = ""
        self._reading: set[str] = set()  # processes that find a damaged file
        self._book: NoteBook | None = None
        self._supervisor: Supervisor | None = None

    @property
    def restarts(self) -> int:
        """Processes that were started again."""
        return sum(count - 1 for count in self._starts.values())

    def run(self, sink: LineSink | None) -> int:
        """Until the script leaves the session, a signal, or silence; raises StackError."""
        run_dir = Path(self._stack.arguments.run_dir)
        log_dir = run_dir / "logs"
        with (
            run_dir_lock(run_dir),
            free_domain() as domain,
            closing(NoteBook(run_dir)) as self._book,
        ):
            nodes = [
                with_faulty_disk(child_of(n, write_parameters(n, log_dir)), self._faults, run_dir)
                for n in self._stack.nodes
            ]
            self._supervisor = Supervisor(
                nodes,
                environment={**LOG_FORMAT, **self._stack.environment, **os.environ, **domain},
                log_dir=log_dir,
                sink=self._hear(sink),
                restart=self._stack.restart,
                stop_on_give_up=True,
            )
            with signals_to(self._supervisor.ask_stop):
                return self._supervisor.run(self._tick)

    def _hear(self, sink: LineSink | None) -> LineSink:
        def hear(name: str, line: str) -> None:
            if name == SUPERVISOR and (found := _STARTED.match(line)):
                self._starts[found[1]] += 1
            elif name == SUPERVISOR and _TROUBLE.search(line):
                self._note(NoteKind.PART, line)
                self._display.say(line)
            elif name in self._reading and (found := _COMPLAINT.match(line)):
                self._note(NoteKind.PART, f"{name}: {found[1]}")
            if sink is not None:
                sink(name, line)

        return hear

    def _tick(self) -> None:
        assert self._supervisor is not None
        now_ns = self._clock.steady_ns()
        for note in self._notes.new():
            self._heard_ns = now_ns
            self._take(note, now_ns)
        for due_ns, pid in [item for item in self._stopped if item[0] <= now_ns]:
            self._stopped.remove((due_ns, pid))
            _signal(pid, signal.SIGCONT)
        if now_ns - self._heard_ns > self._patience_ns:
            self._heard_ns = now_ns
            self._display.say(f"nothing happened for {self._patience_ns / 1e9:g} s: stopping")
            self._supervisor.ask_stop()

    def _take(self, note: Note, now_ns: int) -> None:
        assert self._supervisor is not None
        if note.kind is NoteKind.OVER:
            self._done.add(note.text)
            self._display.update(len(self._done), note.text)
        if (
            note.kind is NoteKind.PHASE
            and note.text.startswith("FAULT")
            and note.text != self._said
        ):
            self._said = note.text
            self._display.say(note.text)
        if note.kind is NoteKind.HIT:
            self._hit(self._faults[note.number], now_ns)
            self._note(NoteKind.STRUCK, note.text, note.number)

    def _hit(self, fault: Fault, now_ns: int) -> None:
        assert self._supervisor is not None
        pid = self._supervisor.pids().get(fault.victim)
        if pid is None:
            return
        if fault.fault is FaultKind.STOP:
            _signal(pid, signal.SIGSTOP)
            self._stopped.append((now_ns + round(fault.size * 1e9), pid))
            return
        if fault.fault in ROT:
            self._reading.add(fault.victim)
            _end(pid, self._clock, leave_well=fault.fault is FaultKind.ROT_CHECKPOINT)
            self._note(NoteKind.PART, rot_file(fault.fault, Path(self._stack.arguments.run_dir)))
        else:
            _signal(pid, signal.SIGKILL)

    def _note(self, kind: NoteKind, text: str, number: int = -1) -> None:
        if self._book is not None:
            self._book.add(Note(kind, self._clock.now_ns(), -1, -1, text, number))


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended by itself


def _end(pid: int, clock: Clock, *, leave_well: bool) -> None:
    """End a child and wait for that, so that it writes no more; its supervisor still hears of it.

    Args:
        pid: of the process.
        clock: of the wait.
        leave_well: let it save what it has to save first.
    """
    if leave_well:
        _signal(pid, signal.SIGINT)
        end_ns = clock.steady_ns() + round(LEAVE_S * 1e9)
        look = os.WEXITED | os.WNOWAIT | os.WNOHANG
        while os.waitid(os.P_PID, pid, look) is None and clock.steady_ns() < end_ns:
            clock.sleep(0.05)
    _signal(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
