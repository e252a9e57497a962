# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Says on stderr what a command is waiting for, once that takes longer than a person likes."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Self, TextIO

_FIRST_S = 5.0
_AGAIN_S = {True: 1.0, False: 15.0}


class Patience:
    """A line after five seconds: redrawn on a terminal, now and then a new one elsewhere.

    Use as a context manager. ``now`` names what is being done.
    """

    def __init__(
        self, stream: TextIO | None = None, first_s: float = _FIRST_S, again_s: float | None = None
    ) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._first_s = first_s
        self._again_s = _AGAIN_S[self._live] if again_s is None else again_s
        self._text = ""
        self._seconds = 0.0
        self._drawn = False
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._work, name="patience", daemon=True)

    def now(self, text: str) -> None:
        """From now on this is being done; the clock starts again."""
        with self._changed:
            self._text, self._seconds = text, 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._thread.join()
        if self._drawn and self._live:
            self._stream.write("\r\033[K")
            self._stream.flush()

    def _work(self) -> None:
        wait_s = self._first_s
        with self._changed:
            while not self._changed.wait_for(lambda: self._over, wait_s):
                self._seconds += wait_s
                wait_s = self._again_s
                if not self._text:
                    continue
                line = f"{self._text} ({self._seconds:.0f} s)"
                self._stream.write(f"\r\033[K{line}" if self._live else f"{line}\n")
                self._stream.flush()
                self._drawn = True
