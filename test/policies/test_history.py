# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which observations are kept for a decision, and what stands in for one that was missed."""

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.history import ObservationHistory
from roboreward_ros.types import PolicySpec


def history(steps: int, chunk: int) -> ObservationHistory:
    return ObservationHistory(PolicySpec("x" * 64, 8, chunk, 4, 2, 5.0, (), steps))


def seen_at(step: int):
    return np.full((2, 2, 3), step, np.uint8), np.full(7, float(step))


@pytest.mark.parametrize(
    ("steps", "chunk", "wanted"),
    [(1, 4, []), (2, 4, [3, 7]), (3, 4, [2, 3, 6, 7]), (2, 1, list(range(8)))],
)
def test_only_what_a_decision_sees_is_wanted(steps, chunk, wanted) -> None:
    asked = history(steps, chunk)
    assert [step for step in range(8) if asked.wants(step)] == wanted


def test_a_policy_of_one_observation_gets_it_as_it_is() -> None:
    image, proprio = seen_at(3)
    got = history(1, 4).seen(3, image, proprio)
    assert got[0] is image
    assert got[1] is proprio


def test_a_decision_sees_the_last_observations_oldest_first() -> None:
    kept = history(3, 4)
    for step in (2, 3):
        kept.add(step, *seen_at(step))
    images, proprio = kept.seen(4, *seen_at(4))
    assert images[:, 0, 0, 0].tolist() == [2, 3, 4]
    assert proprio[:, 0].tolist() == [2, 3, 4]


def test_the_next_newer_one_stands_for_what_is_not_there() -> None:
    kept = history(3, 4)
    assert kept.seen(0, *seen_at(0))[1][:, 0].tolist() == [0, 0, 0]
    kept.add(3, *seen_at(3))
    assert kept.seen(4, *seen_at(4))[1][:, 0].tolist() == [3, 3, 4]
    assert kept.seen(8, *seen_at(8))[1][:, 0].tolist() == [8, 8, 8]


def test_pictures_of_different_sizes_are_refused() -> None:
    kept = history(2, 4)
    kept.add(3, np.zeros((4, 4, 3), np.uint8), np.zeros(7))
    with pytest.raises(ConfigError, match="size"):
        kept.seen(4, *seen_at(4))
