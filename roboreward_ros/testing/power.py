# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Power cuts, simulated by dropping every write that was not synced.

Stricter than file systems are: a file has the bytes of its last sync, or none; a folder has the
names of its last sync, so that a file that was made, renamed or removed since is not, under its
new name. What a program acknowledges must be there all the same.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class _Names:
    """A folder as it was synced: by name, inode and whether it is a folder."""

    entries: dict[str, tuple[int, bool]]


class PowerSupply:
    """Remembers what was synced below ``root``; made by ``power``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._kept: list[int] = []  # open, so that no inode is given away again
        self._log: list[tuple[int, _Names | bytes]] = []
        for path in (root, *root.rglob("*")):
            fd = os.open(path, os.O_RDONLY)
            self.synced(fd)
            os.close(fd)

    @property
    def moments(self) -> int:
        """Syncs so far; the power can be cut after each."""
        with self._lock:
            return len(self._log)

    def synced(self, fd: int) -> None:
        """What ``fd`` stands for has reached the disk."""
        with self._lock:
            kept = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
            self._kept.append(kept)
            found = os.fstat(kept)
            if stat.S_ISDIR(found.st_mode):
                with os.scandir(kept) as entries:
                    now: _Names | bytes = _Names({e.name: (e.inode(), e.is_dir()) for e in entries})
            else:
                now = os.pread(kept, found.st_size, 0)
            self._log.append((found.st_ino, now))

    def cut(self, moment: int, target: Path) -> Path:
        """Write down in ``target`` what is there when the power goes after so many syncs."""
        disk = dict(self._log[:moment])
        root = self._root.stat().st_ino
        self._restore({root: disk.get(root, _Names({}))} | disk, root, target)
        return target

    def _restore(self, disk: dict[int, _Names | bytes], inode: int, target: Path) -> None:
        content = disk[inode]
        if isinstance(content, bytes):
            target.write_bytes(content)
            return
        target.mkdir(parents=True)
        for name, (child, is_folder) in content.entries.items():
            empty = _Names({}) if is_folder else b""
            self._restore({**disk, child: disk.get(child, empty)}, child, target / name)

    def close(self) -> None:
        """Let go of what was kept open."""
        for fd in self._kept:
            os.close(fd)
        self._kept.clear()


@contextmanager
def power(root: Path) -> Iterator[PowerSupply]:
    """Watch the syncs below ``root``; what is there now counts as synced."""
    supply = PowerSupply(root)
    fsync, fdatasync = os.fsync, os.fdatasync

    def full(fd: int) -> None:
        fsync(fd)
        supply.synced(fd)

    def data(fd: int) -> None:
        fdatasync(fd)
        supply.synced(fd)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", full)
        patch.setattr(os, "fdatasync", data)
        try:
            yield supply
        finally:
            supply.close()
