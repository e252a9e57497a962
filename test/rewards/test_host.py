# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import queue
import threading

import pytest

from roboreward_ros.clock import SystemClock
from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.host import RewardHost
from roboreward_ros.rewards.worker import ChildSource
from roboreward_ros.testing import fake_rewards as fakes
from roboreward_ros.testing.conformance_reward_source import make_request
from roboreward_ros.types import RewardFailure, RewardRequest, Score


def name(kind):
    return fakes.registry_name(kind)


@pytest.fixture
def host():
    made = []

    def make(kind=fakes.FakeSource, options=None, **changes):
        source = kind if isinstance(kind, str) else name(kind)
        made.append(RewardHost(source, options, **changes))
        return made[-1]

    yield make
    for item in made:
        item.close()


class Gate(fakes.FakeSource):
    """Waits for the test before it answers; records what it was given."""

    entered = threading.Semaphore(0)
    leave = threading.Semaphore(0)
    seen: list[RewardRequest] = []  # noqa: RUF012
    closed_count = 0

    def score(self, request):
        Gate.seen.append(request)
        Gate.entered.release()
        Gate.leave.acquire(timeout=60)
        return self.answer()

    def close(self):
        Gate.closed_count += 1


@pytest.fixture
def gate():
    Gate.entered, Gate.leave = threading.Semaphore(0), threading.Semaphore(0)
    Gate.seen, Gate.closed_count = [], 0
    return f"{__name__}:Gate"


REQUEST = make_request(fakes.FakeSource())


def test_it_scores_with_the_active_source(host):
    made = host(fakes.FakeSource, {"value": 4.0})
    assert made.active.name == "FakeSource"
    assert made.score(REQUEST).value == 4


@pytest.mark.parametrize("kind", fakes.MISBEHAVING)
def test_it_survives_every_misbehaviour(host, kind):
    made = host(kind, {"only": "bad"}, deadline_s=0.3)
    bad = made.score(dataclasses.replace(REQUEST, episode_id="bad"))
    assert isinstance(bad, RewardFailure)
    made._active.deadline_s = 60.0
    assert isinstance(made.score(REQUEST), Score)


def test_it_survives_a_child_that_crashes(host):
    made = host(fakes.CrashingSource, {"only": "bad", "child": True})
    bad = made.score(dataclasses.replace(REQUEST, episode_id="bad"))
    assert isinstance(bad, RewardFailure)
    assert bad.latency_s > 0
    assert made.score(REQUEST).value == 3


def test_a_swap_takes_over_between_two_episodes(host, gate):
    made = host(gate)
    before = made.submit(REQUEST)
    assert Gate.entered.acquire(timeout=60)
    swap = threading.Thread(target=made.swap, args=(name(fakes.FakeSource), {"value": 5.0}))
    swap.start()
    after = made.submit(REQUEST)
    assert made.active.name == "Gate", "it still scores"
    Gate.leave.release(2)
    swap.join()
    assert before.result().value == 3
    assert before.result().provenance.source == "Gate"
    assert after.result().provenance.source in ("Gate", "FakeSource")
    assert made.score(REQUEST).value == 5
    assert Gate.closed_count == 1


@pytest.mark.parametrize(
    ("source", "options", "error"),
    [
        ("no_such", None, ConfigError),
        ("human", {"noise": 9}, ConfigError),
        (name(fakes.ColdSource), None, RewardSourceError),
        (name(fakes.ColdSource), {"child": True}, RewardSourceError),
    ],
)
def test_a_swap_that_fails_keeps_the_active_source(host, source, options, error):
    made = host()
    with pytest.raises(error):
        made.swap(source, options)
    assert made.active.name == "FakeSource"
    assert made.score(REQUEST).value == 3


def test_a_first_source_that_fails_is_an_error_at_the_start():
    with pytest.raises(RewardSourceError, match="weights"):
        RewardHost(name(fakes.ColdSource))


def test_the_shadow_reports_and_labels_nothing(host):
    said = queue.Queue()
    made = host(on_shadow=lambda *args: said.put(args))
    assert made.shadow is None
    made.set_shadow(name(fakes.FakeSource), {"value": 1.0})
    assert made.score(REQUEST).value == 3
    spec, request, outcome = said.get(timeout=60)
    assert (spec, request.episode_id, outcome.value) == (made.shadow, "ep_000000", 1)
    made.clear_shadow()
    made.clear_shadow()
    assert made.shadow is None
    made.score(REQUEST)
    assert said.empty()


