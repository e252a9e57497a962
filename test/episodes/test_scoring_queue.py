# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Unlabelled episodes are scored when the source returns: in order, each once, nobody held up."""

import threading
from concurrent.futures import Future

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.episodes.scoring import Scorebook
from roboreward_ros.episodes.scoring_jobs import RetryConfig
from roboreward_ros.episodes.scoring_queue import ScoringQueue
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError, StoreError
from roboreward_ros.types import (
    EndCause,
    EpisodeMeta,
    Provenance,
    RewardFailure,
    RobotState,
    Score,
    ScoreKind,
    ScoreScale,
    StepFlag,
    StepReport,
)

SOURCE = "model"


def add_episode(store, index):
    meta = EpisodeMeta(f"ep_{index:06d}", index, "t", index, 1, 5.0, "twin", "fake", 4, 1)
    writer = store.create(meta)
    zeros, action = np.zeros(6), np.zeros(7)
    for step in range(2):
        state = RobotState(1 + step, zeros, zeros, zeros, 1.0, np.eye(4), np.zeros(7))
        if step:
            writer.add_step(0, StepReport(action, action, np.eye(4), zeros, StepFlag.NONE, state))
        writer.add_observation(step, 1 + step, b"\xff\xd8 frame \xff\xd9", action, zeros)
    writer.commit(EndCause.TIME, ())


class Desk:
    """A run with a source that is switched on and off; the queue is turned by hand."""

    def __init__(self, path):
        self.store = EpisodeStore(path)
        self.there = True
        self.leave_after = None
        self.costs_s = 0.0
        self.poison = set()
        self.asked = []
        self.problems = []
        self.batch = 1
        self.clock = FakeClock()
        self.written = []
        self.book = Scorebook(path, self.written.append)
        self.book.promote(SOURCE, ScoreScale.RUBRIC)
        self.queue = ScoringQueue(
            self.book,
            self.ask,
            lambda: SOURCE,
            lambda: self.batch,
            lambda name, why: self.problems.append(name),
            clock=self.clock,
        )

    def ask(self, readers, wanted):
        names = [reader.summary.meta.episode_id for reader in readers]
        if len(self.asked) == self.leave_after:
            self.there = False
        self.asked.append(tuple(int(name[3:]) for name in names))
        self.clock.advance(self.costs_s)
        return [
            Score(3.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance(SOURCE))
            if self.there and int(name[3:]) not in self.poison
            else RewardFailure("gone", Provenance(SOURCE))
            for name in names
        ]

    def add(self, index):
        return self.store.open(f"ep_{index:06d}")

    def submit(self, index, **changes) -> Future:
        future = self.queue.submit(self.add(index), **changes)
        self.queue.turn()
        return future

    def settle(self):
        """Turn while anything is due."""
        for _ in range(100):
            if self.queue.turn() != 0:
                return
        pytest.fail("the queue never rests")

    @property
    def scored(self):
        return [
            int(r.episode_id[3:]) for r in self.written if not isinstance(r.outcome, RewardFailure)
        ]

    @property
    def failed(self):
        return [int(r.episode_id[3:]) for r in self.written if isinstance(r.outcome, RewardFailure)]

    def close(self):
        self.queue.close()
        self.book.close()


@pytest.fixture(scope="module")
def episodes(tmp_path_factory):
    """Seven committed episodes, written once."""
    path = tmp_path_factory.mktemp("run")
    store = EpisodeStore(path, "w")
    for index in range(7):
        add_episode(store, index)
    store.close()
    return path


@pytest.fixture
def desk(episodes, tmp_path):
    (tmp_path / "episodes").symlink_to(episodes / "episodes")
    made = Desk(tmp_path)
    yield made
    made.close()


