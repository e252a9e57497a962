# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all, and where shipped configuration lies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def open_atomic(path: Path) -> Iterator[IO[bytes]]:
    """A file to write beside ``path``; synced and renamed at the end, gone after an error.

    A reader finds the old file or the new one. One writer at a time. The folder is made and synced
    too: after a power cut the name is there.

    Args:
        path: what to write.

    Raises:
        OSError: no space or no right to write.
    """
    make_folder(path.parent)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    part.replace(path)
    sync_directory(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder and those above it; after a power cut they are there.

    Raises:
        OSError: no right to, or a file is in the way.
    """
    made = []
    here = path
    while not here.exists():
        made.append(here)
        here = here.parent
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(made):
        sync_directory(folder.parent)


def sync_directory(path: Path) -> None:
    """Make names in ``path`` durable (a rename is lost with the power otherwise)."""
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a whole file as ``open_atomic`` does.

    Args:
        path: what to write.
        data: its contents; text as UTF-8.

    Raises:
        OSError: no space or no right to write.
    """
    with open_atomic(path) as file:
        file.write(data.encode("utf-8") if isinstance(data, str) else data)


def config_folders(kind: str) -> list[Path]:
    """Existing folders of shipped configuration, nearest first.

    The checkout's ``config/<kind>``, then those of every installed share above the package.

    Args:
        kind: name of the folder, such as ``dsrl`` or ``robots``.
    """
    here = Path(__file__).resolve()
    folders = [here.parents[1] / "config" / kind]
    folders += [p / "share" / "roboreward_ros" / "config" / kind for p in here.parents]
    return [folder for folder in folders if folder.is_dir()]
