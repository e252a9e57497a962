# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a console draws follows the stores as they grow."""

import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.episodes.desk import OperatorDesk
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import StoreError
from roboreward_ros.evaluation.run_watch import StoreWatch
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    EndCause,
    LabelRecord,
    Provenance,
    Score,
    ScoreKind,
    ScoreScale,
)


def said(value, source="vlm"):
    return Score(value, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance(source))


@pytest.fixture
def run(tmp_path):
    """Five episodes: 5, abstained, 2, 1 and 5 by ``vlm``; a shadow says 5 of the first.

    The fourth is a canary, in the last a person took the arm over: it is nobody's success.
    """
    store, ledger = EpisodeStore(tmp_path, "w"), Ledger(tmp_path, "w")
    for index in range(5):
        name = f"ep_{index:06d}"
        writer = store.create(make_meta(index, episode_id=name, canary=index == 3))
        record(writer)
        writer.commit(EndCause.TIME, ("takeover",) if index == 4 else ())
    promote(tmp_path, "vlm", ScoreScale.RUBRIC)
    answers = (
        said(5.0),
        Abstain(AbstainReason.ENTROPY, Provenance("vlm"), detail="1.4 nats"),
        said(2.0),
        said(1.0),
        said(5.0),
    )
    for index, answer in enumerate(answers):
        ledger.append(LabelRecord(-1, f"ep_{index:06d}", answer, index))
    ledger.append(LabelRecord(-1, "ep_000000", said(5.0, "new"), 9, shadow=True))
    yield tmp_path
    store.close()
    ledger.close()


@pytest.fixture
def desk(run):
    made = OperatorDesk(run, FakeClock())
    yield made
    made.close()


def test_scores_rates_and_questions_come_from_the_stores(run):
    facts = StoreWatch(run).facts()
    assert (facts.episodes, facts.source) == (5, "vlm")
    assert [(p.index, p.value, p.source, p.shadow, p.counts) for p in facts.points] == [
        (0, 5.0, "vlm", False, True),
        (0, 5.0, "new", True, False),
        (2, 2.0, "vlm", False, True),
        (3, 1.0, "vlm", False, True),
        (4, 5.0, "vlm", False, True),
    ]
    assert (facts.success.successes, facts.success.n) == (1, 3)
    assert (facts.steered.successes, facts.steered.n) == (1, 2)
    assert (facts.base.successes, facts.base.n) == (0, 1)
    assert 0 < facts.success.low < 1 / 3 < facts.success.high < 1
    (card,) = facts.queue
    assert (card.episode_id, card.detail, card.needs_level) == ("ep_000001", "1.4 nats", False)
    assert card.frames[0] == 0
    assert any(row.source == "new" and row.against == "vlm" for row in facts.agreement)


def test_two_keys_answer_a_question_and_undo_asks_it_again(run, desk):
    watch = StoreWatch(run)
    assert len(watch.facts().queue) == 1
    desk.label("ep_000001", "f", "ada")
    (card,) = watch.facts().queue
    assert card.needs_level
    desk.label("ep_000001", "2", "ada")
    facts = watch.facts()
    assert facts.queue == ()
    assert ("human", 2.0) in [(p.source, p.value) for p in facts.points]
    desk.label("ep_000001", "u", "ada")
    facts = watch.facts()
    assert [e.key for e in facts.labels] == ["u", "2", "f"]
    assert [e.undone for e in facts.labels] == [False, True, False]
    assert facts.queue[0].needs_level


def test_a_discarded_episode_is_counted_as_such_and_asked_no_more(run, desk):
    desk.discard("ep_000001", "bumped")
    facts = StoreWatch(run).facts()
    assert (facts.episodes, facts.discarded, facts.queue) == (5, 1, ())


def test_pictures_are_those_of_committed_episodes_only(run):
    watch = StoreWatch(run)
    assert watch.frame("ep_000000", 0) == EpisodeStore(run).open("ep_000000").frames()[0]
    for name, index in (("ep_000009", 0), ("../ledger", 0), ("ep_000000", 10**6), (".", 0)):
        with pytest.raises(StoreError):
            watch.frame(name, index)


def test_a_run_without_episodes_is_empty(tmp_path):
    assert StoreWatch(tmp_path).facts().episodes == 0
    with pytest.raises(StoreError):
        StoreWatch(tmp_path / "none")


def test_audits_are_cards_that_say_nothing_of_the_score(run, desk):
    watch = StoreWatch(run)
    watch.facts()
    desk.discard("ep_000002", "bumped")
    cards = watch.audits(["ep_000000", "ep_000002", "ep_000009"])
    assert [(c.episode_id, c.audit, c.needs_level) for c in cards] == [("ep_000000", True, False)]
    assert "5" not in cards[0].detail
    assert len(cards[0].frames) == 6
