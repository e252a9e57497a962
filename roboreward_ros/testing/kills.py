# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Kills parts of a running stack at seeded random moments and sees what comes back.

The stack is a process of its own (``roboreward launch``); nothing here talks to ROS.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from roboreward_ros.clock import SystemClock
from roboreward_ros.errors import StackError
from roboreward_ros.rewards.config import options_from_json
from roboreward_ros.rewards.registry import build
from roboreward_ros.stack import StackArguments, describe, parse_assignments
from roboreward_ros.testing.vitals import stack_vitals
from roboreward_ros.testing.witness import Shadow, Witness

ARM = "sim_node"
WORKER = "reward_node worker"
SUPERVISOR = "supervisor"
ALL = "all"
COMMAND = (sys.executable, "-m", "roboreward_ros.cli.main", "launch", "dsrl_widowx")
_PHASE = re.compile(r"^\[session_node\] .* ([A-Z_]{4,}): ")
_STARTED = re.compile(r"^\[launch\] \w+ started, pid (\d+)")
_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and what came of it.

    Attributes:
        number: counts from 0, over all sittings.
        victim: see ``targets_of``; ``all`` is every process of the stack at once.
        phase: what the session was doing.
        wait_s: from the last recovery to the kill, drawn at random.
        gone_s: from the supervisor's death until the last node had left; 0 for other victims.
        recovery_s: from the kill, or from the next launch, until the victim takes work again and
            another episode is committed.
        episodes: committed when it was looked at.
        wrong: what must not be; empty where all is well.
        updates: behind the learner's checkpoint that was compared to the bit; -1 where none was.
    """

    number: int
    victim: str
    phase: str
    wait_s: float
    gone_s: float
    recovery_s: float
    episodes: int
    wrong: tuple[str, ...] = ()
    updates: int = -1


def targets_of(words: Sequence[str]) -> tuple[str, ...]:
    """What can be killed of the stack that these launch arguments describe.

    Its nodes, the process of its reward source where that has one, the supervisor, everything.
    """
    stack = describe(StackArguments.from_strings(parse_assignments(words)))
    reward = stack.node("reward_node").parameters
    options = options_from_json(str(reward["source_options"]))
    source = build(str(reward["source"]), options)
    worker = (WORKER,) if source.spec.needs_child_process else ()
    source.close()
    return (*(node.name for node in stack.nodes), *worker, SUPERVISOR, ALL)


def console_words(folder: Path) -> tuple[str, str, str]:
    """Launch arguments for a console of this machine alone: a free port, a token in ``folder``."""
    token = folder / "console_token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_urlsafe())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return ("console:=true", f"console_port:={port}", f"console_token:={token}")


def schedule(seed: int, number: int, targets: Sequence[str]) -> tuple[str, float]:
    """Victim of kill ``number`` and where in a stretch of time it falls, 0..1.

    All have their turn before one comes again, so that no node uses up its restarts.
    """
    turn, place = divmod(number, len(targets))
    order = random.Random(f"{seed}/{turn}").sample(list(targets), len(targets))
    return order[place], random.Random(f"{seed}/moment/{number}").random()


def processes_of(run_dir: Path) -> list[int]:
    """Process ids whose command line names the run's folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(run_dir) in words and int(path.parent.name) != os.getpid():
            found.append(int(path.parent.name))
    return found


