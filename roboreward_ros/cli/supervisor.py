# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the processes of a stack: starts, restarts with back-off, stops in order, loses none.

Each child leads its own process group, so a terminal's Ctrl-C reaches only the supervisor, which
then stops the children in the stack's order; all stay in the supervisor's session, so closing the
terminal ends them. Knows nothing about ROS.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

from roboreward_ros.cli.log_file import LogFile
from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import StackError
from roboreward_ros.restarts import RestartPolicy
from roboreward_ros.stack import REFUSED_EXIT_CODE

LineSink = Callable[[str, str], None]
"""Takes (name of the process, line without its end); called from several threads."""

POLL_S = 0.05
LAST_WORDS_S = 2.0
"""For what an ended child had still to say; a stranger that it started may hold its output open."""
SUPERVISOR = "launch"


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One process to run.

    Attributes:
        name: for prefixes, log files and messages.
        command: program and arguments.
        respawn: start again after an unexpected end.
        done_on_exit_zero: its end with code 0 ends the whole.
        stop_stage: lower stages are stopped first.
    """

    name: str
    command: tuple[str, ...]
    respawn: bool = True
    done_on_exit_zero: bool = False
    stop_stage: int = 1


@dataclass(frozen=True, slots=True)
class StopPatience:
    """How long a stage may take after each signal, s: SIGINT, then SIGTERM, then SIGKILL."""

    interrupt_s: float = 10.0
    terminate_s: float = 2.0
    kill_s: float = 5.0


@dataclass(slots=True)
class _Child:
    spec: ChildSpec
    process: subprocess.Popen[str] | None = None
    reader: threading.Thread | None = None
    restarts_s: list[float] = field(default_factory=list)
    start_at_s: float | None = None  # steady time of the next start; None: none is due
    given_up: bool = False
    swept: bool = False

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Keeps the children of a stack running until the work is done or someone stops it.

    Args:
        children: what to run, in the order of start.
        environment: complete environment of the children.
        log_dir: one ``<name>.log`` each is appended to there, and moves aside when it is full.
        sink: also gets every line, and the supervisor's own under the name ``launch``.
        restart: when a child that ended is started again.
        stop_on_give_up: end everything when a child has used up its restarts (unattended runs);
            otherwise the others go on and the session, which misses the node, pauses.
        on_failure: told why everything ends, where nobody asked and the work is not done; before
            the first child is stopped.
    """

    def __init__(
        self,
        children: Iterable[ChildSpec],
        *,
        environment: Mapping[str, str],
        log_dir: Path,
        sink: LineSink,
        restart: RestartPolicy,
        patience: StopPatience | None = None,
        stop_on_give_up: bool = False,
        on_failure: Callable[[str], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._children = [_Child(spec) for spec in children]
        self._environment = dict(environment)
        self._log_dir = log_dir
        self._sink = sink
        self._restart = restart
        self._patience = patience if patience is not None else StopPatience()
        self._stop_on_give_up = stop_on_give_up
        self._on_failure = on_failure if on_failure is not None else _ignore
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._stop_asked = threading.Event()
        self._hurry = threading.Event()

    def ask_stop(self) -> None:
        """Stop everything in order; asked a second time, kill what is left. Signal-safe."""
        if self._stop_asked.is_set():
            self._hurry.set()
        self._stop_asked.set()

    def run(self, tick: Callable[[], None] | None = None) -> int:
        """Start all and block until the end; returns the exit code of the whole.

        0: a ``done_on_exit_zero`` child ended with 0, or :meth:`ask_stop` was called.
        2: a child refused its configuration. 1: a child could not be kept running.

        Args:
            tick: called about every 50 ms, for a progress display.

        Raises:
            StackError: a process could not be started; the others are stopped first.
        """
        self._log_dir.mkdir(parents=True, exist_ok=True)
        code: int | None = None
        try:
            for child in self._children:
                self._start(child)
            while code is None:
                if self._stop_asked.is_set():
                    self._say("stopping: asked to")
                    code = 0
                    break
                code = self._check()
                if tick is not None:
                    tick()
                if code is None:
                    self._clock.sleep(POLL_S)
        except StackError as error:
            self._on_failure(str(error))
            raise
        finally:
            self._stop_all()
        return code

    def pids(self) -> dict[str, int]:
        """Process ids of the children that run now."""
        return {
            child.spec.name: child.process.pid
            for child in self._children
            if child.process is not None and child.alive()
        }

    def _say(self, line: str) -> None:
        """Tell people, and the log that a morning is told from; a full disk costs the line."""
        with contextlib.suppress(OSError), (self._log_dir / f"{SUPERVISOR}.log").open("a") as log:
            log.write(f"INFO {datetime.now().isoformat(' ', 'milliseconds')} {line}\n")
        self._sink(SUPERVISOR, line)

    def _now_s(self) -> float:
        return self._clock.steady_ns() / 1e9

    def _start(self, child: _Child) -> None:
        child.start_at_s = None
        try:
            process = subprocess.Popen(
                child.spec.command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                process_group=0,
            )
        except OSError as error:
            raise StackError(
                f"{child.spec.name} cannot be started", got=str(error), next_step="See doctor."
            ) from error
        child.process = process
        child.swept = False
        assert process.stdout is not None
        child.reader = threading.Thread(
            target=self._pump, args=(child.spec.name, process.stdout), daemon=True
        )
        child.reader.start()
        self._say(f"{child.spec.name} started, pid {process.pid}")

    def _pump(self, name: str, stream: IO[str]) -> None:
        with stream, LogFile(self._log_dir / f"{name}.log") as log:
            for line in stream:
                log.write(line)
                self._sink(name, line.rstrip("\n"))

    def _check(self) -> int | None:
        now_s = self._now_s()
        for child in self._children:
            if child.start_at_s is not None:
                if now_s >= child.start_at_s:
                    child.restarts_s.append(now_s)
                    self._start(child)
                continue
            if child.given_up or child.process is None or child.alive():
                continue
            code = self._on_exit(child, child.process.returncode, now_s)
            if code is not None:
                return code
        return None

    def _on_exit(self, child: _Child, returncode: int, now_s: float) -> int | None:
        spec = child.spec
        log = self._log_dir / f"{spec.name}.log"
        how = _how_it_ended(returncode)
        self._bury(child)
        if returncode == 0 and spec.done_on_exit_zero:
            self._say(f"{spec.name} is done: stopping the rest")
            return 0
        if returncode == REFUSED_EXIT_CODE:
            self._say(f"{spec.name} refused its configuration; its last lines are in {log}")
            self._on_failure(f"{spec.name} refused its configuration")
            return REFUSED_EXIT_CODE
        wait_s = self._restart.wait_s(child.restarts_s, now_s) if spec.respawn else None
        if wait_s is not None:
            self._say(f"{spec.name} {how}: starting it again in {wait_s:g} s")
            child.start_at_s = now_s + wait_s
            return None
        child.given_up = True
        restarts = f" after {self._restart.limit} restarts in {self._restart.window_s:g} s"
        self._say(f"{spec.name} {how}{restarts if spec.respawn else ''} and stays down; see {log}")
        if self._stop_on_give_up or spec.done_on_exit_zero:
            self._on_failure(
                self._restart.spent(spec.name) if spec.respawn else f"{spec.name} {how}"
            )
            return 1
        self._say("the session pauses until it is back; Ctrl-C stops the rest")
        return None

    def _stop_all(self) -> None:
        patience = self._patience
        stages = sorted({child.spec.stop_stage for child in self._children})
        for stage in stages:
            group = [child for child in self._children if child.spec.stop_stage == stage]
            for name, wait_s in (
                ("SIGINT", patience.interrupt_s),
                ("SIGTERM", patience.terminate_s),
                ("SIGKILL", patience.kill_s),
            ):
                running = [child for child in group if child.alive()]
                if not running:
                    break
                if self._hurry.is_set():
                    name = "SIGKILL"
                for child in running:
                    assert child.process is not None
                    if name == "SIGKILL":
                        self._say(f"{child.spec.name} does not stop: killing it")
                        kill_group(child.process)
                    else:
                        child.process.send_signal(getattr(signal, name))
                self._wait_for(running, wait_s, until_hurry=name != "SIGKILL")
            for child in group:
                self._bury(child)

    def _bury(self, child: _Child) -> None:
        """Kill what an ended child left behind, a worker for one, and take its last words down.

        So they stand before what is said of its end, and before the lines of whoever comes next.
        """
        if child.process is not None and not child.swept:
            kill_group(child.process)
            child.swept = True  # its process id may belong to a stranger from now on
        if child.reader is not None:
            child.reader.join(LAST_WORDS_S)

    def _wait_for(self, children: Sequence[_Child], wait_s: float, *, until_hurry: bool) -> None:
        end_s = self._now_s() + wait_s
        while any(child.alive() for child in children) and self._now_s() < end_s:
            if until_hurry and self._hurry.is_set():
                return
            self._clock.sleep(POLL_S / 5)


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill whatever is left of the child's process group, itself included."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _ignore(reason: str) -> None:
    del reason


def _how_it_ended(returncode: int) -> str:
    if returncode < 0:
        return f"was killed by {signal.Signals(-returncode).name}"
    return f"ended with code {returncode}"
