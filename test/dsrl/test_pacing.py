# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from roboreward_ros.dsrl.pacing import Pacing, PacingConfig
from roboreward_ros.errors import ConfigError

QUOTA = 40


def paced(idle_s=0.0, committed=2):
    pacing = Pacing()
    pacing.session(0.0, 1)
    pacing.session(idle_s, committed)
    return pacing


def test_without_a_session_nothing_changes():
    assert Pacing().grant(1, QUOTA, QUOTA, 100.0) == 0


def test_idle_time_is_used_for_more_updates_within_limits():
    assert paced(idle_s=1.0).grant(1, QUOTA, QUOTA, 100.0) == 10, "half of 100, less what is owed"
    assert paced(idle_s=60.0).grant(1, QUOTA, QUOTA, 100.0) == 2 * QUOTA
    assert paced(idle_s=0.1).grant(1, QUOTA, QUOTA, 100.0) == 0


def test_idle_time_counts_once():
    pacing = paced(idle_s=1.0)
    pacing.grant(1, QUOTA, QUOTA, 100.0)
    assert pacing.grant(1, QUOTA, 0, 100.0) == 0
    pacing.session(1.0, 3)
    assert pacing.grant(2, 2 * QUOTA, QUOTA, 100.0) == 0


def test_a_learner_that_cannot_keep_up_drops_updates_instead_of_holding_the_robot():
    pacing = paced(committed=5)
    assert pacing.grant(1, QUOTA, 30, 1.0) == -30
    assert pacing.grant(3, 3 * QUOTA, 30, 1.0) == 0


def test_what_was_there_at_the_start_is_learnt_in_full():
    pacing = Pacing()
    pacing.session(500.0, 100)
    assert pacing.grant(3, 3 * QUOTA, 30, 1.0) == 0


def test_limits_out_of_range_are_refused():
    with pytest.raises(ConfigError, match=r"most 0\.5"):
        PacingConfig(most=0.5)
