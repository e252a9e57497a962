# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The official metrics of RoboRewardBench (arXiv 2601.00675, section 4; HELM's scenario).

An output that holds no number costs an absolute error of 4. Numbers are not clamped to 1..5, so
"ANSWER: 50" is wrong by at least 45: a benchmark's parser, unlike the one of a live reward, never
throws a bad answer away. Overall error is the unweighted mean over the subsets, not over the rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from roboreward_ros.evaluation.benchmark.predictions import Prediction

UNPARSED_ERROR = 4.0
"""Absolute error of an output without a number."""
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_NAMED = re.compile(rf"\banswer\b\s*:\s*{_NUMBER}", re.IGNORECASE)
_LEADING = re.compile(_NUMBER)


def parse_output(output: str) -> float | None:
    """The first number behind "answer:", else one at the very start, else None."""
    found = _NAMED.search(output) or _LEADING.match(output.strip())
    return float(found.group(1)) if found else None


def absolute_error(prediction: Prediction) -> float:
    """``|number - label|``, or 4 where there is no number."""
    number = parse_output(prediction.output)
    return UNPARSED_ERROR if number is None else abs(number - prediction.reward)


def mae_by_subset(predictions: Sequence[Prediction]) -> dict[str, float]:
    """Mean absolute error of every subset, by name."""
    errors: dict[str, list[float]] = {}
    for prediction in predictions:
        errors.setdefault(prediction.subset, []).append(absolute_error(prediction))
    return {subset: float(np.mean(errors[subset])) for subset in sorted(errors)}


def macro_mae(predictions: Sequence[Prediction]) -> float:
    """Unweighted mean of the subsets' errors: what the leaderboard is sorted by."""
    return float(np.mean(list(mae_by_subset(predictions).values())))


def exact_match(predictions: Sequence[Prediction]) -> float:
    """Share of rows whose number is the label."""
    return float(np.mean([parse_output(row.output) == row.reward for row in predictions]))


def unparsed(predictions: Sequence[Prediction]) -> int:
    """Rows without a number."""
    return sum(parse_output(row.output) is None for row in predictions)


def win_rates(models: Mapping[str, Sequence[Prediction]]) -> dict[str, float | None]:
    """Mean over opponents of the share of common rows that a model wins.

    The lower absolute error wins a row; a tie is half a win for both. Rows are matched by id; None
    where there is no opponent with a common row.
    """
    errors = {name: {row.id: absolute_error(row) for row in rows} for name, rows in models.items()}
    found: dict[str, float | None] = {}
    for name, own in errors.items():
        rates = []
        for other, theirs in errors.items():
            common = own.keys() & theirs.keys()
            if other == name or not common:
                continue
            mine = np.array([own[key] for key in common])
            against = np.array([theirs[key] for key in common])
            rates.append(float(np.mean((mine < against) + 0.5 * (mine == against))))
        found[name] = float(np.mean(rates)) if rates else None
    return found


def win_rates_by_subset(
    models: Mapping[str, Sequence[Prediction]],
) -> dict[str, dict[str, float | None]]:
    """``win_rates`` within each subset: model -> subset -> rate."""
    subsets = sorted({row.subset for rows in models.values() for row in rows})
    table: dict[str, dict[str, float | None]] = {name: {} for name in models}
    for subset in subsets:
        part = {
            name: [row for row in rows if row.subset == subset] for name, rows in models.items()
        }
        for name, rate in win_rates(part).items():
            table[name][subset] = rate
    return table
