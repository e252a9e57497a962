# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recorded latencies are found where they were recorded, and waited for where that is asked."""

import dataclasses
import json
import math

import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.records import pack_chunk, unpack_chunk
from roboreward_ros.episodes.run import open_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.verify import verify_run
from roboreward_ros.rehearsal.faults import Fault, FaultKind
from roboreward_ros.rehearsal.latency import (
    LONGEST_S,
    Latencies,
    coverage,
    decision_latency,
    reward_latencies,
    write_latencies,
)
from roboreward_ros.rehearsal.recording import StoredRecording
from roboreward_ros.rewards.live import LiveDesk, LiveFrame
from roboreward_ros.rewards.registry import build
from roboreward_ros.testing.conformance_episode_store import make_chunk, make_meta, record
from roboreward_ros.testing.conformance_reward_source import make_request
from roboreward_ros.testing.fake_rewards import FakeSource, FollowingSource, registry_name
from roboreward_ros.testing.troubled_rewards import NAME, TroubledConfig, TroubledSource
from roboreward_ros.types import EndCause, LabelRecord, RewardFailure


class TimedWriter:
    """A writer whose decisions took 10 ms and 20 ms more with each."""

    def __init__(self, writer):
        self._writer = writer

    def __getattr__(self, name):
        return getattr(self._writer, name)

    def add_chunk(self, chunk):
        self._writer.add_chunk(dataclasses.replace(chunk, latency_s=0.01 + 0.02 * chunk.index))


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """Two episodes: one with latencies, one of the time before they were stored."""
    run = tmp_path_factory.mktemp("recorded") / "monday"
    open_run(run, {"sim": False, "task": "open the drawer", "seed": 0, "policy": "p"})
    store = EpisodeStore(run, "w")
    for index in range(2):
        writer = store.create(make_meta(index))
        record(TimedWriter(writer) if index == 0 else writer)
        writer.commit(EndCause.TIME)
    store.close()
    answer = FakeSource().answer()
    late = dataclasses.replace(answer, latency_s=2.5)
    failed = RewardFailure("away", answer.provenance, 20.0)
    ledger = Ledger(run, "w")
    for outcome, shadow in ((dataclasses.replace(answer, latency_s=9.0), True), (late, False),
                            (failed, False)):  # fmt: skip
        ledger.append(LabelRecord(-1, "ep_000000", outcome, 0, shadow))
    ledger.close()
    return run


def test_what_a_decision_took_is_stored_and_older_episodes_and_journals_have_none(run_dir):
    first, second = EpisodeStore(run_dir)
    seconds = [chunk.latency_s for chunk in first.chunks()]
    assert seconds == pytest.approx([0.01 + 0.02 * k for k in range(len(seconds))])
    assert all(math.isnan(chunk.latency_s) for chunk in second.chunks())
    assert verify_run(run_dir) == []
    timed = dataclasses.replace(make_chunk(0, 0), latency_s=0.25)
    whole = memoryview(pack_chunk(timed))
    assert unpack_chunk(whole).latency_s == 0.25
    assert math.isnan(unpack_chunk(whole[:-8]).latency_s)
    with pytest.raises(ValueError, match="bytes for"):
        unpack_chunk(whole[:-4])


def test_a_recording_knows_its_latencies_and_says_what_it_does_not_know(run_dir):
    recording = StoredRecording(run_dir)
    first, second = recording.episode(0), recording.episode(1)
    assert decision_latency(first, 0) == pytest.approx(0.01)
    assert decision_latency(first, 1) == 0.0, "no decision is due there"
    assert first.reward_s == 2.5, "the first answer that was in force"
    assert decision_latency(second, 0) == 0.0
    assert math.isnan(second.reward_s)
    assert "in 1 of 2 episodes, of rewards in 1;" in coverage(recording)


def test_rewards_are_late_by_what_was_recorded_or_asked_for_whichever_is_more(run_dir):
    recording = StoredRecording(run_dir)
    faults = [Fault(FaultKind.REWARD_LATE, 1, amount=4.0), Fault(FaultKind.REWARD_LATE, amount=1.0)]
    assert reward_latencies(recording, (), Latencies.OWN) == {}
    assert reward_latencies(recording, (), Latencies.RECORDED) == {"ep_000000": 2.5}
    assert reward_latencies(recording, faults, Latencies.OWN) == {"ep_000000": 1, "ep_000001": 4}
    both = reward_latencies(recording, faults, Latencies.RECORDED)
    assert both == {"ep_000000": 2.5, "ep_000001": 4.0}
    endless = [Fault(FaultKind.REWARD_LATE, amount=1e6)]
    assert reward_latencies(recording, endless, Latencies.OWN) == {"ep_000000": LONGEST_S}


def late(tmp_path, clock, source, **options):
    file = write_latencies(tmp_path, {"ep_000000": 3.0})
    return TroubledSource(
        TroubledConfig(registry_name(source), json.dumps(options), str(file)), clock
    )


def test_a_late_source_answers_as_the_one_within_and_not_before_it_is_due(tmp_path):
    clock = FakeClock()
    source = late(tmp_path, clock, FakeSource, value=4.0)
    source.warm_up()
    assert source.spec == FakeSource().spec
    assert source.score(make_request(source)).value == 4.0
    assert clock.steady_ns() == 3_000_000_000
    source.score(make_request(source, "ep_000001"))
    assert clock.steady_ns() == 3_000_000_000, "nothing is known of this one"
    source.close()


@pytest.mark.parametrize(("within", "said"), [(FollowingSource, "5 live"), (FakeSource, "")])
def test_a_late_source_follows_running_episodes_where_the_one_within_can(tmp_path, within, said):
    clock = FakeClock()
    source = late(tmp_path, clock, within)
    desk, request = LiveDesk(source), make_request(source)
    for step, jpeg in enumerate(request.frames):
        desk.push(LiveFrame("ep_000000", request.task, request.control_hz, step, jpeg))
    outcome, live = desk.score(request)
    assert (outcome.text, live) == (said, bool(said))
    assert clock.steady_ns() == 3_000_000_000


def test_the_registry_builds_it_from_plain_options(tmp_path):
    file = write_latencies(tmp_path, {})
    options = {"source": "degraded", "options": '{"probability": 0.5}', "latencies": str(file)}
    source = build(NAME, options)
    assert source.spec.name == "degraded"
    source.close()
