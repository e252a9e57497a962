# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Any labelled videos: a table of files, sentences and scores, as CSV or JSON lines."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from functools import partial

from roboreward_ros.episodes.exchange.labelled_layout import Fault, OnProblem, Problem
from roboreward_ros.episodes.exchange.video import nominal_rate, read_frames
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.files import inside
from roboreward_ros.reward_training.data.clip import SUCCESS, Clip
from roboreward_ros.reward_training.data.options import Options, binned, show_edges
from roboreward_ros.types import RUBRIC_MAX, RUBRIC_MIN

LABELS = ("reward", "progress", "success")
NEEDED = ("file_name", "task")


class TableSource:
    """Rows of a table; ``file_name`` is relative to it.

    A row has one of ``reward`` (1..5), ``progress`` (0..1, binned) and ``success`` (true only: how
    far a failure got is not known), and may have ``id`` and ``start_s, end_s`` for a part of the
    video.

    Args:
        options: ``edges`` in percent, ``name``.

    Raises:
        ConfigError: no such table.
    """

    def __init__(self, options: Options) -> None:
        self.path = options.path
        self.name = options.text("name", options.path.stem)
        self.edges = options.edges()
        options.finish()
        if not self.path.is_file() or self.path.suffix not in (".csv", ".jsonl"):
            raise ConfigError("no such table", got=str(self.path), allowed="*.csv, *.jsonl")

    def describe(self) -> str:
        return f"{self.name}: table {self.path.name}; progress is binned {show_edges(self.edges)}"

    def clips(self, on_problem: OnProblem) -> Iterator[Clip]:
        for place, row in self._rows(on_problem):
            clip = self._clip(place, row, on_problem)
            if clip is not None:
                yield clip

    def _rows(self, on_problem: OnProblem) -> Iterator[tuple[str, Mapping[str, str]]]:
        with self.path.open(encoding="utf-8", newline="") as lines:
            if self.path.suffix == ".csv":
                for number, values in enumerate(csv.DictReader(lines), 2):
                    yield f"{self.path.name}, line {number}", _texts(values)
                return
            for number, line in enumerate(lines, 1):
                place = f"{self.path.name}, line {number}"
                if not line.strip():
                    continue
                try:
                    content = json.loads(line)
                except (ValueError, OverflowError, RecursionError) as error:
                    on_problem(Problem(Fault.MALFORMED, place, f"not JSON: {error}"))
                    continue
                if isinstance(content, dict):
                    yield place, _texts(content)
                else:
                    on_problem(Problem(Fault.MALFORMED, place, "no object"))

    def _clip(self, place: str, row: Mapping[str, str], on_problem: OnProblem) -> Clip | None:
        missing = [key for key in NEEDED if not row.get(key)]
        labels = [key for key in LABELS if row.get(key)]
        if missing or len(labels) != 1:
            wrong = f"{', '.join(missing)} missing" if missing else f"{len(labels)} labels"
            on_problem(Problem(Fault.MALFORMED, place, wrong))
            return None
        try:
            video = inside(self.path.parent, row["file_name"])
            there = video.is_file()
        except (OSError, ValueError) as error:
            on_problem(Problem(Fault.MALFORMED, place, str(error)))
            return None
        if not there:
            on_problem(Problem(Fault.MISSING, place, str(video)))
            return None
        try:
            reward = self._reward(labels[0], row[labels[0]])
            start = float(row.get("start_s") or 0)
            end = float(row.get("end_s") or 0)
            if not (math.isfinite(start) and math.isfinite(end)):
                raise ValueError(f"the part is {start:g}..{end:g} s")
        except ValueError as error:
            on_problem(Problem(Fault.LABEL, place, str(error)))
            return None
        try:
            fps = nominal_rate(video)
        except FormatError as error:
            on_problem(Problem(Fault.DAMAGED, place, str(error)))
            return None
        part = start > 0 or end > 0
        count = max(2, round((end - start) * fps)) if end > 0 else None
        name = f"{row['file_name']}@{start:g}-{end:g}" if part else row["file_name"]
        return Clip(
            id=row.get("id") or f"{name}#{row['task'].strip()}",
            task=row["task"].strip(),
            reward=reward,
            fps=fps,
            frames=partial(read_frames, video, start, count),
            file=None if part else video,
        )

    def _reward(self, kind: str, text: str) -> int:
        if kind == "success":
            if text.lower() not in ("true", "1", "1.0", "yes"):
                raise ValueError("a failure without a score says nothing of how far it got")
            return SUCCESS
        value = float(text)
        if kind == "progress":
            if not 0 <= value <= 1:
                raise ValueError(f"progress is {text}, allowed are 0..1")
            return binned(100 * value, self.edges)
        if value not in range(RUBRIC_MIN, RUBRIC_MAX + 1):
            raise ValueError(f"reward is {text}, allowed are 1..5")
        return int(value)


def _texts(row: Mapping[str, object]) -> dict[str, str]:
    return {str(key): str(value) for key, value in row.items() if value not in (None, "")}
