# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Saved predictions: one JSON object a line, of which five fields are needed.

``id, subset, task, reward, output`` are what a judge needs. Scoring with this package adds
``probabilities`` (of 1..5), ``latency_s``, ``cost``, ``video_sha256``, ``abstained``,
``paraphrase_of`` and ``probe``; whatever else a row holds is left alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.types import RUBRIC_MAX, RUBRIC_MIN

REQUIRED = ("id", "subset", "task", "reward", "output")


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one model said about one row.

    Attributes:
        id: of the row, unique in a file.
        subset: which part of the benchmark.
        task: the sentence.
        reward: label 1..5.
        output: the model's text; "" where it gave none.
        probabilities: masses of 1..5; empty where there is no distribution.
        latency_s: of the score, s; NaN where unknown.
        cost: in the endpoint's currency; NaN where unknown.
        video_sha256: of the video file, "" where unknown; rows of one video form a cluster.
        abstained: the source would not have labelled it.
        paraphrase_of: id of the row whose video and meaning it shares; "" for none.
        probe: another video's sentence: the label is that of an unrelated task.
    """

    id: str
    subset: str
    task: str
    reward: int
    output: str
    probabilities: tuple[float, ...] = ()
    latency_s: float = math.nan
    cost: float = math.nan
    video_sha256: str = ""
    abstained: bool = False
    paraphrase_of: str = ""
    probe: bool = False

    def __post_init__(self) -> None:
        if not RUBRIC_MIN <= self.reward <= RUBRIC_MAX:
            raise FormatError(
                f"row '{self.id}': label out of range", got=self.reward, allowed="1..5"
            )
        masses = self.probabilities
        if masses and not (len(masses) == 5 and min(masses) >= 0 and abs(sum(masses) - 1) < 1e-3):
            raise FormatError(
                f"row '{self.id}': probabilities are no distribution over 1..5", got=list(masses)
            )

    def to_json(self) -> str:
        """One line; what is unknown is left out."""
        row: dict[str, object] = {name: getattr(self, name) for name in REQUIRED}
        if self.probabilities:
            row["probabilities"] = [round(mass, 6) for mass in self.probabilities]
        for name in ("latency_s", "cost"):
            if math.isfinite(getattr(self, name)):
                row[name] = round(getattr(self, name), 6)
        for name in ("video_sha256", "paraphrase_of", "abstained", "probe"):
            if getattr(self, name):
                row[name] = getattr(self, name)
        return json.dumps(row, ensure_ascii=False)


def parse_row(line: str, place: str) -> Prediction:
    """One line.

    Raises:
        FormatError: no JSON object, a missing field, a wrong type or a value out of range.
    """
    try:
        row = json.loads(line)
    except (ValueError, OverflowError, RecursionError) as error:
        raise FormatError(f"{place} is not JSON", got=str(error)) from None
    if not isinstance(row, Mapping):
        raise FormatError(f"{place} is no JSON object", got=type(row).__name__)
    missing = [name for name in REQUIRED if name not in row]
    if missing:
        raise FormatError(f"{place} lacks fields", got=missing, allowed=list(REQUIRED))
    reward = row["reward"]
    if isinstance(reward, bool) or not (
        isinstance(reward, int) or (isinstance(reward, float) and reward.is_integer())
    ):
        raise FormatError(f"{place}: reward is no whole number", got=reward, allowed="1..5")
    output = row["output"]
    if not isinstance(output, str | int | float) and output is not None:
        raise FormatError(f"{place}: output is no text", got=type(output).__name__)
    masses = row.get("probabilities") or ()
    if not isinstance(masses, Sequence) or not all(
        isinstance(mass, int | float) for mass in masses
    ):
        raise FormatError(f"{place}: probabilities are no list of numbers", got=masses)
    try:
        masses = tuple(float(mass) for mass in masses)
    except OverflowError:
        raise FormatError(f"{place}: a probability is too large") from None
    return Prediction(
        id=str(row["id"]),
        subset=str(row["subset"]),
        task=str(row["task"]),
        reward=int(cast("float", reward)),
        output="" if output is None else str(output),
        probabilities=masses,
        latency_s=_number(row, "latency_s", place),
        cost=_number(row, "cost", place),
        video_sha256=str(row.get("video_sha256", "")),
        abstained=bool(row.get("abstained", False)),
        paraphrase_of=str(row.get("paraphrase_of", "")),
        probe=bool(row.get("probe", False)),
    )


def _number(row: Mapping[str, object], name: str, place: str) -> float:
    value = row.get(name)
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormatError(f"{place}: {name} is no number", got=value)
    try:
        return float(value)
    except OverflowError:
        raise FormatError(f"{place}: {name} is too large") from None


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows of a file and what was wrong with the others, a sentence each."""

    rows: tuple[Prediction, ...]
    problems: tuple[str, ...]


def read_predictions(path: Path, *, keep_going: bool = False) -> Loaded:
    """All rows of a JSONL file.

    Args:
        path: the file.
        keep_going: leave bad rows out and name them instead of stopping at the first.

    Raises:
        FormatError: a bad row or a repeated id, with its line (unless ``keep_going``), or no row.
        ConfigError: no such file.
    """
    if not path.is_file():
        raise ConfigError(
            "there is no such file of predictions",
            got=str(path),
            allowed=f"JSON lines with {', '.join(REQUIRED)}",
            next_step="Write one with `roboreward bench rewards DIR --source S`.",
        )
    with path.open(encoding="utf-8", errors="replace") as lines:
        return collect(lines, str(path), keep_going=keep_going)


def collect(lines: Iterable[str], name: str, *, keep_going: bool = False) -> Loaded:
    """``read_predictions`` over lines."""
    rows: dict[str, Prediction] = {}
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        try:
            row = parse_row(line, place)
            if row.id in rows:
                raise FormatError(f"{place} repeats an id", got=row.id)
        except FormatError as error:
            if not keep_going:
                raise
            problems.append(str(error))
        else:
            rows[row.id] = row
    if not rows:
        raise FormatError(f"{name} holds no usable row", got=f"{len(problems)} bad ones")
    return Loaded(tuple(rows.values()), tuple(problems))
