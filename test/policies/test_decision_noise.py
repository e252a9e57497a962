# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.noise import actor_rng, prior_noise


def test_noise_is_the_documented_function_of_seed_and_chunk():
    expected = np.random.default_rng((42, 3)).standard_normal((4, 7)).astype(np.float32)
    np.testing.assert_array_equal(prior_noise(42, 3, 4), expected)
    assert prior_noise(42, 3, 4).dtype == np.float32


def test_decisions_and_episodes_draw_different_noise():
    draws = [prior_noise(seed, chunk, 4) for seed in (0, 1, 2**31) for chunk in (0, 1)]
    for index, first in enumerate(draws):
        for second in draws[index + 1 :]:
            assert np.abs(first - second).max() > 0.1


def test_noise_is_standard_normal():
    draws = np.stack([prior_noise(9, chunk, 4) for chunk in range(500)])
    assert abs(draws.mean()) < 0.03
    assert abs(draws.std() - 1) < 0.03


def test_the_actor_samples_from_a_stream_of_its_own():
    actor = actor_rng(42, 3).standard_normal((4, 7))
    np.testing.assert_array_equal(actor, np.random.default_rng((42, 3, 1)).standard_normal((4, 7)))
    assert np.abs(actor - prior_noise(42, 3, 4)).max() > 0.1


@pytest.mark.parametrize(("seed", "chunk", "horizon"), [(-1, 0, 4), (0, -1, 4), (0, 0, 0)])
def test_nonsense_is_refused(seed: int, chunk: int, horizon: int):
    with pytest.raises(ConfigError):
        prior_noise(seed, chunk, horizon)