def test_what_failed_is_tried_again_after_a_growing_pause_without_another_record(desk):
    desk.there = False
    assert isinstance(desk.submit(0).result(0).outcome, RewardFailure)
    for pause_s in (1, 2, 4, 8):
        desk.clock.advance(pause_s - 0.01)
        count = len(desk.asked)
        desk.queue.turn()
        assert len(desk.asked) == count
        desk.clock.advance(0.02)
        desk.queue.turn()
        assert len(desk.asked) == count + 1
    desk.there = True
    desk.clock.advance(60)
    desk.settle()
    assert (desk.failed, desk.scored, desk.queue.waiting) == ([0], [0], 0)


def test_the_pause_has_an_end(desk):
    desk.there = False
    desk.submit(0)
    for _ in range(20):
        desk.clock.advance(60.01)
        desk.queue.turn()
    assert desk.asked == [(0,)] * 21


def test_an_outage_is_made_up_in_order_and_once_by_the_timer(desk):
    desk.there = False
    for index in range(5):
        desk.submit(index)
    desk.there = True
    desk.clock.advance(60)
    desk.settle()
    assert desk.scored == [0, 1, 2, 3, 4]
    assert desk.failed == [0, 1, 2, 3, 4]


def test_a_younger_episode_that_is_answered_first_is_written_last(desk):
    desk.there = False
    for index in range(3):
        desk.submit(index)
    desk.there = True
    assert desk.submit(3).result(0).outcome.value == 3.0
    assert desk.scored == [0, 1, 2, 3]


def test_an_episode_with_a_fault_of_its_own_holds_nobody_up(desk):
    desk.poison = {0}
    desk.submit(0)
    for index in range(1, 4):
        desk.submit(index)
    assert desk.scored == [1, 2, 3]
    assert desk.asked.count((0,)) == 2
    assert desk.queue.waiting == 1
    desk.clock.advance(61)
    desk.settle()
    assert (desk.queue.waiting, desk.failed) == (1, [0])
    desk.poison.clear()
    desk.clock.advance(601)
    desk.settle()
    assert desk.scored == [1, 2, 3, 0]


def test_a_poisoned_head_does_not_block_the_backlog_of_a_start(desk):
    desk.poison = {0, 1}
    desk.queue.catch_up(desk.store.ids()[:4])
    for _ in range(5):
        desk.settle()
        desk.clock.advance(60)
    assert desk.scored == [2, 3]
    assert desk.failed == [0, 1]


def test_a_backlog_whose_source_is_away_costs_two_questions_a_try(desk):
    desk.there = False
    desk.queue.catch_up(desk.store.ids())
    desk.queue.turn()
    assert len(desk.asked) == 2


def test_a_source_that_leaves_in_the_middle_of_a_backlog_finds_it_in_order(desk):
    desk.there = False
    for index in range(5):
        desk.submit(index)
    desk.leave_after = len(desk.asked) + 3  # 5, which is there now, then 0 and 1
    desk.there = True
    desk.submit(5)
    assert desk.scored == [0, 1, 5]
    assert desk.asked[-2:] == [(2,), (3,)], "two failures in a row are enough"
    assert desk.queue.waiting == 3
    desk.submit(6)
    assert desk.scored == [0, 1, 5]
    desk.leave_after, desk.there = None, True
    desk.clock.advance(61)
    desk.settle()
    assert desk.scored == [0, 1, 5, 2, 3, 4, 6]
    assert sorted(desk.failed) == [0, 1, 2, 3, 4, 6]


def test_a_fresh_answer_waits_for_a_long_backlog_for_a_bounded_time(desk):
    desk.queue.catch_up(desk.store.ids()[:6])
    desk.costs_s = 4.0  # the first is asked at 4 s, the others at 8, 12, 16: the bound is 10 s
    desk.submit(6)
    assert desk.scored == [0, 1, 2, 6]
    desk.settle()
    assert desk.scored == [0, 1, 2, 6, 3, 4, 5]


def test_two_episodes_with_faults_of_their_own_do_not_hold_up_every_fresh_one(desk):
    desk.poison = {0, 1}
    desk.submit(0)
    desk.submit(1)
    count = len(desk.asked)
    for index in range(2, 6):
        desk.submit(index)
    assert desk.scored == [2, 3, 4, 5]
    assert len(desk.asked) - count == 4 + 2


