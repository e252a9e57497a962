# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several wordings of one task."""

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.vlm.answers import answer
from roboreward_ros.rewards.vlm.ensemble import pool, wordings
from roboreward_ros.rewards.vlm.prompt import Family
from roboreward_ros.testing.conformance_reward_source import make_request
from roboreward_ros.types import Abstain, AbstainReason, Score

TEMPLATES = ["{task}", "The robot should {task}.", "Please {task}!"]


@pytest.fixture
def make(tiny):
    made = []

    def warm(**options):
        sure = {"max_entropy": 9.0, "max_off_answer_mass": 1.0}
        options = {"model": str(tiny(Family.QWEN3_VL)), "device": "cpu", **sure, **options}
        source = build("roboreward_ros.rewards.roboreward:RoboRewardSource", options)
        source.warm_up()
        made.append(source)
        return source

    yield warm
    for source in made:
        source.close()


@pytest.mark.parametrize("order", ["text_first", "video_first"])
def test_the_wordings_are_pooled(make, order):
    request = make_request(make(), steps=6)
    alone = []
    for template in TEMPLATES:
        source = make(order=order, paraphrases=[template])
        alone.append(source.score(request))
    together = make(order=order, paraphrases=TEMPLATES, max_spread=9.0, estimate="expected")
    outcome = together.score(request)
    assert isinstance(outcome, Score)
    mean = np.mean([item.probabilities for item in alone], axis=0)
    assert outcome.probabilities == pytest.approx(mean, abs=1e-5)
    assert outcome.value == pytest.approx(np.dot(outcome.levels, mean), abs=1e-4)
    off = np.mean([item.off_answer_mass for item in alone])
    assert outcome.off_answer_mass == pytest.approx(off, abs=1e-5)


def test_disagreement_abstains_and_says_what_was_answered(make):
    source = make(paraphrases=TEMPLATES, max_spread=0.0, estimate="expected")
    outcome = source.score(make_request(source))
    assert isinstance(outcome, Abstain)
    assert outcome.reason is AbstainReason.DISAGREEMENT
    assert outcome.detail.count(",") == 2
    assert sum(outcome.probabilities) == pytest.approx(1)


def test_one_wording_is_the_plain_source(make):
    request = make_request(make(), steps=6)
    plain, one = make().score(request), make(paraphrases=["{task}"]).score(request)
    assert one.probabilities == pytest.approx(plain.probabilities, abs=1e-6)
    assert one.provenance.config_hash != plain.provenance.config_hash


def test_pool_keeps_one_answer_as_it_is():
    one = answer((1.0, 2.0), np.array([0.0, 1.0]), 2.0)
    assert pool([one]) is one
    assert wordings("lift it", []) == ["lift it"]
    assert wordings("lift it", TEMPLATES)[1] == "The robot should lift it."


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"paraphrases": ["no place"]}, "no template"),
        ({"paraphrases": ["{task} <|im_end|>"]}, "no template"),
        ({"paraphrases": ["{task}", "{task}"]}, "twice"),
        ({"paraphrases": TEMPLATES, "readout": "printed"}, "scored answers"),
        ({"paraphrases": TEMPLATES, "dense": True, "sampling": "grid"}, "whole episodes"),
        ({"max_spread": -1.0}, "max_spread"),
        ({"paraphrases": [3]}, "wrong type"),
    ],
)
def test_settings_are_checked(options, words):
    with pytest.raises(ConfigError, match=words):
        build("qwen_base", options)
