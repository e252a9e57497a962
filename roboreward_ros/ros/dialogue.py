# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Questions and answers over a process's own input and output, interruptible."""

from __future__ import annotations

import os
import select
import sys
import threading
import traceback
from collections.abc import Callable

from rclpy.logging import get_logging_directory

from roboreward_ros.errors import PersonLeftError, RoboRewardError

POLL_S = 0.1
STDIN = 0
LEFT_EXIT_CODE = 3
"""The person left before the end."""


class Terminal:
    """See the module's text. One thread uses it.

    Args:
        leaving: ends a question that waits.
    """

    def __init__(self, leaving: threading.Event) -> None:
        self._leaving = leaving
        self._typed = b""

    def say(self, line: str) -> None:
        """Show a line."""
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def ask(self, question: str) -> str:
        """The next line of input; raises PersonLeftError at its end, and when leaving."""
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
            raise PersonLeftError
        self._typed += more

    def _line(self) -> str:
        line, _, self._typed = self._typed.partition(b"\n")
        return line.decode(errors="replace").strip()


def end_of(work: Callable[[], tuple[int, str]], log: Callable[[str], object]) -> tuple[int, str]:
    """Do a person's work; returns exit code and reason, in words for that person.

    Args:
        work: to be done; returns both.
        log: takes the traceback of what nobody foresaw.
    """
    try:
        return work()
    except PersonLeftError:
        return LEFT_EXIT_CODE, "the person left"
    except (RoboRewardError, OSError) as error:
        return 1, str(error)
    except Exception as error:
        log(traceback.format_exc())
        where = get_logging_directory()
        return 1, f"a fault of the program: {error!r}; its traceback is in the log, in {where}"
