# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A training in a process of its own: started, listened to, stopped. Loads no framework itself."""

from __future__ import annotations

import collections
import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from roboreward_ros.errors import FormatError, LearnerError

STOP_S = 120.0
"""How long a training may take to end its step and save before it is killed."""
_LAST_LINES = 20


@dataclass(frozen=True, slots=True)
class Request:
    """What ``roboreward reward train`` is told.

    Attributes:
        recipe: file, or name in config/reward_training.
        out: folder of the training.
        model, revision, data: over the recipe's; empty: the recipe's own.
        accelerate: configuration of accelerate for several processes; empty: one process.
        keep_going: leave bad rows out.
    """

    recipe: str
    out: Path
    model: str = ""
    revision: str = ""
    data: str = ""
    accelerate: str = ""
    keep_going: bool = False

    def command(self) -> list[str]:
        """The command line."""
        words = [sys.executable, "-m"]
        if self.accelerate:
            words += ["accelerate.commands.accelerate_cli", "launch"]
            words += ["--config_file", self.accelerate, "-m"]
        words += ["roboreward_ros.cli.main", "reward", "train", "--json"]
        words += ["--recipe", self.recipe, "--out", str(self.out)]
        for name in ("model", "revision", "data"):
            if value := getattr(self, name):
                words += [f"--{name}", value]
        return [*words, "--keep-going"] if self.keep_going else words


@dataclass(frozen=True, slots=True)
class Report:
    """Where a training stands.

    Attributes:
        stage: what is done: ``videos of train``, ``training`` ...
        done: parts of it, steps in training.
        total: parts in all.
        loss: of the last step; NaN before the first.
        best: least validation error so far; NaN before the first validation.
        checkpoint: folder of the published model, at the end.
    """

    stage: str = ""
    done: int = 0
    total: int = 0
    loss: float = math.nan
    best: float = math.nan
    checkpoint: str = ""


class Training:
    """One process that trains.

    Args:
        request: what to train.
        on_report: told of progress, in the thread of ``run``.
    """

    def __init__(self, request: Request, on_report: Callable[[Report], object]) -> None:
        self._request = request
        self._on_report = on_report
        self._stopped = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._killer: threading.Timer | None = None

    def stop(self) -> None:
        """Ask the training to save and end; returns at once, idempotent."""
        with self._lock:
            if self._stopped.is_set():
                return
            self._stopped.set()
            if self._process is not None:
                self._interrupt()

    def run(self) -> Report:
        """Train to the end, or until ``stop``; blocks.

        Returns:
            The last report; one without a checkpoint was stopped.

        Raises:
            LearnerError: the process failed; with its last words.
            FormatError: it said something that is no report.
        """
        last = Report()
        with subprocess.Popen(
            self._request.command(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a Ctrl-C at the terminal is for the node
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            words: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
            listener = threading.Thread(target=_keep, args=(process.stderr, words), daemon=True)
            listener.start()
            try:
                with self._lock:
                    self._process = process
                    if self._stopped.is_set():
                        self._interrupt()
                for line in process.stdout:
                    last = _read(line, last)
                    self._on_report(last)
                code = process.wait()
            finally:
                with self._lock:
                    self._process = None
                if self._killer is not None:
                    self._killer.cancel()
                if process.poll() is None:
                    _signal(process.pid, signal.SIGKILL)
            listener.join()
        if last.checkpoint or self._stopped.is_set():
            return last
        raise LearnerError(
            "the training failed",
            got=f"exit code {code}: {_last_words(words)}",
            next_step="Start it again with the same folder: it goes on from its last state.",
        )

    def _interrupt(self) -> None:
        process = self._process
        assert process is not None
        _signal(process.pid, signal.SIGINT)
        self._killer = threading.Timer(STOP_S, _signal, (process.pid, signal.SIGKILL))
        self._killer.daemon = True
        self._killer.start()


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it may have ended by itself just now
        os.killpg(group, number)


def _keep(stream: IO[str], words: collections.deque[str]) -> None:
    for line in stream:
        if line.strip():
            words.append(line.strip())


def _last_words(words: collections.deque[str]) -> str:
    return words[-1] if words else "it said nothing"


def _read(line: str, last: Report) -> Report:
    try:
        row = json.loads(line)
        if "checkpoint" in row:
            best = float(row["validation"]["mae"])
            return Report("done", last.done, last.total, last.loss, best, str(row["checkpoint"]))
        if "stage" in row:
            return Report(str(row["stage"]), int(row["done"]), int(row["total"]))
        if "step" in row:
            best = float(row["best"])
            best = best if math.isfinite(best) else math.nan
            return Report("training", int(row["step"]), int(row["steps"]), float(row["loss"]), best)
    except (ValueError, OverflowError, RecursionError, KeyError, TypeError) as error:
        raise FormatError("a training said something else", got=f"{line!r}: {error}") from None
    return last
