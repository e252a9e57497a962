# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all, and where shipped configuration lies."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

import yaml

_MOST_LETTERS, _DEEPEST = 4_000_000, 200
_NEITHER = re.compile(r"[^\[\]{}]+")
_MOST_VALUES = 100_000
"""In one YAML file, aliases counted as often as they are used."""


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


def read_yaml(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds, as ``safe_load``
    """Plain values of a YAML file; the only way in which this package reads YAML.

    Raises:
        yaml.YAMLError: no UTF-8, no YAML, nested too deeply, or aliases that stand for so many
            values that writing them out would fill the memory.
        OSError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if len(text) > _MOST_LETTERS or _depth(text) > _DEEPEST:
            raise yaml.YAMLError(f"{path}: too long, or nested too deeply")
        values = yaml.safe_load(text)
    except (ValueError, RecursionError) as error:
        raise yaml.YAMLError(f"{path}: {error}") from None
    left, waiting = _MOST_VALUES, [values]
    while waiting and left:
        left -= 1
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set):
            waiting += value
    if waiting:
        raise yaml.YAMLError(f"{path}: more than {_MOST_VALUES} values")
    return values


def _depth(text: str) -> int:
    """How deep brackets go at most, those in quotes included; the parser's time is its square."""
    depth = deepest = 0
    for letter in _NEITHER.sub("", text):
        depth = depth + 1 if letter in "[{" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest


def inside(root: Path, name: str) -> Path:
    """``root / name`` for a name that somebody else wrote: it must not lead out of ``root``.

    Links are followed: a folder of links into a cache is one that its owner made.

    Raises:
        ValueError: empty, absolute, with ``..`` in it, or no name at all.
    """
    path = PurePosixPath(name)
    name.encode()  # half a character is no name
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ValueError(f"{name!r} does not lie below the folder")
    return root / path


def config_folders(kind: str = "") -> list[Path]:
    """Existing folders of shipped configuration, nearest first.

    The checkout's ``config/<kind>``, then those of every installed share above the package.

    Args:
        kind: name of the folder, such as ``dsrl`` or ``robots``; "": the folder of all.
    """
    here = Path(__file__).resolve()
    folders = [here.parents[1] / "config" / kind]
    folders += [p / "share" / "roboreward_ros" / "config" / kind for p in here.parents]
    return [folder for folder in folders if folder.is_dir()]
