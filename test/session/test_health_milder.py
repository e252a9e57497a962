# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reason becomes milder when its trouble did, for as long as health must last."""

import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.session.health import HealthBoard, HealthConfig
from roboreward_ros.types import HealthLevel

ERROR, WARN, OK = HealthLevel.ERROR, HealthLevel.WARN, HealthLevel.OK


@pytest.fixture
def part():
    """Says something for some seconds, and returns the reason that it then is."""
    clock, told = FakeClock(), []
    board = HealthBoard(HealthConfig(rise_s=5.0, clear_s=15.0), clock, told.append)

    def says(level, seconds, what="trouble"):
        for _ in range(seconds):
            board.heard("recorder_node", "disk", level, what)
            reasons = board.view().reasons
            clock.advance(1.0)
        return reasons[0] if reasons else None

    says.told = told
    return says


def test_trouble_that_was_milder_long_enough_is_a_milder_reason_and_calls_nobody(part):
    assert part(ERROR, 10, "full").level is ERROR
    since_ns = part(ERROR, 1, "full").since_ns
    assert part(WARN, 15, "nearly full").level is ERROR
    reason = part(WARN, 1, "nearly full")
    assert (reason.level, reason.what, reason.since_ns) == (WARN, "nearly full", since_ns)
    assert [event.raised for event in part.told] == [True]
    assert part(ERROR, 1, "full").level is ERROR, "worse again is told at once"
    assert [event.raised for event in part.told] == [True, True]


def test_trouble_that_is_worse_now_and_then_stays_what_it_was(part):
    part(ERROR, 10)
    for _ in range(5):
        assert part(WARN, 12).level is ERROR
        assert part(ERROR, 1).level is ERROR
    assert len(part.told) == 1


def test_health_now_and_then_counts_as_milder_but_ends_nothing(part):
    part(ERROR, 10)
    assert part(OK, 10).level is ERROR
    assert part(WARN, 7).level is WARN
    assert part(OK, 14).level is WARN
    assert part(OK, 2) is None
    assert [event.raised for event in part.told] == [True, False]
