# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of disks and files, in place: deaths between two changes, full and slow disks, rot."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_CHANGES = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"})
_FREEING = ("os.truncate", "os.remove", "os.rmdir")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class CrashError(BaseException):
    """Nothing but the test may catch it."""


class _Watch:
    """Hears of every change of the disk below some roots, before it happens."""

    def __init__(self) -> None:
        self._refusals: list[tuple[str, Callable[[str], None]]] = []
        self._hooked = False

    @contextmanager
    def watching(self, root: Path, refuse: Callable[[str], None]) -> Iterator[None]:
        """Call ``refuse`` with what is about to change; an exception of it stops the change."""
        if not self._hooked:
            sys.addaudithook(self._hear)  # for good: there is no way to remove one
            self._hooked = True
        entry = (str(root), refuse)
        self._refusals.append(entry)
        try:
            yield
        finally:
            self._refusals.remove(entry)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._refusals or not (event in _CHANGES or event == "open"):
            return
        path = arguments[0]
        if not isinstance(path, str | os.PathLike):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITING):
            return
        for root, refuse in tuple(self._refusals):
            if str(path).startswith(root):
                refuse(f"{event} {path}")


_WATCH = _Watch()


@contextmanager
def death_after(changes: int, root: Path) -> Iterator[None]:
    """Die before the next change of files below ``root`` once there were ``changes``.

    From then on every change is refused, also those of code that cleans up: a dead process cleans
    nothing up.

    Raises:
        CrashError: from within, where it came to that.
    """
    left = changes

    def refuse(what: str) -> None:
        nonlocal left
        if left <= 0:
            raise CrashError(what)
        left -= 1

    with _WATCH.watching(root, refuse):
        yield


@contextmanager
def troubled_disk(trouble: Callable[[str], None], root: Path) -> Iterator[None]:
    """Call ``trouble`` before every change, write and sync below ``root``: it may raise or wait.

    It is told what and, where a name is known, of which file: ``open /run/run.json``, ``write``.
    """
    with _WATCH.watching(root, trouble), _before_writes(root, lambda: trouble("write")):
        yield


def refuse(number: int, what: str) -> None:
    """Raise the OSError of a disk that takes nothing.

    Files can still be made shorter and, where it is only full, removed.
    """
    kind, _, path = what.partition(" ")
    if kind not in (_FREEING if number == errno.ENOSPC else ("os.truncate",)):
        raise OSError(number, os.strerror(number), *filter(None, (path,)))


@contextmanager
def failing_disk(number: int, root: Path) -> Iterator[None]:
    """Nothing below ``root`` can be written: ``errno.ENOSPC``, ``errno.EROFS`` or ``errno.EIO``.

    Files that are open already fail at their next write; they can be made shorter,
    and removed where the disk is only full.
    """
    with troubled_disk(lambda what: refuse(number, what), root):
        yield


@contextmanager
def slow_disk(delay_s: float, root: Path) -> Iterator[None]:
    """Every change and write below ``root`` takes ``delay_s`` longer, as on a worn card."""
    with troubled_disk(lambda _: time.sleep(delay_s), root):
        yield


@contextmanager
def _before_writes(root: Path, act: Callable[[], None]) -> Iterator[None]:
    """Call ``act`` before each write and sync of a file below ``root`` that is open."""
    real = {name: getattr(os, name) for name in ("write", "writev", "fsync", "fdatasync")}

    def acting(name: str) -> Callable[..., object]:
        def call(fd: int, *arguments: object) -> object:
            if str(Path(f"/proc/self/fd/{fd}").readlink()).startswith(str(root)):
                act()
            return real[name](fd, *arguments)

        return call

    for name in real:
        setattr(os, name, acting(name))
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)


def rot(path: Path, place: float = 0.5) -> None:
    """Change one bit of a file, so far into it (0..1)."""
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x10
    path.write_bytes(data)
