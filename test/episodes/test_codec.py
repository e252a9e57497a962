# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roboreward_ros.episodes.codec import (
    from_text,
    label_from_json,
    label_to_json,
    outcome_from_json,
    outcome_to_json,
    summary_from_json,
    summary_to_json,
    to_text,
)
from roboreward_ros.errors import FormatError
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    EndCause,
    EpisodeMeta,
    EpisodeSummary,
    LabelRecord,
    Provenance,
    RewardFailure,
    Score,
    ScoreKind,
    ScoreScale,
)

text = st.text(st.characters(codec="utf-8"), max_size=40)
finite = st.floats(allow_nan=False, allow_infinity=False)
provenances = st.builds(Provenance, text, text, text, text)
bounds = {
    ScoreScale.RUBRIC: (1.0, 5.0),
    ScoreScale.UNIT: (0.0, 1.0),
    ScoreScale.SIGN: (-1.0, 1.0),
}


@st.composite
def scores(draw):
    scale = draw(st.sampled_from(ScoreScale))
    values = st.floats(*bounds[scale])
    masses = draw(st.lists(st.floats(0.01, 1.0), max_size=6))
    return Score(
        value=draw(values),
        scale=scale,
        kind=draw(st.sampled_from(ScoreKind)),
        provenance=draw(provenances),
        levels=tuple(draw(finite) for _ in masses),
        probabilities=tuple(mass / sum(masses) for mass in masses),
        off_answer_mass=draw(st.floats(0, 1)),
        latency_s=draw(st.floats(0, 1e6)),
        text=draw(text),
        per_step=tuple(draw(st.lists(values, max_size=8))),
    )


numbers = st.lists(finite, max_size=4).map(tuple)
abstains = st.builds(
    Abstain, st.sampled_from(AbstainReason), provenances, text, numbers, numbers, finite, text
)
failures = st.builds(RewardFailure, text, provenances, finite)
outcomes = st.one_of(scores(), abstains, failures)


@given(outcomes)
def test_outcomes_survive_their_text(outcome):
    again = outcome_from_json(from_text(to_text(outcome_to_json(outcome)), "outcome"))
    assert again == outcome
    assert type(again) is type(outcome)


@given(outcomes, text, st.integers(0, 2**62), st.booleans(), st.integers(-1, 99), text)
def test_labels_survive_their_text(outcome, name, stamp_ns, shadow, retracts, operator):
    record = LabelRecord(100, name, outcome, stamp_ns, shadow, retracts, operator)
    assert label_from_json(from_text(to_text(label_to_json(record)), "x"), "x") == record


@given(text, text, st.integers(0, 2**31), st.sampled_from(EndCause), st.lists(text).map(tuple))
def test_summaries_survive_their_text(name, task, seed, cause, taint):
    meta = EpisodeMeta(name, 3, task, seed, 50, 5.0, "wx250s", "f", 4, 2**60, True)
    summary = EpisodeSummary(meta, 7, cause, False, taint, policy_version=12)
    assert summary_from_json(from_text(to_text(summary_to_json(summary)), "x"), "x") == summary


GOOD = outcome_to_json(Score(3, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("s")))


@pytest.mark.parametrize(
    "change",
    [
        {"value": 6.0},
        {"value": "3"},
        {"value": None},
        {"value": True},
        {"scale": "unit_0_1"},
        {"scale": "percent"},
        {"kind": "guess"},
        {"outcome": "maybe"},
        {"outcome": 3},
        {"provenance": "s"},
        {"provenance": {}},
        {"levels": [1, "2"]},
        {"levels": [1.0]},
        {"latency_s": []},
    ],
)
def test_an_impossible_outcome_is_refused(change):
    with pytest.raises(FormatError):
        outcome_from_json(GOOD | change)


@pytest.mark.parametrize("missing", [f.name for f in dataclasses.fields(Score)])
def test_a_missing_field_is_named(missing):
    values = dict(GOOD)
    del values[missing]
    with pytest.raises(FormatError, match=missing):
        outcome_from_json(values)


@pytest.mark.parametrize("bad", ["", "[1]", "{", "nul", b"\xff\xfe"])
def test_what_is_no_json_object_is_refused(bad):
    with pytest.raises(FormatError, match="the file"):
        from_text(bad, "the file")
