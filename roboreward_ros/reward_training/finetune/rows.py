# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labelled videos to learn from: RoboReward's layout on disk, one split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.types import RUBRIC_MAX, RUBRIC_MIN

METADATA = "metadata.jsonl"


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """One row of ``metadata.jsonl``.

    Attributes:
        path: of the video.
        task: the sentence.
        reward: label 1..5 of the end state.
    """

    path: Path
    task: str
    reward: int


def read_rows(
    folder: Path, split: str, *, keep_going: bool = False
) -> tuple[list[LabelledRow], list[str]]:
    """All rows of a split, and what was wrong with those that were left out.

    Raises:
        ConfigError: there is no such split.
        FormatError: a bad row, with its place (unless ``keep_going``), or no usable one.
    """
    table = folder / split / METADATA
    if not table.is_file():
        raise ConfigError(
            f"the data set has no split '{split}'",
            got=str(table),
            allowed=f"<data>/train/{METADATA} and <data>/val/{METADATA}",
            next_step="`roboreward reward relabel` writes this layout; teetone/RoboReward has it.",
        )
    rows: list[LabelledRow] = []
    problems: list[str] = []
    with table.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                rows.append(_row(line, table.parent, f"{table}, line {number}"))
            except FormatError as error:
                if not keep_going:
                    raise
                problems.append(str(error))
    if not rows:
        raise FormatError(f"{table} holds no usable row", got=f"{len(problems)} bad ones")
    return rows, problems


def _row(line: str, root: Path, place: str) -> LabelledRow:
    try:
        content = json.loads(line)
    except json.JSONDecodeError as error:
        raise FormatError(f"{place} is not JSON", got=str(error)) from None
    if not isinstance(content, Mapping):
        raise FormatError(f"{place} is no object", got=type(content).__name__)
    name, task, reward = (content.get(key) for key in ("file_name", "task", "reward"))
    if not isinstance(name, str) or not name:
        raise FormatError(f"{place} names no video", got=name)
    if not isinstance(task, str) or not task.strip():
        raise FormatError(f"{place} has no task", got=task)
    if isinstance(reward, bool) or not isinstance(reward, int | float) or reward != int(reward):
        raise FormatError(f"{place}: reward is no whole number", got=reward, allowed="1..5")
    if not RUBRIC_MIN <= reward <= RUBRIC_MAX:
        raise FormatError(f"{place}: reward out of range", got=reward, allowed="1..5")
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts:
        raise FormatError(f"{place}: the video lies outside the folder", got=name)
    if not (root / inside).is_file():
        raise FormatError(f"{place}: no such video", got=str(root / inside))
    return LabelledRow(root / inside, " ".join(task.split()), int(reward))


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes: rows with the same one show one video."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
