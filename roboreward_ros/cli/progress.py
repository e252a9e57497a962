# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Progress of a long command: a live bar on a terminal, plain lines everywhere else."""

from __future__ import annotations

import sys
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.table import Column


class Display(Protocol):
    """Shows stages one after the other."""

    def say(self, line: str) -> None:
        """One line that stays."""

    def stage(self, name: str, total: int, done: int = 0) -> None:
        """Begin a stage of ``total`` parts, ``done`` of them finished earlier."""

    def update(self, done: int, detail: str = "") -> None:
        """``done`` parts of the stage are finished."""

    def close(self) -> None:
        """End the display; idempotent."""


class LiveDisplay:
    """Bars that redraw themselves."""

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<14}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=12, complete_style="cyan", finished_style="green"),
            MofNCompleteColumn(),
            Elapsed(),
            TextColumn(
                "{task.fields[detail]}",
                style="bright_black",
                # The one column that gives way on a narrow terminal.
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            console=console or Console(),
            expand=True,
        )
        self._progress.start()
        self._task: TaskID | None = None

    def say(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False)

    def stage(self, name: str, total: int, done: int = 0) -> None:
        self._task = self._progress.add_task(name, total=total, detail="")
        self.update(done)  # what was finished earlier has an end, so its clock stands still

    def update(self, done: int, detail: str = "") -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=done, detail=detail)

    def close(self) -> None:
        self._progress.stop()


class PlainDisplay:
    """A line at the start of a stage, at every tenth of it and at its end."""

    def __init__(self) -> None:
        self._name = ""
        self._total = 0
        self._shown = -1

    def say(self, line: str) -> None:
        print(line, flush=True)

    def stage(self, name: str, total: int, done: int = 0) -> None:
        self._name, self._total, self._shown = name, total, -1
        self.update(done)

    def update(self, done: int, detail: str = "") -> None:
        tenth = 10 * done // max(1, self._total)
        if tenth != self._shown:
            self._shown = tenth
            self.say(f"{self._name}: {done} of {self._total}{'; ' if detail else ''}{detail}")

    def close(self) -> None: ...


def make_display() -> Display:
    """Live on a terminal, plain lines otherwise."""
    return LiveDisplay() if sys.stdout.isatty() else PlainDisplay()
