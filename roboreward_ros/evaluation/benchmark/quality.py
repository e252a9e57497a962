# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the official error leaves out: ranking, calibration, false praise, fragility, intervals.

Ranking uses a row's number: the mean of its distribution where there is one, else what was printed.
Rows without a number are counted and left out, except from the confusion matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from roboreward_ros.evaluation.benchmark.official import parse_output
from roboreward_ros.evaluation.benchmark.predictions import Prediction
from roboreward_ros.evaluation.intervals import Interval, wilson
from roboreward_ros.types import FloatArray

LEVELS = (1, 2, 3, 4, 5)
SUCCESS, FAILED = 5, 2
"""A row succeeded at 5, and certainly failed at 2 and below."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Rows that hold a number.

    Attributes:
        label: ``[n]`` 1..5.
        said: ``[n]`` what was printed.
        graded: ``[n]`` the distribution's mean where there is one, else what was printed.
    """

    label: FloatArray
    said: FloatArray
    graded: FloatArray


def numbers(rows: Sequence[Prediction]) -> Numbers:
    """Numbers of the rows that have one."""
    found = [(row, parse_output(row.output)) for row in rows]
    known = [(row, number) for row, number in found if number is not None]
    return Numbers(
        np.array([row.reward for row, _ in known], np.float64),
        np.array([number for _, number in known], np.float64),
        np.array(
            [
                float(np.dot(row.probabilities, LEVELS)) if row.probabilities else number
                for row, number in known
            ],
            np.float64,
        ),
    )


def within_one(rows: Sequence[Prediction]) -> float:
    """Share of all rows that are wrong by at most one level; no number is wrong."""
    values = numbers(rows)
    return float(np.sum(np.abs(values.said - values.label) <= 1)) / len(rows)


def confusion(rows: Sequence[Prediction]) -> list[list[int]]:
    """Counts ``[5][6]``: label by rounded answer 1..5, and no admissible answer."""
    table = [[0] * 6 for _ in LEVELS]
    for row in rows:
        number = parse_output(row.output)
        level = round(number) if number is not None else 0
        column = level - 1 if level in LEVELS else 5
        table[row.reward - 1][column] += 1
    return table


def kendall(rows: Sequence[Prediction]) -> float:
    """Kendall's tau-b of label and answer; NaN where either is constant."""
    from scipy.stats import kendalltau

    values = numbers(rows)
    return _correlation(lambda a, b: kendalltau(a, b).statistic, values.label, values.graded)


def spearman(rows: Sequence[Prediction]) -> float:
    """Spearman's rho of label and answer; NaN where either is constant."""
    from scipy.stats import spearmanr

    values = numbers(rows)
    return _correlation(lambda a, b: spearmanr(a, b).statistic, values.label, values.graded)


def _correlation(
    measure: Callable[[FloatArray, FloatArray], float], a: FloatArray, b: FloatArray
) -> float:
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(measure(a, b))


def auc(positive: FloatArray, negative: FloatArray) -> float:
    """Probability that a positive ranks above a negative, ties half; NaN without either."""
    if not len(positive) or not len(negative):
        return math.nan
    from scipy.stats import mannwhitneyu

    statistic = mannwhitneyu(positive, negative).statistic
    return float(statistic) / (len(positive) * len(negative))


def success_auc(rows: Sequence[Prediction]) -> float:
    """ROC-AUC of "it succeeded" (label 5) by the answer."""
    values = numbers(rows)
    good = values.label >= SUCCESS
    return auc(values.graded[good], values.graded[~good])


def false_positives(rows: Sequence[Prediction]) -> tuple[Interval, int]:
    """Share of certain failures (label <= 2) that were called a success, and their number."""
    failed = [row for row in rows if row.reward <= FAILED]
    praised = [parse_output(row.output) for row in failed]
    count = sum(number is not None and number >= SUCCESS for number in praised)
    return wilson(count, len(failed)), len(failed)


@dataclass(frozen=True, slots=True)
class Reliability:
    """Calibration of the likeliest answer.

    Attributes:
        ece: expected calibration error over ten equal bins; NaN without distributions.
        bins: (mean confidence, accuracy, rows) of each bin that has any.
    """

    ece: float
    bins: tuple[tuple[float, float, int], ...]


def reliability(rows: Sequence[Prediction], bins: int = 10) -> Reliability:
    """How often the likeliest level is right, by its probability."""
    graded = [row for row in rows if row.probabilities]
    if not graded:
        return Reliability(math.nan, ())
    masses = np.array([row.probabilities for row in graded])
    confidence = masses.max(axis=1)
    right = masses.argmax(axis=1) + 1 == np.array([row.reward for row in graded])
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    table = []
    gap = 0.0
    for index in range(bins):
        inside = place == index
        if inside.any():
            mean, accuracy = float(confidence[inside].mean()), float(right[inside].mean())
            table.append((mean, accuracy, int(inside.sum())))
            gap += inside.sum() / len(graded) * abs(mean - accuracy)
    return Reliability(float(gap), tuple(table))


def score_crossing(rows: Sequence[Prediction]) -> tuple[float, int]:
    """Share of paraphrase groups that got both a failure (<= 2) and a success (>= 4), and groups.

    ROBORMBENCH (arXiv 2609.05401): one video under several wordings of one task.
    """
    groups: dict[str, list[float]] = {}
    for row in rows:
        number = parse_output(row.output)
        if number is not None:
            groups.setdefault(row.paraphrase_of or row.id, []).append(number)
    several = [group for group in groups.values() if len(group) > 1]
    crossed = [group for group in several if min(group) <= FAILED and max(group) >= 4]
    return (len(crossed) / len(several) if several else math.nan), len(several)


def wrong_instruction(probes: Sequence[Prediction]) -> tuple[Interval, int]:
    """Share of videos called at least near (>= 4) under another video's sentence."""
    said = [parse_output(row.output) for row in probes]
    praised = sum(number is not None and number >= 4 for number in said)
    return wilson(praised, len(said)), len(said)


def cluster_interval(
    rows: Sequence[Prediction],
    measure: Callable[[Sequence[Prediction]], float],
    *,
    resamples: int = 500,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of ``measure`` by drawing videos, not rows: rows of one video depend.

    Videos are drawn within their subset, so that every subset keeps its weight.
    """
    clusters: dict[str, dict[str, list[Prediction]]] = {}
    for row in rows:
        videos = clusters.setdefault(row.subset, {})
        videos.setdefault(row.video_sha256 or row.id, []).append(row)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        sample: list[Prediction] = []
        for videos in clusters.values():
            members = list(videos.values())
            for index in rng.integers(len(members), size=len(members)):
                sample += members[index]
        drawn.append(measure(sample))
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(measure(rows), float(low), float(high))
