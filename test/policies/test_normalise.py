# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.normalise import SPREAD_FLOOR, Statistics


def test_values_get_zero_mean_and_unit_spread_and_come_back():
    rng = np.random.default_rng(0)
    values = rng.normal([0.3, -2], [0.01, 5], (400, 4, 2))
    statistics = Statistics.fit(values)
    unit = statistics.normalise(values)
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit.reshape(-1, 2).mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(unit.reshape(-1, 2).std(axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(statistics.restore(unit), values, rtol=1e-5, atol=1e-6)


def test_a_constant_dimension_stays_harmless():
    statistics = Statistics.fit(np.full((10, 1), 0.7))
    assert statistics.spread == (SPREAD_FLOOR,)
    np.testing.assert_allclose(statistics.normalise(np.full((1, 1), 0.7)), 0, atol=1e-6)


@pytest.mark.parametrize(
    ("mean", "spread"), [((0.0,), (0.0,)), ((0.0,), ()), ((math.nan,), (1.0,)), ((0.0,), (-1.0,))]
)
def test_statistics_that_cannot_be_used_are_refused(mean, spread):
    with pytest.raises(ConfigError):
        Statistics(mean, spread)
