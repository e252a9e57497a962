# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roboreward_ros.clock import FakeClock
from roboreward_ros.session.account import Account, Cause
from roboreward_ros.types import IdleAccount

changes = st.lists(st.tuples(st.sampled_from(Cause), st.integers(0, 10**12)), max_size=40)


@given(changes)
def test_every_nanosecond_belongs_to_exactly_one_cause(steps):
    clock = FakeClock()
    account = Account(clock)
    expected = dict.fromkeys(Cause, 0)
    for cause, duration_ns in steps:
        account.switch(cause)
        clock.steady += duration_ns
        expected[cause] += duration_ns
    assert account.total_ns() == clock.steady
    snapshot = account.snapshot()
    for cause, ns in expected.items():
        assert getattr(snapshot, f"{cause}_s") == ns / 1e9
    assert account.total_ns() == clock.steady


def test_time_before_the_start_and_after_the_stop_is_on_no_account():
    clock = FakeClock()
    account = Account(clock)
    clock.advance(5)
    account.switch(Cause.MOTION)
    clock.advance(2)
    account.switch(None)
    clock.advance(7)
    assert account.snapshot() == IdleAccount(motion_s=2.0)


def test_a_resumed_run_adds_to_what_was_spent():
    clock = FakeClock()
    account = Account(clock, before=IdleAccount(motion_s=10.0, fault_s=0.5))
    account.switch(Cause.RESET)
    clock.advance(1.5)
    assert account.snapshot() == IdleAccount(motion_s=10.0, reset_s=1.5, fault_s=0.5)
    assert account.snapshot().total_s() == pytest.approx(12.0)


def test_a_step_of_the_wall_clock_changes_nothing():
    clock = FakeClock()
    account = Account(clock)
    account.switch(Cause.LEARNER)
    clock.advance(1)
    clock.offset -= 3_600_000_000_000
    clock.advance(1)
    assert account.snapshot() == IdleAccount(learner_s=2.0)
