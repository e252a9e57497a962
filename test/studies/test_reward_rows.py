# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rows of a reward model's evaluation."""

import math

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.studies.reward_eval import fitted
from roboreward_ros.studies.reward_rows import by_label, row, table


def test_a_row_counts_errors_and_false_positives() -> None:
    truth = np.array([1, 1, 2, 5, 4])
    found = row("x", truth, np.array([1.0, 5.0, 3.0, 5.0, 2.0]))
    assert found.mae == pytest.approx((0 + 4 + 1 + 0 + 2) / 5)
    assert (found.exact, found.within_one) == (pytest.approx(0.4), pytest.approx(0.6))
    assert (found.false_positives, found.low_n) == (1, 3)
    assert found.false_positive_low < 1 / 3 < found.false_positive_high
    assert found.constant_mae == pytest.approx(np.abs(truth - 2).mean())


def test_a_row_of_nothing_knows_nothing() -> None:
    found = row("x", np.zeros(0, np.int64), np.zeros(0))
    assert math.isnan(found.mae)
    assert (found.false_positive_low, found.false_positive_high) == (0.0, 1.0)


def test_guesses_must_fit() -> None:
    with pytest.raises(ConfigError, match="do not fit"):
        row("x", np.array([1]), np.array([1.0, 2.0]))


def test_every_label_stands_beside_the_same_constant() -> None:
    rows = by_label(np.array([1, 1, 1, 5]), np.array([1.0, 2.0, 1.0, 5.0]))
    assert [r.n for r in rows] == [3, 0, 0, 0, 1]
    assert rows[0].constant_mae == 0.0
    assert rows[4].constant_mae == 4.0
    assert table(rows).count("\n") == 6


def test_a_fitted_control_never_sees_the_half_it_judges() -> None:
    keys, truth = np.zeros(4, np.int64), np.array([1, 5, 1, 5])
    assert fitted(keys, truth).tolist() == [5.0, 1.0, 5.0, 1.0]
