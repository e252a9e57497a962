# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

from roboreward_ros.episodes.labels import key_record, undo_record
from roboreward_ros.episodes.ledger import OPERATOR, Ledger
from roboreward_ros.episodes.promoted import promote, read_promoted
from roboreward_ros.episodes.views import LabelStatus, RewardView, ViewConfig
from roboreward_ros.errors import ConfigError, SessionError
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    LabelRecord,
    Provenance,
    RewardFailure,
    Score,
    ScoreKind,
    ScoreScale,
)

EP = "ep_000000"


class Book:
    """Both ledgers of a run, and views over them."""

    def __init__(self, run_dir):
        self.scores = Ledger(run_dir, "w")
        self.keys = Ledger(run_dir, "w", OPERATOR)
        self.stamp = 0

    def view(self, source="vlm", **changes):
        return RewardView([self.scores, self.keys], ViewConfig(source, **changes))

    def score(self, value, source="vlm", episode_id=EP, scale=ScoreScale.RUBRIC, shadow=False):
        outcome = Score(value, scale, ScoreKind.NONE, Provenance(source))
        return self.add(outcome, episode_id, shadow)

    def add(self, outcome, episode_id=EP, shadow=False):
        self.stamp += 1
        return self.scores.append(LabelRecord(-1, episode_id, outcome, self.stamp, shadow))

    def press(self, key, episode_id=EP, operator="ann"):
        self.stamp += 1
        return self.keys.append(key_record(key, episode_id, self.stamp, operator))

    def undo(self, operator="ann"):
        self.stamp += 1
        return self.keys.append(undo_record(self.keys.records(), self.stamp, operator))


@pytest.fixture
def book(run_dir):
    return Book(run_dir)


def value(view, episode_id=EP):
    score = view.label(episode_id)
    return None if score is None else score.value


def abstain(source="vlm"):
    return Abstain(AbstainReason.ENTROPY, Provenance(source))


def failure(source="vlm"):
    return RewardFailure("hung", Provenance(source))


def test_an_unscored_episode_has_no_label(book):
    assert value(book.view()) is None
    assert book.view().status(EP).status is LabelStatus.UNSCORED


def test_the_promoted_source_labels_and_others_do_not(book):
    book.score(2, "other")
    assert value(book.view()) is None
    book.score(4, "vlm")
    assert value(book.view()) == 4
    assert value(book.view("other")) == 2


def test_a_fallback_labels_until_the_source_does(book):
    view = book.view(fallbacks=("old", "older"))
    book.score(2, "older")
    assert value(view) == 2
    book.score(3, "old")
    assert value(view) == 3
    book.score(5, "vlm")
    assert value(view) == 5


def test_the_newest_answer_of_a_source_holds_and_failures_do_not_erase_it(book):
    view = book.view()
    book.score(2)
    book.score(4)
    book.add(failure())
    assert value(view) == 4
    book.add(abstain())
    assert view.status(EP).status is LabelStatus.ABSTAINED


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(abstain(), LabelStatus.ABSTAINED), (failure(), LabelStatus.FAILED)],
)
def test_without_a_score_the_episode_stays_unlabelled(book, outcome, status):
    book.add(outcome)
    label = book.view().status(EP)
    assert (label.status, label.score) == (status, None)
    assert label.detail


def test_shadow_scores_label_nothing_unless_asked_for(book):
    book.score(4, shadow=True)
    assert value(book.view()) is None
    assert value(book.view(include_shadow=True)) == 4


@pytest.mark.parametrize(
    ("key", "scored", "expected"),
    [
        ("s", None, 5),
        ("s", 1, 5),
        ("f", 5, 4),
        ("f", 4, 4),
        ("f", 2, 2),
        ("1", 5, 1),
        ("3", None, 3),
        ("5", 1, 5),
    ],
)
def test_a_person_overrules_the_source(book, key, scored, expected):
    if scored is not None:
        book.score(scored)
    book.press(key)
    assert value(book.view()) == expected
    assert book.view().label(EP).provenance.source == "human"


def test_failure_without_a_score_asks_and_follows_a_late_score(book):
    view = book.view()
    book.press("f")
    assert view.status(EP).status is LabelStatus.ASK
    book.score(3)
    assert value(view) == 3


