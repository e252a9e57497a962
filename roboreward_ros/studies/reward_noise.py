# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Wrong labels of a known size: levels that are off by so much on average, and false successes."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.types import RUBRIC_MAX, RUBRIC_MIN, Score

LEVELS = range(RUBRIC_MIN, RUBRIC_MAX + 1)
LARGEST_MAE = 1.9
"""Noise without bound ends half above and half below, two levels off wherever it began."""


@dataclass(frozen=True, slots=True)
class RewardNoise:
    """Errors of the label, drawn by run seed and episode number.

    Attributes:
        mae: expected absolute error, levels. The noise is Gaussian, rounded to levels and cut to
            1..5; its width is chosen for each level so that this is left.
        false_positives: share of episodes below 5 that are called 5.

    Raises:
        ConfigError: a value out of range.
    """

    mae: float = 0.0
    false_positives: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.mae <= LARGEST_MAE and 0 <= self.false_positives <= 1):
            raise ConfigError(
                "reward noise is out of range",
                got=self,
                allowed=f"mae 0..{LARGEST_MAE}, share 0..1",
            )

    @property
    def name(self) -> str:
        """Of files and rows."""
        parts = [f"mae{self.mae:g}"] if self.mae else []
        parts += [f"fp{self.false_positives:g}"] if self.false_positives else []
        return "_".join(parts) or "exact"

    def label(self, truth: Score, run_seed: int, index: int) -> Score:
        """The noisy label of episode ``index``; ``truth`` is one of the levels 1..5."""
        rng = np.random.default_rng((run_seed, index, 31))
        value = truth.value
        if self.mae > 0:
            value += rng.normal(0.0, width(round(truth.value), self.mae))
        value = float(min(RUBRIC_MAX, max(RUBRIC_MIN, round(value))))
        if truth.value < RUBRIC_MAX and rng.random() < self.false_positives:
            value = float(RUBRIC_MAX)
        return dataclasses.replace(truth, value=value)


def expected_error(level: int, sigma: float) -> float:
    """Mean absolute error of ``level`` + N(0, sigma^2), rounded to levels and cut to 1..5."""
    below = NormalDist(level, sigma).cdf
    edges = [0.0, *(below(k + 0.5) for k in LEVELS[:-1]), 1.0]
    return sum(
        abs(k - level) * (high - low)
        for k, low, high in zip(LEVELS, edges[:-1], edges[1:], strict=True)
    )


@functools.cache
def width(level: int, mae: float) -> float:
    """The sigma whose ``expected_error`` is ``mae``, by bisection: the error grows with sigma."""
    low, high = 1e-3, 1e3
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if expected_error(level, middle) < mae else (low, middle)
    return high
