# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lays out the scene of a real arm by a program: a fixture, a second robot, an action's client.

The program runs without a shell in a process group of its own, one at a time, and has a deadline;
exit code 0 says that the scene is ready. A hold or the session's end stop it: first SIGTERM, then,
after a grace, SIGKILL. Each start is answered exactly once.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError
from roboreward_ros.session.plan import PlannedEpisode

POLL_S = 0.05
TAIL = 2000
"""Bytes of the program's last words that are looked at."""
Answer = Callable[[str, str, bool], None]
"""Told episode, problem ("" for none) and whether the program was stopped on request."""


@dataclass(frozen=True, slots=True)
class ResetProgramConfig:
    """The program.

    Attributes:
        command: program and arguments, no shell; "" for none.
        limit_s: longest run, seconds.
        grace_s: between SIGTERM and SIGKILL, seconds.

    Raises:
        ConfigError: quotes that do not close, or times that are none.
    """

    command: str = ""
    limit_s: float = 120.0
    grace_s: float = 3.0

    def __post_init__(self) -> None:
        try:
            shlex.split(self.command)
        except ValueError as error:
            raise ConfigError("reset_command", got=f"{self.command}: {error}") from None
        if not (0 < self.limit_s <= 3600 and 0 < self.grace_s <= 60):
            raise ConfigError(
                "times of the reset program",
                got=f"reset_command_s={self.limit_s}, grace {self.grace_s}",
                allowed="above 0, at most 3600 s; grace at most 60 s",
            )


class ResetProgram:
    """See the module's text; every method returns at once except ``close``.

    Args:
        config: the program.
        clock: its steady time is the deadline's.
        answer: told how a start ended; called on a thread of its own.
    """

    def __init__(self, config: ResetProgramConfig, clock: Clock, answer: Answer) -> None:
        self._config = config
        self._clock = clock
        self._answer = answer
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._episode_id, self._closed = "", False
        self._thread: threading.Thread | None = None

    def start(self, episode: PlannedEpisode) -> None:
        """Lay out the scene; the last start must have been answered."""
        with self._lock:
            self._episode_id = episode.episode_id
            self._stop = threading.Event()
        work = threading.Thread(
            target=self._run, args=(episode, self._stop), name="reset program", daemon=True
        )
        self._thread = work
        work.start()

    def abort(self, episode_id: str) -> bool:
        """Stop the program; returns whether it is, or was until now, at work for the episode."""
        with self._lock:
            if self._episode_id != episode_id:
                return False
            self._stop.set()
            return True

    def close(self) -> None:
        """Stop whatever runs, without an answer, and wait for its end; idempotent."""
        self._closed = True
        self.abort(self._episode_id)
        if self._thread is not None:
            self._thread.join(2 * self._config.grace_s)

    def _run(self, episode: PlannedEpisode, stop: threading.Event) -> None:
        try:
            problem = self._work(episode, stop)
        except (OSError, ValueError) as error:
            problem = str(error)
        with self._lock:  # from here on, abort is somebody else's
            self._episode_id, stopped = "", stop.is_set()
        if not self._closed:
            self._answer(episode.episode_id, problem, stopped)

    def _work(self, episode: PlannedEpisode, stop: threading.Event) -> str:
        """Run the program to its end; returns what was wrong."""
        limit_s = self._config.limit_s
        end_ns = self._clock.steady_ns() + round(limit_s * 1e9)
        about = {
            "ROBOREWARD_TASK": episode.task,
            "ROBOREWARD_EPISODE": episode.episode_id,
            "ROBOREWARD_SEED": str(episode.seed),
        }
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                shlex.split(self._config.command),
                env={**os.environ, **about},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
            while process.poll() is None and self._clock.steady_ns() < end_ns:
                if stop.wait(POLL_S):
                    break
            late = process.poll() is None
            if late:
                self._kill(process)
            if stop.is_set():
                return "stopped"
            if late:
                return f"not done within {limit_s:g} s"
            if process.returncode == 0:
                return ""
            size = said.seek(0, os.SEEK_END)
            said.seek(max(size - TAIL, 0))
            words = said.read().decode(errors="replace").strip().splitlines()
            return f"exit code {process.returncode}" + (f": {words[-1]}" if words else "")

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        """End the program and what it has started."""
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(self._config.grace_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
