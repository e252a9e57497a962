# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One writer a file: an advisory lock that dies with its process and names its holder."""

from __future__ import annotations

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from roboreward_ros.errors import LockedError, StoreError
from roboreward_ros.files import make_folder, sync_directory

__all__ = ["WriterLock", "cannot_write", "sync_directory", "sync_tree"]

_SYNCERS = 4


class WriterLock:
    """An exclusive ``flock`` on ``path``, held until :meth:`release` or the process's death.

    Args:
        path: lock file; made if missing, never removed (removing one races with its next holder).
        what: what is being locked, for the message.

    Raises:
        LockedError: another process (named by pid) holds it.
        StoreError: the folder or the file cannot be written, or the disk is full.
    """

    def __init__(self, path: Path, what: str) -> None:
        try:
            make_folder(path.parent)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise cannot_write(what, path, error) from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip() or "unknown"
            self.release()
            raise LockedError(
                f"{what} is being written by another process",
                got=f"pid {holder}",
                allowed="one writer at a time",
                next_step=f"Stop that process (ps -p {holder}) or open the run for reading.",
            ) from None
        except OSError as error:
            self.release()
            raise cannot_write(what, path, error) from None

    def release(self) -> None:
        """Give the lock back; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def cannot_write(what: str, path: Path, error: OSError) -> StoreError:
    """The error of a file that the disk refused."""
    return StoreError(
        f"{what} cannot be written",
        got=f"{path}: {error.strerror}",
        next_step="Check the folder's owner and free space, or choose another run_dir.",
    )


def sync_tree(root: Path) -> None:
    """Make ``root`` and everything below it durable.

    Side by side, so that the file system can join the waits.
    """
    with ThreadPoolExecutor(_SYNCERS) as pool:
        list(pool.map(_sync, [root, *root.rglob("*")]))


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
