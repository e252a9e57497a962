# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.studies.reward_noise import LARGEST_MAE, RewardNoise, expected_error, width
from roboreward_ros.testing.steering_toy import rubric

N = 3000


@pytest.mark.parametrize("mae", [0.3, 0.7, 1.2])
@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_labels_are_off_by_what_the_noise_says_wherever_they_are(mae, level):
    noise = RewardNoise(mae=mae)
    told = [noise.label(rubric(level), 0, k).value for k in range(N)]
    assert set(told) <= {1, 2, 3, 4, 5}
    errors = np.abs(np.array(told) - level)
    assert errors.mean() == pytest.approx(mae, abs=4 * errors.std() / N**0.5)


def test_the_width_is_found_up_to_the_largest_error():
    for mae in (0.01, 0.5, LARGEST_MAE):
        for level in range(1, 6):
            assert expected_error(level, width(level, mae)) == pytest.approx(mae, rel=1e-6)


def test_a_label_is_the_same_whenever_it_is_asked_for():
    noise = RewardNoise(mae=1.0, false_positives=0.2)
    first = [noise.label(rubric(3), 1, k) for k in range(20)]
    assert [noise.label(rubric(3), 1, k) for k in range(20)] == first
    assert [noise.label(rubric(3), 2, k) for k in range(20)] != first


def test_false_positives_are_that_share_of_the_failures_and_touch_no_success():
    wrong = RewardNoise(false_positives=0.05)
    called = [wrong.label(rubric(2), 0, k).value for k in range(N)]
    assert set(called) == {2, 5}
    assert np.mean([value == 5 for value in called]) == pytest.approx(0.05, abs=0.016)
    assert all(wrong.label(rubric(5), 0, k).value == 5 for k in range(50))


@pytest.mark.parametrize(
    ("noise", "name"),
    [((), "exact"), ((0.7,), "mae0.7"), ((0, 0.05), "fp0.05"), ((1.2, 0.1), "mae1.2_fp0.1")],
)
def test_names_say_what_is_wrong(noise, name):
    assert RewardNoise(*noise).name == name


@pytest.mark.parametrize("bad", [{"mae": -0.1}, {"mae": 2.0}, {"false_positives": 1.1}])
def test_noise_that_cannot_be_is_refused(bad):
    with pytest.raises(ConfigError, match="out of range"):
        RewardNoise(**bad)
