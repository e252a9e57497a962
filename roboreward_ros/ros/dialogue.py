# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Questions and answers over a process's own input and output, interruptible."""

from __future__ import annotations

import os
import select
import sys
import threading

POLL_S = 0.1
STDIN = 0


class Terminal:
    """See the module's text. One thread uses it.

    Args:
        leaving: ends a question that waits.
        ended: raised at the end of input, and when leaving.
    """

    def __init__(self, leaving: threading.Event, ended: type[Exception]) -> None:
        self._leaving = leaving
        self._ended = ended
        self._typed = b""

    def say(self, line: str) -> None:
        """Show a line."""
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def ask(self, question: str) -> str:
        """The next line of input; raises ``ended``."""
        sys.stdout.write(question)
        sys.stdout.flush()
        while b"\n" not in self._typed:
            self._read(POLL_S)
        return self._line()

    def typed(self) -> str | None:
        """A line that was typed meanwhile; None where there is none. Does not wait."""
        if b"\n" not in self._typed:
            self._read(0.0)
        return self._line() if b"\n" in self._typed else None

    def _read(self, timeout_s: float) -> None:
        ready = select.select([STDIN], [], [], timeout_s)[0]
        more = os.read(STDIN, 4096) if ready else b""
        if self._leaving.is_set() or (ready and not more):
            raise self._ended
        self._typed += more

    def _line(self) -> str:
        line, _, self._typed = self._typed.partition(b"\n")
        return line.decode(errors="replace").strip()
