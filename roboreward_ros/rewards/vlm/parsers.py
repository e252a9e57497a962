# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the papers' models print, and nothing else.

A text is an answer, out of range (an error of the model or the prompt), or unreadable (the source
abstains and keeps the text). Nothing is clamped and nothing has a default.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass

from roboreward_ros.types import RUBRIC_MAX, RUBRIC_MIN

_ANSWER = re.compile(r"\s*answer\s*:\s*([-+]?\d+(?:\.\d+)?)\s*\.?\s*", re.IGNORECASE)
_LONGEST = 20_000
"""Letters; an endpoint could otherwise keep the search busy for hours."""
_FENCE = re.compile(r"```(?:json)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A readable answer."""

    value: float


@dataclass(frozen=True, slots=True)
class OutOfRange:
    """An answer in the right form whose value is not admissible."""

    got: str
    allowed: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Anything else."""

    why: str


Reading = Parsed | OutOfRange | Unreadable


def read_rubric(text: str) -> Reading:
    """``ANSWER: 4`` and only that (RoboReward)."""
    found = _ANSWER.fullmatch(text)
    if found is None:
        return Unreadable("it is not 'ANSWER: <score>'")
    value = float(found.group(1))
    if value != int(value) or not RUBRIC_MIN <= value <= RUBRIC_MAX:
        return OutOfRange(found.group(1), f"{RUBRIC_MIN}, ..., {RUBRIC_MAX}")
    return Parsed(value)


def read_progress(text: str) -> Reading:
    """A JSON object with ``completion_progress``: one of 0, 0.1, ..., 1 (LRM)."""
    found = _json_value(text, "completion_progress")
    if isinstance(found, Unreadable):
        return found
    try:
        value = float(found)
    except ValueError:
        return Unreadable(f"completion_progress is {found!r}")
    if not (
        math.isfinite(value) and 0 <= value <= 1 and math.isclose(value * 10, round(value * 10))
    ):
        return OutOfRange(found, "0, 0.1, ..., 1")
    return Parsed(round(value * 10) / 10)


def read_completion(text: str) -> Reading:
    """A JSON object with ``task_completed``: yes is 1, no is 0 (LRM)."""
    return _choice(text, "task_completed", {"yes": 1.0, "no": 0.0})


def read_contrast(text: str) -> Reading:
    """A JSON object with ``more_complete_image``: ImageB (later) is 1, ImageA is -1 (LRM)."""
    return _choice(text, "more_complete_image", {"imagea": -1.0, "imageb": 1.0})


def _choice(text: str, key: str, values: dict[str, float]) -> Reading:
    found = _json_value(text, key)
    if isinstance(found, Unreadable):
        return found
    value = values.get(found.strip().lower())
    return Unreadable(f"{key} is {found!r}") if value is None else Parsed(value)


def _json_value(text: str, key: str) -> str | Unreadable:
    """The value of ``key`` in the one JSON object that has it; reasoning may stand before it."""
    if len(text) > _LONGEST:
        return Unreadable(f"it has {len(text)} letters")
    plain = _FENCE.sub("", text)
    decoder = json.JSONDecoder()
    values: list[str] = []
    start = plain.find("{")
    while start >= 0:
        try:
            item, end = decoder.raw_decode(plain, start)
        except (ValueError, OverflowError, RecursionError):
            end = start + 1
        else:
            if isinstance(item, dict) and key in item:
                values.append(_as_text(item[key]))
        start = plain.find("{", end)
    if not values:
        return Unreadable(f"no JSON object has '{key}'")
    if len(set(values)) > 1:
        return Unreadable(f"'{key}' is given several times: {', '.join(values)}")
    return values[0]


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