def test_failure_after_an_abstention_asks(book):
    book.add(abstain())
    book.press("f")
    assert book.view().status(EP).status is LabelStatus.ASK
    book.press("2")
    assert value(book.view()) == 2


def test_where_the_human_is_the_source_keys_are_binary(book):
    view = book.view("human")
    book.press("f")
    assert value(view) == 1
    book.press("s")
    assert value(view) == 5


def test_a_scripted_human_is_a_source_and_a_key_overrules_it(book):
    view = book.view("human")
    book.score(5, "human")
    assert value(view) == 5
    book.press("f")
    assert value(view) == 1


def test_undo_takes_back_the_newest_label_then_the_one_before(book):
    view = book.view()
    book.score(2)
    book.press("s")
    book.press("4")
    assert value(view) == 4
    book.undo()
    assert value(view) == 5
    book.undo()
    assert value(view) == 2
    with pytest.raises(SessionError, match="no label"):
        book.undo()
    book.press("3")
    assert value(view) == 3


def test_undo_takes_back_only_ones_own(book):
    book.press("s", operator="ann")
    with pytest.raises(SessionError):
        book.undo("bob")
    assert value(book.view()) == 5


def test_an_unknown_key_is_refused():
    with pytest.raises(ConfigError, match="allowed: s, f, 1"):
        key_record("6", EP, 1, "ann")


def test_one_scale_a_view(book):
    book.score(0.7, "vlm", scale=ScoreScale.UNIT)
    rubric = book.view().status(EP)
    assert rubric.score is None
    assert "unit_0_1" in rubric.detail
    unit = book.view(scale=ScoreScale.UNIT)
    assert value(unit) == 0.7
    book.press("f")
    assert value(unit) == 0.7
    book.score(0.9, scale=ScoreScale.UNIT)
    assert value(unit) == 0.75
    book.press("3")
    assert value(unit) == 0.5
    assert unit.label(EP).scale is ScoreScale.UNIT


def test_changes_name_what_changed_once_each(book):
    view = book.view()
    cursor, ids = view.changes()
    assert ids == ()
    book.score(2, episode_id="a")
    book.score(3, episode_id="b")
    book.score(3, "other", episode_id="c")
    book.score(4, episode_id="a")
    cursor, ids = view.changes(cursor)
    assert ids == ("a", "b")
    assert view.changes(cursor) == (cursor, ())
    book.score(4, episode_id="a")
    assert view.changes(cursor) == (cursor, ()), "said again is not changed"
    book.score(1, episode_id="a")
    cursor, ids = view.changes(cursor)
    assert ids == ("a",)
    book.press("s", "b")
    book.undo()
    cursor, ids = view.changes(cursor)
    assert value(view, "b") == 3
    assert view.changes(0)[1] == ("a", "b")


def test_what_has_to_be_scored_is_known(book):
    for name, outcome in (("a", abstain()), ("b", failure())):
        book.add(outcome, name)
    book.score(3, episode_id="c")
    book.score(3, episode_id="d", shadow=True)
    book.press("s", "e")
    names = ["a", "b", "c", "d", "e", "f"]
    assert book.view().unanswered(names, "vlm") == ["b", "d", "e", "f"]
    other_scale = book.view(scale=ScoreScale.UNIT).unanswered(names, "vlm")
    assert other_scale == ["b", "c", "d", "e", "f"]


def test_a_view_of_a_run_follows_other_processes_files(book, run_dir):
    promote(run_dir, "vlm", ScoreScale.RUBRIC)
    view = RewardView.of_run(run_dir, read_promoted(run_dir))
    assert value(view) is None
    book.score(2)
    book.press("f")
    assert value(view) == 2


def test_a_view_may_be_asked_from_threads(book):
    view = book.view()
    errors = []

    def ask():
        try:
            for _ in range(200):
                view.changes()
                view.label(EP)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for index in range(30):
        book.score(1 + index % 5)
    for thread in threads:
        thread.join()
    assert not errors
    assert value(view) == 5
    assert view.changes()[1] == (EP,)