def test_a_shadow_that_hangs_does_not_hold_the_active_source_up(host):
    said = queue.Queue()
    made = host(deadline_s=0.3, on_shadow=lambda *args: said.put(args))
    made.set_shadow(name(fakes.HangingSource))
    assert isinstance(made.score(REQUEST), Score)
    assert isinstance(said.get(timeout=60)[2], RewardFailure)


def test_an_error_in_the_report_does_not_stop_the_shadow(host):
    said = queue.Queue()

    def report(spec, request, outcome):
        said.put(outcome)
        raise ValueError("no disk")

    made = host(on_shadow=report)
    made.set_shadow(name(fakes.FakeSource))
    for _ in range(2):
        made.score(REQUEST)
        said.get(timeout=60)


def test_truth_reaches_only_sources_that_declare_it(host, gate):
    made = host(gate)
    Gate.leave.release(2)
    truth = make_request(fakes.FakeSource()).truth
    assert truth is None
    with_truth = dataclasses.replace(REQUEST, truth=["secret"])
    made.score(with_truth)
    assert Gate.seen[-1].truth is None
    made.swap("ground_truth")
    needs = made.active
    assert needs.needs_truth
    asked = []

    def factory(spec):
        asked.append(spec)
        return REQUEST

    assert isinstance(made.score(factory), RewardFailure)
    assert asked == [needs]


def test_an_episode_that_cannot_be_read_is_a_failure(host):
    def factory(spec):
        raise OSError("damaged")

    outcome = host().score(factory)
    assert isinstance(outcome, RewardFailure)
    assert "damaged" in outcome.message


def test_the_queue_is_bounded(host, gate):
    made = host(gate, queue_size=2)
    first = made.submit(REQUEST)
    assert Gate.entered.acquire(timeout=60)
    waiting = [made.submit(REQUEST) for _ in range(2)]
    assert made.pending == 2
    with pytest.raises(RewardSourceError, match="too many"):
        made.submit(REQUEST)
    assert isinstance(made.score(REQUEST), RewardFailure)
    Gate.leave.release(3)
    assert all(isinstance(f.result(timeout=60), Score) for f in [first, *waiting])


def test_an_episode_that_nobody_waits_for_any_more_is_not_scored(host, gate):
    made = host(gate)
    first = made.submit(REQUEST)
    assert Gate.entered.acquire(timeout=60)
    left = made.score(dataclasses.replace(REQUEST, episode_id="left"), wanted=lambda: False)
    assert isinstance(left, RewardFailure)
    Gate.leave.release(3)
    assert isinstance(first.result(timeout=60), Score)
    assert isinstance(made.score(REQUEST), Score)
    assert [request.episode_id for request in Gate.seen] == ["ep_000000", "ep_000000"]


def test_a_cancel_before_the_episode_is_sent_is_heeded():
    child = ChildSource(name(fakes.FakeSource), {"child": True})
    child.warm_up()
    child.unwanted = lambda: True
    with pytest.raises(RewardSourceError, match="nobody waits"):
        child.score(REQUEST)
    child.unwanted = lambda: False
    assert isinstance(child.score(REQUEST), Score)
    child.close()


def test_a_swap_that_is_stopped_at_the_last_moment_keeps_the_active_source(host, gate):
    made = host()

    def refuse(spec):
        raise OSError(f"{spec.name} cannot be noted")

    with pytest.raises(OSError, match="Gate cannot"):
        made.swap(gate, before=refuse)
    assert Gate.closed_count == 1
    made.set_shadow(gate)
    with pytest.raises(OSError, match="Gate cannot"):
        made.promote_shadow(refuse)
    assert (made.active.name, made.shadow.name) == ("FakeSource", "Gate")
    Gate.leave.release()
    assert isinstance(made.score(REQUEST), Score)


def test_closing_answers_everybody(host, gate):
    made = host(gate)
    futures = [made.submit(REQUEST) for _ in range(3)]
    assert Gate.entered.acquire(timeout=60)
    closing = threading.Thread(target=made.close)
    closing.start()
    while not made._closed:
        SystemClock().sleep(0.001)
    Gate.leave.release()
    closing.join()
    assert isinstance(futures[0].result(timeout=60), Score)
    assert all(isinstance(f.result(timeout=60), RewardFailure) for f in futures[1:])
    assert isinstance(made.score(REQUEST), RewardFailure)
    made.close()
