# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Agreement and coverage are what the ledgers and the twin's truth say."""

import math

import numpy as np
import pytest

from roboreward_ros.episodes.desk import OperatorDesk
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.evaluation.agreement import (
    AgreementBook,
    agreement,
    coverage,
    quadratic_kappa,
)
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    EndCause,
    EpisodeMeta,
    GroundTruth,
    LabelRecord,
    Provenance,
    RewardFailure,
    RobotState,
    Score,
    ScoreKind,
    ScoreScale,
    StepFlag,
    StepReport,
)

JPEG = b"\xff\xd8 looks like one \xff\xd9"


def said(value, source="old", scale=ScoreScale.RUBRIC):
    return Score(value, scale, ScoreKind.NONE, Provenance(source))


def declined(source="old", best=None):
    levels = (1.0, 2.0, 3.0, 4.0, 5.0) if best else ()
    masses = tuple(float(level == best) for level in levels)
    return Abstain(AbstainReason.ENTROPY, Provenance(source), "", levels, masses)


def test_kappa_is_one_for_equals_minus_one_for_opposites_and_undefined_for_constants():
    assert quadratic_kappa([1, 3, 5], [1, 3, 5]) == 1
    assert quadratic_kappa([1, 5], [5, 1]) == -1
    assert math.isnan(quadratic_kappa([4, 4], [4, 4]))


def test_kappa_equals_its_own_definition_by_counting_pairs():
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 6, 200), rng.integers(1, 6, 200)
    pairs = np.mean((a[:, None] - b[None, :]) ** 2)  # expected disagreement over all pairs
    assert quadratic_kappa(a.tolist(), b.tolist()) == pytest.approx(
        1 - np.mean((a - b) ** 2) / pairs
    )


def test_agreement_counts_levels_and_false_praise():
    found = agreement([5, 5, 3, 2], [1, 5, 4, 2])
    assert (found.n, found.exact, found.within_one, found.mae) == (4, 0.5, 0.75, 1.25)
    assert (found.n_failed, found.false_positives.value) == (2, 0.5)
    assert 0 < found.false_positives.low < 0.5 < found.false_positives.high < 1


def test_agreement_of_nothing_is_no_number():
    nothing = agreement([], [])
    assert nothing.n == 0
    assert math.isnan(nothing.mae)
    assert math.isnan(nothing.kappa)


def test_coverage_says_how_often_each_true_score_is_declined_and_what_that_hides():
    outcomes = {
        "a": said(5),
        "b": said(2),
        "c": declined(best=5.0),
        "d": declined(),
        "e": RewardFailure("it hung", Provenance("old")),
    }
    found = coverage(outcomes, {"a": 5.0, "b": 1.0, "c": 1.0, "d": 1.0, "e": 1.0})
    assert (found.asked, found.scored, found.abstained, found.failed) == (5, 2, 2, 1)
    assert found.coverage == 0.4
    assert found.abstain_rate == {1: (2, 3), 5: (0, 1)}
    assert found.mae == 0.5
    assert found.mae_with_abstained == pytest.approx((0 + 1 + 4) / 3)


def episode(store, index, true):
    meta = EpisodeMeta(f"ep_{index:06d}", index, "t", index, 1, 5.0, "twin", "fake", 4, 1)
    writer = store.create(meta)
    zeros = np.zeros(6)
    for step in range(2):
        state = RobotState(1 + step, zeros, zeros, zeros, 1.0, np.eye(4), np.zeros(7))
        if step:
            action = np.zeros(7)
            writer.add_step(0, StepReport(action, action, np.eye(4), zeros, StepFlag.NONE, state))
        writer.add_observation(step, 1 + step, JPEG, np.zeros(7), zeros)
        writer.add_truth(step, GroundTruth(0.5, true == 5, true, "s"))
    writer.commit(EndCause.TIME, ())


@pytest.fixture
def run(tmp_path):
    store = EpisodeStore(tmp_path, "w")
    for index, true in enumerate((5, 1, 1, 3)):
        episode(store, index, true)
    store.close()
    return tmp_path


def test_a_shadow_is_compared_with_the_truth_and_with_the_active_source(run):
    ledger = Ledger(run, "w")
    promote(run, "old", ScoreScale.RUBRIC)
    for index, (old, new) in enumerate(((5, 1.0), (5, 0.0), (1, 0.0), (3, 0.5))):
        name = f"ep_{index:06d}"
        ledger.append(LabelRecord(-1, name, said(old), index))
        candidate = said(new, "new", ScoreScale.UNIT)
        ledger.append(LabelRecord(-1, name, candidate, index, shadow=True))
    old, new = AgreementBook(run).reports()
    ledger.close()
    assert (old.name, old.shadow, new.name, new.shadow) == ("old", False, "new", True)
    assert (old.truth.exact, old.truth.false_positives.value) == (0.75, 0.5)
    assert (new.truth.exact, new.truth.kappa, new.truth.false_positives.value) == (1, 1, 0)
    assert (new.active.n, new.active.exact, old.active.n) == (4, 0.75, 0)


def test_a_person_outranks_the_truth_and_may_take_it_back(run):
    ledger = Ledger(run, "w")
    promote(run, "old", ScoreScale.RUBRIC)
    ledger.append(LabelRecord(-1, "ep_000001", said(2), 0))
    book, desk = AgreementBook(run), OperatorDesk(run)
    assert book.reports()[0].truth.mae == 1
    desk.label("ep_000001", "4", "ann")
    assert book.reports()[0].truth.mae == 2
    desk.label("ep_000001", "u", "ann")
    assert book.reports()[0].truth.mae == 1
    desk.close()
    ledger.close()


def test_an_answer_is_not_undone_by_a_later_failure(run):
    ledger = Ledger(run, "w")
    promote(run, "old", ScoreScale.RUBRIC)
    failure = RewardFailure("it hung", Provenance("old"))
    for outcome in (failure, said(5), failure):
        ledger.append(LabelRecord(-1, "ep_000000", outcome, 0))
    ledger.close()
    assert AgreementBook(run).reports()[0].coverage.scored == 1
