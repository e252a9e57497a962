# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The LRM sources over small real models."""

import dataclasses

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.vlm.prompt import Family
from roboreward_ros.testing.conformance_reward_source import (
    RewardSourceConformance,
    jpeg,
    make_request,
)
from roboreward_ros.types import Abstain, AbstainReason, RewardFailure, Score, ScoreKind

NAMES = ("lrm_progress", "lrm_completion", "lrm_contrastive")
SURE = {"max_entropy": 9.0, "max_off_answer_mass": 1.0, "readout": "scored"}
REPLIES = {
    "lrm_progress": ('{"completion_progress": 0.4}', 0.4),
    "lrm_completion": ('{"task_completed": "yes"}', 1.0),
    "lrm_contrastive": ('B shows it open. {"more_complete_image": "ImageB"}', 1.0),
}


def make(name, folder, **options):
    options = {"model": str(folder), "device": "cpu", "offline": True, **SURE, **options}
    return build(name, options)


@pytest.fixture
def warm(tiny):
    made = []

    def get(name, family=Family.QWEN3_VL, **options):
        source = make(name, tiny(family), **options)
        source.warm_up()
        made.append(source)
        return source

    yield get
    for source in made:
        source.close()


class TestConformance(RewardSourceConformance):
    @pytest.fixture(
        params=[
            ("lrm_progress", Family.QWEN3_VL, {}),
            ("lrm_progress", Family.QWEN2_5_VL, {"readout": "printed", "max_new_tokens": 3}),
            ("lrm_completion", Family.QWEN2_5_VL, {"dense": True, "every": 2}),
            ("lrm_contrastive", Family.QWEN3_VL, {"dense": True, "every": 2}),
        ],
        ids=lambda param: f"{param[0]}-{'-'.join(map(str, param[2].values()))}",
    )
    def source(self, request, tiny):
        name, family, options = request.param
        return make(name, tiny(family), **options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("family", Family)
def test_scored_answers_are_a_distribution_over_sequences(warm, name, family):
    source = warm(name, family)
    outcome = source.score(make_request(source, steps=3))
    assert isinstance(outcome, Score)
    assert outcome.kind is ScoreKind.SEQUENCES
    assert len(outcome.levels) == (11 if name == "lrm_progress" else 2)
    assert outcome.value in outcome.levels
    expected = warm(name, family, estimate="expected").score(make_request(source, steps=3))
    assert expected.value == pytest.approx(np.dot(outcome.levels, outcome.probabilities))


@pytest.mark.parametrize("name", NAMES)
def test_printed_answers_are_read_and_keep_their_text(warm, monkeypatch, name):
    source = warm(name, readout="printed")
    text, value = REPLIES[name]
    monkeypatch.setattr(source._backend, "generate", lambda feed, tokens: text)
    outcome = source.score(make_request(source))
    assert (outcome.value, outcome.kind, outcome.text) == (value, ScoreKind.NONE, text)
    monkeypatch.setattr(source._backend, "generate", lambda feed, tokens: "NA")
    outcome = source.score(make_request(source))
    assert isinstance(outcome, Abstain)
    assert (outcome.reason, outcome.text) == (AbstainReason.UNPARSABLE, "NA")


def test_progress_out_of_range_is_a_failure(warm, monkeypatch):
    source = warm("lrm_progress", readout="printed")
    text = '{"completion_progress": 50}'
    monkeypatch.setattr(source._backend, "generate", lambda feed, tokens: text)
    outcome = source.score(make_request(source))
    assert isinstance(outcome, RewardFailure)
    assert text in outcome.message


@pytest.mark.parametrize("name", NAMES)
def test_which_frames_are_looked_at(warm, name):
    source = warm(name)
    request = make_request(source, steps=4)
    base = source.score(request)

    def changed(index):
        frames = list(request.frames)
        frames[index] = jpeg(255, 32)
        return source.score(dataclasses.replace(request, frames=frames))

    assert changed(2) == base, "a frame between is not looked at"
    assert changed(4).probabilities != base.probabilities
    assert (changed(0).probabilities != base.probabilities) == (name != "lrm_completion")


@pytest.mark.parametrize("name", NAMES)
def test_dense_values_are_asked_every_few_steps_and_held(warm, name):
    dense = warm(name, dense=True, every=3, estimate="expected")
    request = make_request(dense, steps=5)
    outcome = dense.score(request)
    values = outcome.per_step
    assert len(values) == 6
    assert values[0] == values[1] == values[2]
    assert values[3] == values[4]
    assert values[5] == outcome.value
    if name == "lrm_contrastive":
        assert values[0] == 0
        sparse = warm(name, estimate="expected")
        part = dataclasses.replace(request, frames=request.frames[:4])
        assert values[3] == pytest.approx(sparse.score(part).value, abs=1e-5)
    else:
        sparse = warm(name, estimate="expected")
        assert outcome.value == pytest.approx(sparse.score(request).value, abs=1e-5)


def test_settings_and_weights_are_checked():
    with pytest.raises(ConfigError, match="every"):
        build("lrm_progress", {"every": 0})
    for name in NAMES:
        with pytest.raises(RewardSourceError, match=r"USC-PSI-Lab/LRM-models.*reward:=human"):
            build(name).warm_up()
