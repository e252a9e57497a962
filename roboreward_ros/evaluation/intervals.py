# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Confidence intervals of success rates and of their differences. Needs numpy alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roboreward_ros.errors import ConfigError

Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the bounds of its interval, all in the estimate's units."""

    value: float
    low: float
    high: float


def wilson(successes: int, n: int, z: float = Z_95) -> Interval:
    """Score interval of a binomial proportion (E. B. Wilson, 1927).

    Args:
        successes: 0..n.
        n: trials; 0 gives the whole of [0, 1] around 0.5.
        z: two-sided normal quantile, 1.96 for 95 %.

    Raises:
        ConfigError: counts that do not fit each other.
    """
    if not 0 <= successes <= n:
        raise ConfigError("successes and trials do not fit", got=f"{successes} of {n}")
    if n == 0:
        return Interval(0.5, 0.0, 1.0)
    rate = successes / n
    shrink = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    # At 0 and n the bound is the rate itself, which rounding would miss by an ulp.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(rate, low, high)


def paired_bootstrap(
    first: Sequence[float],
    second: Sequence[float],
    *,
    seed: int = 0,
    resamples: int = 10_000,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of mean(first) - mean(second) over the same trials.

    Args:
        first: results of one arm, ``[n]``; item i belongs to the same seed as ``second[i]``.
        second: results of the other arm, ``[n]``.
        seed: of the resampling.
        resamples: bootstrap samples.
        level: coverage, 0..1.

    Raises:
        ConfigError: no trials, or different numbers of them.
    """
    if len(first) != len(second) or not first:
        raise ConfigError(
            "a paired comparison needs the same trials on both sides",
            got=f"{len(first)} and {len(second)}",
        )
    difference = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    rows = np.random.default_rng(seed).integers(0, len(difference), (resamples, len(difference)))
    means = difference[rows].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(difference.mean()), float(low), float(high))


def newcombe(first: tuple[int, int], second: tuple[int, int]) -> Interval:
    """First rate minus second of independent trials (R. G. Newcombe, 1998, method 10).

    Args:
        first: successes and trials; without trials a rate is unknown.
        second: the same of what is subtracted.
    """
    a, b = wilson(*first), wilson(*second)
    gap = a.value - b.value
    down = math.hypot(a.value - a.low, b.high - b.value)
    up = math.hypot(a.high - a.value, b.value - b.low)
    return Interval(gap, max(gap - down, -1.0), min(gap + up, 1.0))
