# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far two ways of asking differ over the same episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.types import Abstain, RewardFailure, RewardOutcome, Score


@dataclass(frozen=True, slots=True)
class Gap:
    """Differences of two outcomes an episode; nan where no episode has both.

    Attributes:
        episodes: compared.
        both_scored: with a score from both ways.
        same: share of ``both_scored`` with the same value.
        mean_abs: mean absolute difference of the values, in the score's units.
        max_abs: largest one.
        expected_abs: mean absolute difference of the expectations, where there are distributions.
        total_variation: mean distance of the distributions, 0..1: the mass that moved.
        only_first: episodes that only the first way scored (the other abstained).
        only_second: likewise.
        failed: episodes where one of them failed.
    """

    episodes: int
    both_scored: int
    same: float
    mean_abs: float
    max_abs: float
    expected_abs: float
    total_variation: float
    only_first: int
    only_second: int
    failed: int


def compare(first: Sequence[RewardOutcome], second: Sequence[RewardOutcome]) -> Gap:
    """Outcomes of the same episodes, in the same order.

    Raises:
        ConfigError: different numbers of outcomes.
    """
    if len(first) != len(second):
        raise ConfigError("outcomes of different episodes", got=f"{len(first)}, {len(second)}")
    pairs = list(zip(first, second, strict=True))
    values = [(a.value, b.value) for a, b in pairs if isinstance(a, Score) and isinstance(b, Score)]
    apart = np.array([abs(a - b) for a, b in values])
    masses = [found for pair in pairs if (found := _masses(*pair)) is not None]
    moved = [0.5 * float(np.abs(p - q).sum()) for _, p, q in masses]
    expected = [abs(float(levels @ (p - q))) for levels, p, q in masses]
    return Gap(
        len(pairs),
        len(values),
        _mean([a == b for a, b in values]),
        _mean(apart),
        float(apart.max()) if len(apart) else float("nan"),
        _mean(expected),
        _mean(moved),
        sum(isinstance(a, Score) and isinstance(b, Abstain) for a, b in pairs),
        sum(isinstance(a, Abstain) and isinstance(b, Score) for a, b in pairs),
        sum(isinstance(item, RewardFailure) for pair in pairs for item in pair),
    )


def _masses(a: RewardOutcome, b: RewardOutcome) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    if isinstance(a, RewardFailure) or isinstance(b, RewardFailure):
        return None
    if not a.probabilities or a.levels != b.levels:
        return None
    return np.array(a.levels), np.array(a.probabilities), np.array(b.probabilities)


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
