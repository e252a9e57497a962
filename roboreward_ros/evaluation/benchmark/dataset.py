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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.episodes.exchange.labelled_layout import (
    METADATA,
    Fault,
    LayoutRow,
    OnProblem,
    Problem,
    parse_row,
    read_table,
    stop,
)
from roboreward_ros.errors import ConfigError, FormatError

COLLECTED = "final_test.json"


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

    def note(problem: Problem) -> None:
        if not keep_going:
            stop(problem)
        problems.append(str(problem))

    read = _collected if found.name == COLLECTED else read_table
    for row in read(found, note):
        if row.id in rows:
            note(Problem(Fault.DUPLICATE, row.place, row.id))
        else:
            rows[row.id] = LabelledVideo(
                row.id, row.subset, row.task, row.reward, row.path, row.paraphrase_of
            )
    if not rows:
        raise FormatError(f"{found} holds no usable row", got=f"{len(problems)} bad ones")
    return Folder(tuple(rows.values()), tuple(problems))


def _collected(path: Path, on_problem: OnProblem) -> Iterator[LayoutRow]:
    """HELM's file: prompt and answer as a conversation, the task behind "Task:"."""
    try:
        items = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OverflowError, RecursionError) as error:
        raise FormatError(f"{path} is not JSON", got=str(error)) from None
    for number, item in enumerate(items):
        place = f"{path}, item {number}"
        try:
            prompt = next(
                turn["value"] for turn in item["conversations"] if turn["from"] == "human"
            )
            content = {
                "id": f"{item['metadata'].get('original_id', '')}#{number}",
                "subset": item["subset"],
                "task": prompt.rsplit("Task:", 1)[1].strip(),
                "reward": item["metadata"]["reward"],
                "file_name": item["video"][0],
            }
        except (KeyError, IndexError, StopIteration, TypeError, AttributeError) as error:
            detail = f"no conversation about a video: {error!r}"
            on_problem(Problem(Fault.MALFORMED, place, detail))
            continue
        found = parse_row(content, path.parent, place)
        if isinstance(found, Problem):
            on_problem(found)
        else:
            yield found


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes: two rows with the same one are one video."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
