# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Differences between two ways of asking."""

import math

import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.gap import compare
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    Provenance,
    RewardFailure,
    Score,
    ScoreKind,
    ScoreScale,
)

WHO = Provenance("roboreward")
LEVELS = (1.0, 2.0, 3.0, 4.0, 5.0)


def score(value, *masses):
    kind = ScoreKind.TOKENS if masses else ScoreKind.NONE
    levels = LEVELS if masses else ()
    return Score(value, ScoreScale.RUBRIC, kind, WHO, levels, masses)


ABSTAINED = Abstain(AbstainReason.ENTROPY, WHO)
FAILED = RewardFailure("gone", WHO)


def test_values_and_distributions_are_compared_where_both_are_there():
    first = [score(5.0, 0, 0, 0, 0.5, 0.5), score(2.0), ABSTAINED, score(1.0), FAILED]
    second = [score(4.0, 0, 0, 0.5, 0.5, 0), score(2.0), score(3.0), ABSTAINED, score(1.0)]
    gap = compare(first, second)
    assert (gap.episodes, gap.both_scored, gap.failed) == (5, 2, 1)
    assert (gap.same, gap.mean_abs, gap.max_abs) == (0.5, 0.5, 1.0)
    assert gap.total_variation == pytest.approx(0.5)
    assert gap.expected_abs == pytest.approx(1.0)
    assert (gap.only_first, gap.only_second) == (1, 1)


def test_nothing_in_common_is_not_a_number():
    gap = compare([ABSTAINED], [FAILED])
    assert math.isnan(gap.mean_abs)
    assert math.isnan(gap.total_variation)
    with pytest.raises(ConfigError, match="different episodes"):
        compare([ABSTAINED], [])