def _in_groups(groups: set[int]) -> list[int]:
    """Process ids of process groups, without those that ended and wait to be buried."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            text = path.read_text()  # the name in brackets may hold anything
            state, _, group, *_ = text[text.rindex(")") + 1 :].split()
            if int(group) in groups and state != "Z":
                found.append(int(path.parent.name))
    return found


def wait_until(fits: Callable[[], bool], limit_s: float) -> float:
    """Seconds until ``fits``; raises StackError after ``limit_s``."""
    start_ns = _CLOCK.steady_ns()
    while not fits():
        passed_s = (_CLOCK.steady_ns() - start_ns) / 1e9
        if passed_s > limit_s:
            raise StackError("it did not come back", got=f"nothing in {limit_s:g} s")
        _CLOCK.sleep(0.05)
    return (_CLOCK.steady_ns() - start_ns) / 1e9


class StackProcess:
    """The supervisor with its nodes, started again at will.

    Args:
        run_dir: of the run; absolute.
        arguments: launch arguments besides; without ``episodes`` it runs until it is stopped.
        environment: of the process.
        command: what takes the arguments.
    """

    def __init__(
        self,
        run_dir: Path,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._command = tuple(command)
        self.run_dir = run_dir
        self._arguments = (f"run_dir:={run_dir}", "episodes:=0", *arguments)
        self._environment = dict(environment)
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.lines: list[str] = []
        self.killed: set[int] = set()
        """Processes that drove the arm and were killed themselves."""

    def launch(self, *more: str) -> None:
        """Start it, with ``more`` arguments in place of those of the same name."""
        self.lines = []
        given = {word.partition(":=")[0]: word for word in (*self._arguments, *more)}
        self._process = subprocess.Popen(
            [*self._command, *given.values()],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.daemon = True
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.lines.append(line.rstrip())

    @property
    def alive(self) -> bool:
        """Whether the supervisor runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def phase(self) -> str:
        """What the session does; "STARTING" before it has said so."""
        for line in reversed(self.lines):
            if line.startswith("[launch] session_node started"):
                break
            if match := _PHASE.match(line):
                return match.group(1)
        return "STARTING"

    def processes(self) -> list[int]:
        """The run's processes and what its nodes started; each node leads a group of its own."""
        nodes = {int(match.group(1)) for it in self.lines if (match := _STARTED.match(it))}
        return sorted({*processes_of(self.run_dir), *_in_groups(nodes)})

    def pid_of(self, victim: str) -> int:
        """Newest process id of a node, the supervisor's or the worker's; 0 where it never ran."""
        assert self._process is not None
        if victim in (SUPERVISOR, ALL):
            return self._process.pid
        if victim == WORKER:
            there = stack_vitals(self._process.pid)
            return max((it.pid for it in there if it.name == WORKER), default=0)
        for line in reversed(self.lines):
            if match := re.match(rf"\[launch\] {victim} started, pid (\d+)", line):
                return int(match.group(1))
        return 0

    def ready(self, victim: str) -> bool:
        """Whether the newest process of a node has said that it takes work; a worker is there."""
        if victim == WORKER:
            return self.pid_of(WORKER) > 0
        for line in reversed(self.lines):
            if line.startswith(f"[launch] {victim} started"):
                return False
            if line.startswith(f"[{victim}] ") and line.endswith(" ready"):
                return True
        return False

    def kill(self, victim: str) -> None:
        """SIGKILL, without a warning."""
        if victim in (ARM, ALL):
            self.killed.add(self.pid_of(ARM))
        pids = [self.pid_of(victim)] if victim != ALL else []
        if victim == ALL:
            pids = [self.pid_of(SUPERVISOR), *self.processes()]
        for pid in filter(None, pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if victim in (SUPERVISOR, ALL):
            self.wait(10.0)

    def wait(self, limit_s: float) -> int:
        """Exit code; raises StackError when it does not end."""
        assert self._process is not None
        assert self._reader is not None
        try:
            code = self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise StackError("the stack does not end", got=f"{limit_s:g} s") from None
        self._reader.join(5.0)
        return code

    def stop(self, limit_s: float = 90.0) -> int:
        """SIGINT to the supervisor, as Ctrl-C does; its exit code."""
        if self._process is None:
            return 0
        if self.alive:
            self._process.send_signal(signal.SIGINT)
        return self.wait(limit_s)

    def end(self) -> None:
        """Leave nothing behind, whatever it takes."""
        if self._process is not None and self.alive:
            self._process.kill()
            self._process.wait()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def kills(
    stack: StackProcess,
    witness: Witness,
    numbers: Iterator[int],
    *,
    seed: int,
    targets: Sequence[str],
    spread_s: float = 8.0,
    patience_s: float = 120.0,
    shadow: Shadow | None = None,
) -> Iterator[Kill]:
    """Kill and look, once for each of ``numbers``; ends early where nothing comes back.

    Args:
        stack: launched here where it does not run.
        witness: of its run.
        numbers: of the kills, see ``schedule``.
        seed: of victims and moments.
        targets: who may be killed, see ``targets_of``.
        spread_s: the moment falls into so many seconds after the last recovery.
        patience_s: limit of each recovery.
        shadow: of its learner; compared after each kill where it is given.
    """

    def another_episode() -> float:
        if not stack.alive:
            stack.launch()
        before = witness.episodes
        took_s = wait_until(lambda: witness.episodes > before or not stack.alive, patience_s)
        if not stack.alive:
            raise StackError("the stack ended", got="; ".join(stack.lines[-5:]))
        return took_s

    another_episode()
    for number in numbers:
        victim, where = schedule(seed, number, targets)
        wait_s = where * spread_s
        _CLOCK.sleep(wait_s)
        wait_until(lambda it=victim: stack.pid_of(it) > 0, patience_s)  # type: ignore[misc]
        phase, gone_s, recovery_s, wrong = stack.phase, 0.0, math.nan, []
        pid, answers = stack.pid_of(victim), witness.answers().total()
        stack.kill(victim)
        try:
            if victim in (SUPERVISOR, ALL):
                gone_s = wait_until(lambda: not stack.processes(), patience_s)
                wrong += witness.look(stack.killed)
                recovery_s = another_episode()
            else:
                again_s = wait_until(partial(_is_back, stack, victim, pid), patience_s)
                if victim == WORKER:  # its process is there before it has loaded anything
                    answered = partial(_is_answering, stack, witness, answers)
                    again_s += wait_until(answered, patience_s)
                recovery_s = again_s + another_episode()
        except StackError as error:
            wrong.append(str(error))
        wrong += witness.look(stack.killed)
        if shadow is not None:
            wrong += [f"{name} differs from an undisturbed learner's" for name in shadow.compare()]
        updates = shadow.updates if shadow is not None else -1
        yield Kill(
            number, victim, phase, wait_s, gone_s, recovery_s, witness.episodes, tuple(wrong),
            updates,
        )  # fmt: skip
        if math.isnan(recovery_s):
            return


def _is_back(stack: StackProcess, victim: str, old_pid: int) -> bool:
    again = stack.pid_of(victim) != old_pid and stack.ready(victim)
    return again or not stack.alive


def _is_answering(stack: StackProcess, witness: Witness, answers: int) -> bool:
    return witness.answers().total() > answers or not stack.alive
