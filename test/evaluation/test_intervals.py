# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Intervals against known values and against their own coverage."""

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.evaluation.intervals import newcombe, paired_bootstrap, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # R: prop.test(x, n, correct = FALSE)$conf.int
        (8, 10, 0.4901625, 0.9433178),
        (0, 10, 0.0, 0.2775328),
        (50, 100, 0.4038315, 0.5961685),
        (100, 100, 0.9630065, 1.0),
    ],
)
def test_wilson_matches_published_values(successes: int, n: int, low: float, high: float) -> None:
    interval = wilson(successes, n)
    assert interval.value == successes / n
    assert interval.low == pytest.approx(low, abs=1e-6)
    assert interval.high == pytest.approx(high, abs=1e-6)


def test_wilson_solves_its_own_score_equation() -> None:
    interval = wilson(37, 120, z=1.7)
    for bound in (interval.low, interval.high):
        assert abs(interval.value - bound) == pytest.approx(
            1.7 * np.sqrt(bound * (1 - bound) / 120), rel=1e-9
        )


def test_no_trials_say_nothing() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(successes: int, n: int) -> None:
    with pytest.raises(ConfigError):
        wilson(successes, n)


def test_a_paired_interval_uses_the_pairing() -> None:
    rng = np.random.default_rng(0)
    hard = rng.random(200)
    first = (hard < 0.6).astype(float).tolist()
    second = (hard < 0.5).astype(float).tolist()  # the same trials, always a little worse
    paired = paired_bootstrap(first, second)
    shuffled = paired_bootstrap(first, rng.permutation(second).tolist())
    assert paired.low > 0
    assert paired.high - paired.low < shuffled.high - shuffled.low


def test_a_paired_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        first = (rng.random(60) < 0.7).astype(float).tolist()
        second = (rng.random(60) < 0.5).astype(float).tolist()
        interval = paired_bootstrap(first, second, seed=trial, resamples=400)
        covered += interval.low <= 0.2 <= interval.high
    assert 0.88 <= covered / 200 <= 0.99


@pytest.mark.parametrize(("first", "second"), [([], []), ([1.0], [1.0, 0.0])])
def test_unpaired_trials_are_refused(first: list[float], second: list[float]) -> None:
    with pytest.raises(ConfigError, match="same trials"):
        paired_bootstrap(first, second)


def test_the_difference_of_two_rates_is_newcombes():
    # Newcombe (1998), table II, example (a): 56/70 against 48/80.
    gap = newcombe((56, 70), (48, 80))
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    unknown = newcombe((0, 0), (0, 0))
    assert (unknown.low, unknown.high) == pytest.approx((-0.7071, 0.7071), abs=1e-3)
