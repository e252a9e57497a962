# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights are held back while the reward source declines too often."""

import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.session.brakes import AbstainBrake, AbstainBrakeConfig, BrakeChange

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
