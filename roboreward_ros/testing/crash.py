# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A process that dies between two changes of the disk, simulated in place.

From the chosen change on every change is refused, also those of code that cleans up: a dead
process cleans nothing up.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CHANGES = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class CrashError(BaseException):
    """Nothing but the test may catch it."""


class _Death:
    """Counts changes below ``root``; raises from the ``left``-th on."""

    def __init__(self) -> None:
        self.root = ""
        self.left = 0
        self.hooked = False

    def hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.root or not (event in _CHANGES or event == "open"):
            return
        path = arguments[0]
        if not isinstance(path, str | os.PathLike) or not str(path).startswith(self.root):
            return
        if event == "open":
            flags = arguments[2]
            if not isinstance(flags, int) or not flags & _WRITING:
                return
        if self.left <= 0:
            raise CrashError(f"{event} {path}")
        self.left -= 1


_DEATH = _Death()


@contextmanager
def death_after(changes: int, root: Path) -> Iterator[None]:
    """Die before the next change of files below ``root`` once there were ``changes``.

    Raises:
        CrashError: from within, where it came to that.
    """
    if not _DEATH.hooked:
        sys.addaudithook(_DEATH.hear)  # for good: there is no way to remove one
        _DEATH.hooked = True
    _DEATH.root, _DEATH.left = str(root), changes
    try:
        yield
    finally:
        _DEATH.root = ""