def test_waiting_episodes_are_asked_together_where_the_source_can(desk):
    desk.batch = 3
    desk.queue.catch_up(desk.store.ids())
    desk.settle()
    assert desk.asked == [(0, 1, 2), (3, 4, 5), (6,)]
    assert desk.scored == list(range(7))


def test_an_answered_episode_is_not_asked_about_again_unless_forced(desk):
    first = desk.submit(0).result(0)
    again = desk.queue.submit(desk.store.open("ep_000000"))
    desk.queue.turn()
    assert again.result(0).seq == first.seq
    forced = desk.queue.submit(desk.store.open("ep_000000"), force=True)
    desk.queue.turn()
    assert forced.result(0).seq == 1
    desk.queue.catch_up(["ep_000000"])
    desk.settle()
    assert len(desk.asked) == 2


def test_an_unwanted_answer_is_written_nowhere(desk):
    unwanted = threading.Event()
    episode = desk.add(0)
    future = desk.queue.submit(episode, wanted=lambda: not unwanted.is_set())
    unwanted.set()
    desk.queue.turn()
    assert future.result(0) is None
    assert desk.written == []


def test_an_episode_whose_asker_left_is_scored_later(desk):
    gone = threading.Event()
    future = desk.queue.submit(desk.add(0), wanted=lambda: not gone.is_set())
    gone.set()
    desk.queue.turn()
    assert future.result(0) is None
    desk.settle()
    assert desk.scored == [0]
    assert desk.queue.waiting == 0


def test_a_ledger_that_fails_in_the_middle_of_a_batch_costs_no_episode(desk, monkeypatch):
    desk.batch = 3
    futures = [desk.queue.submit(desk.add(index)) for index in range(3)]
    add, full = desk.book.add, [1]

    def once_full(episode_id, outcome, **more):
        if episode_id == "ep_000001" and full:
            full.pop()
            raise StoreError("disk full")
        return add(episode_id, outcome, **more)

    monkeypatch.setattr(desk.book, "add", once_full)
    with pytest.raises(StoreError):
        desk.queue.turn()
    assert futures[0].result(0).episode_id == "ep_000000"
    assert all(isinstance(future.exception(0), StoreError) for future in futures[1:])
    desk.settle()
    assert desk.scored == [0, 1, 2]


def test_a_ledger_that_cannot_be_read_answers_those_who_asked(desk, monkeypatch):
    future = desk.queue.submit(desk.add(0))
    with monkeypatch.context() as patch:
        patch.setattr(desk.book, "known", _unreadable)
        with pytest.raises(StoreError):
            desk.queue.turn()
    assert isinstance(future.exception(0), StoreError)
    desk.settle()
    assert desk.scored == [0]


def _unreadable(episode_id, source):
    raise StoreError(f"no {source} answer of {episode_id} can be read")


def test_another_source_is_asked_at_once_about_what_waits(desk):
    desk.poison = {0}
    desk.submit(0)
    desk.submit(1)
    desk.poison.clear()
    desk.queue.source_changed()
    desk.settle()
    assert desk.scored == [1, 0]


def test_a_damaged_episode_is_named_and_given_up(desk):
    desk.queue.catch_up(["ep_000000", "ep_000009"])
    desk.settle()
    assert desk.scored == [0]
    assert desk.problems == ["ep_000009"]
    assert desk.queue.waiting == 0


def test_a_closed_queue_answers_those_who_wait(desk):
    future = desk.queue.submit(desk.add(0))
    desk.queue.close()
    assert future.result(0) is None
    assert desk.queue.submit(desk.store.open("ep_000000")).result(0) is None


def test_its_thread_scores_without_being_turned(desk):
    desk.queue.start()
    assert desk.queue.submit(desk.add(0)).result(60).outcome.value == 3.0


def test_pauses_that_do_not_grow_are_refused():
    with pytest.raises(ConfigError):
        RetryConfig(first_s=10, longest_s=1)
