# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of labelled videos: RoboReward's published layout and HELM's collected file.

``<folder>/metadata.jsonl`` or ``<folder>/test/metadata.jsonl`` holds ``file_name, task, reward`` a
line, the subset being the first part of ``file_name``; ``<folder>/final_test.json`` is a list of
conversations. Videos are only named here; nothing is decoded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.types import RUBRIC_MAX, RUBRIC_MIN

METADATA = "metadata.jsonl"
COLLECTED = "final_test.json"
WHOLE = "all"  # subset of videos that lie in no folder


@dataclass(frozen=True, slots=True)
class LabelledVideo:
    """One row of a benchmark.

    Attributes:
        id: unique in the folder.
        subset: which part of the benchmark.
        task: the sentence.
        reward: label 1..5.
        path: of the video.
        paraphrase_of: id of the row whose meaning it shares; "" for none.
    """

    id: str
    subset: str
    task: str
    reward: int
    path: Path
    paraphrase_of: str = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """Usable rows, and what was wrong with the others, a sentence each."""

    rows: tuple[LabelledVideo, ...]
    problems: tuple[str, ...]


def read_folder(folder: Path, split: str = "test", *, keep_going: bool = False) -> Folder:
    """All rows of a benchmark folder.

    Args:
        folder: see the module's text.
        split: subfolder to prefer where there are several.
        keep_going: leave bad rows out and name them instead of stopping at the first.

    Raises:
        ConfigError: no such folder, or neither layout in it.
        FormatError: a bad row, with its place (unless ``keep_going``), or no usable one.
    """
    places = (folder / split / METADATA, folder / METADATA, folder / COLLECTED)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ConfigError(
            "no benchmark in this folder",
            got=str(folder),
            allowed=[str(place.relative_to(folder)) for place in places],
            next_step="The published data set is teetone/RoboReward; download its test split.",
        )
    rows: dict[str, LabelledVideo] = {}
    problems: list[str] = []
    lines = _collected(found) if found.name == COLLECTED else _lines(found)
    for place, content in lines:
        try:
            if isinstance(content, FormatError):
                raise content
            row = _row(content, found.parent, place)
            if row.id in rows:
                raise FormatError(f"{place} repeats an id", got=row.id)
        except FormatError as error:
            if not keep_going:
                raise
            problems.append(str(error))
        else:
            rows[row.id] = row
    if not rows:
        raise FormatError(f"{found} holds no usable row", got=f"{len(problems)} bad ones")
    return Folder(tuple(rows.values()), tuple(problems))


def _lines(path: Path) -> Iterator[tuple[str, Mapping[str, object] | FormatError]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            place = f"{path}, line {number}"
            if not line.strip():
                continue
            try:
                content = json.loads(line)
            except json.JSONDecodeError as error:
                yield place, FormatError(f"{place} is not JSON", got=str(error))
                continue
            if isinstance(content, Mapping):
                yield place, content
            else:
                yield place, FormatError(f"{place} is no object", got=type(content).__name__)


def _collected(path: Path) -> Iterator[tuple[str, Mapping[str, object] | FormatError]]:
    """HELM's file: prompt and answer as a conversation, the task behind "Task:"."""
    try:
        items = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise FormatError(f"{path} is not JSON", got=str(error)) from None
    for number, item in enumerate(items):
        place = f"{path}, item {number}"
        try:
            prompt = next(
                turn["value"] for turn in item["conversations"] if turn["from"] == "human"
            )
            yield (
                place,
                {
                    "id": f"{item['metadata'].get('original_id', '')}#{number}",
                    "subset": item["subset"],
                    "task": prompt.rsplit("Task:", 1)[1].strip(),
                    "reward": item["metadata"]["reward"],
                    "file_name": item["video"][0],
                },
            )
        except (KeyError, IndexError, StopIteration, TypeError, AttributeError) as error:
            yield place, FormatError(f"{place} is no conversation about a video", got=repr(error))


def _row(content: Mapping[str, object], root: Path, place: str) -> LabelledVideo:
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
    path = root / inside
    if inside.is_absolute() or ".." in inside.parts:
        raise FormatError(f"{place}: the video lies outside the folder", got=name)
    if not path.is_file():
        raise FormatError(f"{place}: no such video", got=str(path))
    subset = content.get("subset") or (inside.parts[0] if len(inside.parts) > 1 else WHOLE)
    sentence = task.strip()
    return LabelledVideo(
        id=str(content.get("id") or f"{name}#{sentence}"),
        subset=str(subset),
        task=sentence,
        reward=int(reward),
        path=path,
        paraphrase_of=str(content.get("paraphrase_of") or ""),
    )


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes: two rows with the same one are one video."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
