# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rows of a reward model's evaluation: errors beside what a constant would get."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from roboreward_ros.errors import ConfigError
from roboreward_ros.evaluation.intervals import wilson
from roboreward_ros.types import FloatArray

LEVELS = np.arange(1, 6)
LOW = 2  # a score that says: far from done
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Row:
    """Judgements of one kind of question.

    Attributes:
        name: what was judged.
        n: judgements; unlabelled (abstained) ones are not among them.
        mae: mean absolute error.
        constant_mae: of the best single number for these questions.
        exact: share of exact scores.
        within_one: share at most one off.
        false_positives: answers of 5 where the truth is at most 2.
        low_n: questions whose truth is at most 2.
        false_positive_rate: of those; NaN without any.
        false_positive_low: Wilson's 95 % interval.
        false_positive_high: likewise.
    """

    name: str
    n: int
    mae: float
    constant_mae: float
    exact: float
    within_one: float
    false_positives: int
    low_n: int
    false_positive_rate: float
    false_positive_low: float
    false_positive_high: float


def row(name: str, truth: IntArray, guess: FloatArray) -> Row:
    """Compare guesses with the truth, both ``[n]``.

    Raises:
        ConfigError: different numbers of them.
    """
    if truth.shape != guess.shape:
        raise ConfigError("guesses do not fit the truth", got=guess.shape, allowed=truth.shape)
    if not len(truth):
        nan = float("nan")
        return Row(name, 0, nan, nan, nan, nan, 0, 0, nan, 0.0, 1.0)
    error = np.abs(guess - truth)
    low = truth <= LOW
    wrong, count = int((guess[low] >= 5).sum()), int(low.sum())
    interval = wilson(wrong, count)
    return Row(
        name,
        len(truth),
        float(error.mean()),
        float(min(np.abs(truth - level).mean() for level in LEVELS)),
        float((error == 0).mean()),
        float((error <= 1).mean()),
        wrong,
        count,
        wrong / count if count else float("nan"),
        interval.low,
        interval.high,
    )


def by_label(truth: IntArray, guess: FloatArray) -> list[Row]:
    """One row for each true score; its constant is the best for all of them together."""
    best = int(LEVELS[np.argmin([np.abs(truth - level).mean() for level in LEVELS])])
    rows = []
    for level in LEVELS:
        at = truth == level
        found = row(f"truth {level}", truth[at], guess[at])
        values = asdict(found) | {"constant_mae": float(abs(best - int(level)))}
        rows.append(Row(**values))
    return rows


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = [
        "| judged | n | MAE | constant's MAE | exact | within one | 5 where truth <= 2 |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        rate = "-"
        if r.low_n:
            rate = (
                f"{r.false_positives} of {r.low_n}: {100 * r.false_positive_rate:.1f} % "
                f"[{100 * r.false_positive_low:.1f}, {100 * r.false_positive_high:.1f}]"
            )
        lines.append(
            f"| {r.name} | {r.n} | {r.mae:.2f} | {r.constant_mae:.2f} | {100 * r.exact:.0f} % | "
            f"{100 * r.within_one:.0f} % | {rate} |"
        )
    return "\n".join(lines)
