# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights are held back while the reward source declines too often, and when it is fooled."""

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.session.brakes import (
    AbstainBrake,
    AbstainBrakeConfig,
    BrakeChange,
    judge_claims,
)
from roboreward_ros.session.monitor import MonitorConfig

SCORED, DECLINED = False, True


def test_more_than_a_fifth_of_the_last_twenty_holds_and_a_fifth_does_not():
    brake = AbstainBrake()
    assert brake.update([SCORED] * 16 + [DECLINED] * 4) is BrakeChange.NONE
    assert not brake.holds
    assert brake.message == ""
    assert brake.update([SCORED] * 15 + [DECLINED] * 5) is BrakeChange.HELD
    assert "5 of the last 20" in brake.message


def test_only_the_newest_twenty_count():
    brake = AbstainBrake()
    assert brake.update([DECLINED] * 100 + [SCORED] * 20) is BrakeChange.NONE


def test_the_first_abstentions_of_a_run_do_not_hold():
    brake = AbstainBrake()
    assert brake.update([DECLINED] * 4) is BrakeChange.NONE
    assert brake.update([DECLINED] * 5) is BrakeChange.HELD


def test_it_clears_itself_when_the_rate_falls():
    brake = AbstainBrake()
    brake.update([DECLINED] * 20)
    assert brake.update([DECLINED] * 20 + [SCORED] * 16) is BrakeChange.CLEARED
    assert not brake.holds


def test_a_label_of_a_person_clears_it():
    brake = AbstainBrake()
    labels = [SCORED] * 15 + [DECLINED] * 5
    brake.update(labels)
    labels[-1] = SCORED
    assert brake.update(labels) is BrakeChange.CLEARED


def test_the_operator_is_obeyed_until_the_rate_has_fallen_and_risen_again():
    brake = AbstainBrake()
    assert brake.release() is BrakeChange.NONE
    brake.update([DECLINED] * 5)
    assert brake.release() is BrakeChange.CLEARED
    assert brake.update([DECLINED] * 6) is BrakeChange.NONE
    assert brake.update([SCORED] * 20) is BrakeChange.NONE
    assert brake.update([SCORED] * 15 + [DECLINED] * 5) is BrakeChange.HELD


@pytest.mark.parametrize("bad", [{"window": 0}, {"share": -0.1}, {"share": 1.1}])
def test_limits_that_mean_nothing_are_refused(bad):
    with pytest.raises(ConfigError):
        AbstainBrakeConfig(**bad)


def held_at(share_false, seed, n=300, limit=0.2):
    """After how many audited claims the brake holds; None: never."""
    draw = np.random.default_rng(seed).random(n) < share_false
    for k in range(1, n + 1):
        if judge_claims(draw[:k].tolist(), limit, 0.05).holds:
            return k
    return None


def test_a_source_within_the_limit_is_hardly_ever_held():
    held = [held_at(0.2, seed, n=120) for seed in range(100)]
    assert sum(k is not None for k in held) <= 11  # 5 expected at most, for ever


def test_a_source_whose_successes_are_mostly_none_is_held_soon():
    held = [held_at(0.7, seed) for seed in range(20)]
    assert all(k is not None and k <= 40 for k in held)
    assert sorted(held)[10] <= 12


def test_a_held_source_stays_held_whatever_comes_and_says_why():
    found = judge_claims([True] * 6 + [False] * 100, 0.2, 0.05)
    assert found.holds
    assert "6 of 106 audited successes" in found.message
    assert judge_claims([True], 0.2, 0.05).message == ""


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_a_share_that_can_never_be_tested_is_refused(share):
    with pytest.raises(ConfigError, match="false_share"):
        MonitorConfig(false_share=share)
