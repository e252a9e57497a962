# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A log that does not fill the disk: a full file moves aside, the one before it goes."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

FULL_BYTES = 16 << 20


class LogFile:
    """Appends lines; each is handed to the system at once. One thread.

    A disk that takes no more does not stop whoever logs: the log then has a gap.

    Args:
        path: of the log.
        full_bytes: size at which it moves to ``<path>.1``; both together never take more than
            twice that and a line.
    """

    def __init__(self, path: Path, full_bytes: int = FULL_BYTES) -> None:
        self._path = path
        self._full_bytes = full_bytes
        self._file = path.open("ab", buffering=0)

    def write(self, line: str) -> None:
        """Append a line with its end."""
        data = line.encode(errors="replace")
        try:
            if self._file.closed or 0 < self._file.tell() > self._full_bytes - len(data):
                self._begin_anew()
            self._file.write(data)
        except OSError:
            return

    def _begin_anew(self) -> None:
        self._file.close()
        if self._path.exists():
            self._path.replace(self._path.with_name(self._path.name + ".1"))
        self._file = self._path.open("ab", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
