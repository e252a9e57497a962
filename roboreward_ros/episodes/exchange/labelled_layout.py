# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads RoboReward's published layout row by row: ``<folder>/<split>/metadata.jsonl`` and videos.

A table is read as a stream, so its length does not matter; a bad row is a ``Problem`` with its
place, never silence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import cast

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.files import inside
from roboreward_ros.types import RUBRIC_MAX, RUBRIC_MIN

METADATA = "metadata.jsonl"
SPLITS = ("train", "val", "test")
WHOLE = "all"  # subset of videos that lie in no folder


class Fault(StrEnum):
    """What can be wrong with a row or its video."""

    MALFORMED = "malformed row"
    LABEL = "label out of range"
    MISSING = "missing video"
    DAMAGED = "damaged or truncated video"
    DUPLICATE = "duplicated id"
    MIXED_FPS = "another rate than most"
    UNLABELLED = "no label"
    UNREADABLE = "unreadable part of a data set"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: its kind, its place, and what was found there."""

    fault: Fault
    place: str
    detail: str

    def __str__(self) -> str:
        return f"{self.fault}: {self.place}: {self.detail}"


OnProblem = Callable[[Problem], object]
"""Told of a problem; what it concerns is left out. It may raise."""


@dataclass(frozen=True, slots=True)
class LayoutRow:
    """One row of a table.

    Attributes:
        id: its own, or the video's name and the sentence.
        subset: its own, or the first part of ``file_name``: the source it is from.
        task: the sentence.
        reward: label 1..5 of the end state.
        path: of the video.
        place: file and line, for messages.
        paraphrase_of: id of the row whose meaning it shares; "" for none.
        video_sha256: content of the whole video that it was made from; "" where not written.
        columns: everything else in the row.
    """

    id: str
    subset: str
    task: str
    reward: int
    path: Path
    place: str
    paraphrase_of: str
    video_sha256: str
    columns: Mapping[str, object]


def stop(problem: Problem) -> None:
    """An ``OnProblem`` that raises the first problem as FormatError."""
    raise FormatError(
        f"{problem.fault}: {problem.place}",
        got=problem.detail,
        next_step="Repair it, or leave such rows out with --keep-going.",
    )


def find_table(folder: Path, split: str) -> Path:
    """The table of a split; a folder without splits holds one table.

    Raises:
        ConfigError: there is none; names the splits that are there.
    """
    for place in (folder / split / METADATA, folder / METADATA):
        if place.is_file():
            return place
    there = [name for name in SPLITS if (folder / name / METADATA).is_file()]
    if not folder.is_dir():
        raise ConfigError("no such folder", got=str(folder))
    raise ConfigError(
        f"no labelled videos of split '{split}' in this folder",
        got=str(folder),
        allowed=there or f"{split}/{METADATA}, or {METADATA}",
        next_step=f"Choose one that is there (--split {there[0]}), or make this one."
        if there
        else "`roboreward reward data make` and `roboreward episodes export --format videos` "
        "write such folders.",
    )


def read_table(table: Path, on_problem: OnProblem = stop) -> Iterator[LayoutRow]:
    """Rows of a table in order; videos are only looked for, not opened.

    Args:
        table: a ``metadata.jsonl``.
        on_problem: told of every bad row, which is left out.
    """
    with table.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = f"{table}, line {number}"
            try:
                content = json.loads(line)
            except (ValueError, OverflowError, RecursionError) as error:
                on_problem(Problem(Fault.MALFORMED, place, f"not JSON: {error}"))
                continue
            found = parse_row(content, table.parent, place)
            if isinstance(found, Problem):
                on_problem(found)
            else:
                yield found


def parse_row(content: object, root: Path, place: str) -> LayoutRow | Problem:
    """One row.

    Args:
        content: as decoded from JSON.
        root: folder that ``file_name`` is relative to.
        place: for messages.
    """
    if not isinstance(content, dict):
        return Problem(Fault.MALFORMED, place, f"no object but {type(content).__name__}")
    name, task, reward = (content.get(key) for key in ("file_name", "task", "reward"))
    if not isinstance(name, str) or not name:
        return Problem(Fault.MALFORMED, place, f"file_name is {name!r}")
    if not isinstance(task, str) or not task.strip():
        return Problem(Fault.MALFORMED, place, f"task is {task!r}")
    number = reward if isinstance(reward, int | float) and reward is not True else None
    if number not in range(RUBRIC_MIN, RUBRIC_MAX + 1):
        return Problem(Fault.LABEL, place, f"reward is {reward!r}, allowed are 1..5")
    try:
        path = inside(root, name)
        there = path.is_file()
    except (OSError, ValueError):  # it leads out, or no file can have such a name
        return Problem(Fault.MALFORMED, place, f"{name[:200]} lies outside the folder")
    if not there:
        return Problem(Fault.MISSING, place, str(path))
    parts = PurePosixPath(name).parts
    sentence = task.strip()
    return LayoutRow(
        id=str(content.get("id") or f"{name}#{sentence}"),
        subset=str(content.get("subset") or (parts[0] if len(parts) > 1 else WHOLE)),
        task=sentence,
        reward=int(cast("float", number)),
        path=path,
        place=place,
        paraphrase_of=str(content.get("paraphrase_of") or ""),
        video_sha256=str(content.get("video_sha256") or ""),
        columns=content,
    )
