# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.guard import Guard, checked
from roboreward_ros.testing import fake_rewards as fakes
from roboreward_ros.testing.conformance_reward_source import make_request
from roboreward_ros.types import RewardFailure, Score


def ask(source, deadline_s=20.0):
    outcome = Guard(source, deadline_s).score(make_request(source))
    source.close()
    return outcome


def test_a_good_answer_passes_with_its_latency():
    outcome = ask(fakes.FakeSource())
    assert isinstance(outcome, Score)
    assert outcome.value == 3
    assert 0 < outcome.latency_s < 20


@pytest.mark.parametrize("kind", fakes.MISBEHAVING)
def test_misbehaviour_becomes_a_failure_and_never_a_number(kind):
    outcome = ask(kind(), 0.2)
    assert isinstance(outcome, RewardFailure)
    assert outcome.message
    assert outcome.provenance.source == kind.__name__
    assert outcome.latency_s > 0


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (fakes.RaisingSource, "ValueError: no such tensor"),
        (fakes.ExitingSource, "SystemExit: 3"),
        (fakes.HangingSource, "no answer within 0.1 s"),
        (fakes.NanSource, "out of range; got nan"),
        (fakes.SmuggledSource, "got nan; allowed: 1..5"),
        (fakes.OutOfRangeSource, "got 50.0; allowed: 1..5"),
        (fakes.WrongScaleSource, "scored on unit_0_1, announced rubric_1_5"),
        (fakes.WrongTypeSource, "int instead of Score"),
    ],
)
def test_a_failure_says_what_happened(kind, message):
    assert message in ask(kind(), 0.1 if kind is fakes.HangingSource else 20.0).message


def test_a_source_that_hangs_again_and_again_is_not_asked_any_more():
    guard = Guard(fakes.HangingSource(), 0.02)
    request = make_request(guard.source)
    messages = [guard.score(request).message for _ in range(6)]
    assert [m.startswith("no answer") for m in messages] == [True] * 4 + [False] * 2
    assert "4 earlier calls still hang" in messages[-1]
    guard.source.close()


def test_a_source_that_wakes_up_is_asked_again():
    class Sleepy(fakes.FakeSource):
        wake = threading.Event()

        def misbehave(self):
            self.wake.wait()
            return self.answer()

    source = Sleepy()
    before = set(threading.enumerate())
    guard = Guard(source, 0.02)
    request = make_request(source)
    for _ in range(5):
        assert isinstance(guard.score(request), RewardFailure)
    source.wake.set()
    for thread in set(threading.enumerate()) - before:
        thread.join()
    guard.deadline_s = 20.0
    assert isinstance(guard.score(request), Score)


def test_the_spec_announces_the_deadline():
    assert Guard(fakes.FakeSource(fakes.FakeConfig(timeout_s=7.0))).deadline_s == 7.0


def test_a_dense_source_must_score_every_frame():
    import dataclasses

    source = fakes.FakeSource()
    dense = dataclasses.replace(source.spec, dense=True)
    outcome = checked(source.answer(), dense, make_request(source))
    assert isinstance(outcome, RewardFailure)
    assert "0 per-step values for 5 frames" in outcome.message


@pytest.mark.parametrize("kind", [fakes.ColdSource, fakes.SlowStartSource])
def test_a_source_that_does_not_get_warm_is_an_error(kind):
    with pytest.raises(RewardSourceError, match=r"weights|no answer"):
        Guard(kind()).warm_up(0.2)
