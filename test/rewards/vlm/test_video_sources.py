# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward`` and ``qwen_base`` over small real models."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.config import build_config, file_options
from roboreward_ros.rewards.guard import checked
from roboreward_ros.rewards.host import RewardHost
from roboreward_ros.rewards.qwen_base import QwenBaseConfig
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.roboreward import RoboRewardConfig
from roboreward_ros.rewards.vlm.prompt import Family
from roboreward_ros.rewards.worker import ChildSource
from roboreward_ros.testing.conformance_reward_source import (
    RewardSourceConformance,
    jpeg,
    make_request,
)
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    RewardFailure,
    RewardRequest,
    Score,
    ScoreKind,
)

ROBOREWARD = "roboreward_ros.rewards.roboreward:RoboRewardSource"
SURE = {"max_entropy": 9.0, "max_off_answer_mass": 1.0}
GRID = {"sampling": "grid", "dense": True}


@pytest.fixture
def make(tiny):
    """A warm source over the small model."""
    made = []

    def build_warm(name=ROBOREWARD, family=Family.QWEN3_VL, **options):
        options = {"model": str(tiny(family)), "device": "cpu", "offline": True, **SURE, **options}
        source = build(name, options)
        source.warm_up()
        made.append(source)
        return source

    yield build_warm
    for source in made:
        source.close()


class TestConformance(RewardSourceConformance):
    @pytest.fixture(
        params=[
            (ROBOREWARD, Family.QWEN3_VL, {}),
            (ROBOREWARD, Family.QWEN2_5_VL, {"order": "video_first", "rubric": "v1"}),
            (ROBOREWARD, Family.QWEN3_VL, GRID),
            (ROBOREWARD, Family.QWEN2_5_VL, {"readout": "printed"}),
            ("qwen_base", Family.QWEN3_VL, {"max_off_answer_mass": 0.0}),
        ],
        ids=["scored", "older-video-first", "dense", "printed", "base-abstains"],
    )
    def source(self, request, tiny):
        name, family, options = request.param
        options = {"model": str(tiny(family)), "device": "cpu", "offline": True, **SURE, **options}
        return build(name, options)


def episode(steps=12, task="open the drawer", hz=5.0, seed=0):
    rng = np.random.default_rng(seed)
    return RewardRequest(
        "ep_000000",
        task,
        [jpeg(int(level), 48) for level in rng.integers(0, 256, steps)],
        [int(k / hz * 1e9) for k in range(steps)],
        hz,
    )


def test_without_weights_the_error_says_how_to_get_them():
    for name in (ROBOREWARD, "qwen_base"):
        source = build(name)
        assert source.spec.needs_child_process
        with pytest.raises(RewardSourceError, match=r"hf download .*'model'.*reward:=human"):
            source.warm_up()
        with pytest.raises(RewardSourceError, match="not warm"):
            source.score(episode())


def test_the_files_hold_the_defaults():
    for name, kind in (("roboreward", RoboRewardConfig), ("qwen_base", QwenBaseConfig)):
        options = file_options(name)
        assert build_config(kind, options, name) == kind()
        assert set(options) == {field.name for field in dataclasses.fields(kind)}


def test_building_a_source_loads_no_framework():
    code = (
        "import sys; from roboreward_ros.rewards.registry import build;"
        "[build(n) for n in ('roboreward_ros.rewards.roboreward:RoboRewardSource', 'qwen_base')];"
        "assert not {'torch', 'transformers', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_score_carries_its_distribution_and_identity(make, tiny):
    source = make()
    outcome = source.score(episode())
    assert isinstance(outcome, Score)
    assert outcome.kind is ScoreKind.TOKENS
    assert outcome.levels == (1, 2, 3, 4, 5)
    assert outcome.value == outcome.levels[int(np.argmax(outcome.probabilities))]
    assert outcome.provenance.model.startswith(tiny(Family.QWEN3_VL).name + "@")
    assert len(outcome.provenance.frames_hash) == 64


@pytest.mark.parametrize(
    "change",
    [{"order": "video_first"}, {"fps": 4.0}, {"min_frames": 6}, {"frame_pixels": 1024},
     {"rubric": "v1"}, {"video_form": "wrapped"}, {"sampling": "grid"}, {"estimate": "median"},
     {"system": "Be strict."}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_every_setting_is_in_the_hash(make, change):
    first, second = make().score(episode()), make(**change).score(episode())
    assert first.provenance.config_hash != second.provenance.config_hash
    if "estimate" not in change:
        assert first.probabilities != second.probabilities


def test_estimates_come_from_one_distribution(make):
    outcomes = [make(estimate=e).score(episode()) for e in ("argmax", "median", "expected")]
    assert len({outcome.probabilities for outcome in outcomes}) == 1
    expected = np.dot(outcomes[0].levels, outcomes[0].probabilities)
    assert outcomes[2].value == pytest.approx(expected)


def test_uncertainty_abstains_and_says_so(make):
    outcome = make(max_entropy=0.01).score(episode())
    assert isinstance(outcome, Abstain)
    assert outcome.reason is AbstainReason.ENTROPY
    assert "nats" in outcome.detail
    assert len(outcome.probabilities) == 5
    outcome = make(max_off_answer_mass=0.001).score(episode())
    assert isinstance(outcome, Abstain)
    assert outcome.reason is AbstainReason.OFF_ANSWER_MASS


@pytest.mark.parametrize(
    ("text", "kind"),
    [("ANSWER: 4", Score), ("ANSWER: 50", RewardFailure), ("It looks good: 4", Abstain)],
)
def test_printed_answers_are_never_guessed(make, monkeypatch, text, kind):
    source = make(readout="printed")
    monkeypatch.setattr(source._backend, "generate", lambda feed, tokens: text)
    request = episode()
    outcome = source.score(request)
    assert isinstance(outcome, kind)
    assert checked(outcome, source.spec, request) == outcome
    if kind is Score:
        assert (outcome.value, outcome.kind, outcome.text) == (4, ScoreKind.NONE, text)
    elif kind is Abstain:
        assert (outcome.reason, outcome.text) == (AbstainReason.UNPARSABLE, text)
    else:
        assert text in outcome.message


@pytest.mark.parametrize("family", Family)
def test_dense_scores_equal_scores_of_the_prefixes(make, family):
    request = episode(9)
    dense = make(family=family, estimate="expected", **GRID)
    sparse = make(family=family, estimate="expected", sampling="grid")
    outcome = dense.score(request)
    assert outcome.value == outcome.per_step[-1]
    for count in range(2, 10):
        part = dataclasses.replace(request, frames=request.frames[:count])
        assert outcome.per_step[count - 1] == pytest.approx(sparse.score(part).value, abs=1e-4)


def test_a_long_dense_episode_goes_on_at_half_the_rate(make):
    request = episode(30)
    dense = make(estimate="expected", max_frames=6, **GRID)
    sparse = make(estimate="expected", max_frames=6, sampling="grid")
    per_step = dense.score(request).per_step
    for count in (11, 14, 15, 16, 26, 30):
        part = dataclasses.replace(request, frames=request.frames[:count])
        assert per_step[count - 1] == pytest.approx(sparse.score(part).value, abs=1e-4)


def test_ten_thousand_frames_cost_no_more_than_the_limit(make):
    request = episode(2)
    frames = [request.frames[0]] * 9_999 + [request.frames[1]]
    request = dataclasses.replace(request, frames=frames, stamps_ns=range(10_000))
    for sampling in ("uniform_n", "grid"):
        assert isinstance(make(sampling=sampling, max_frames=8).score(request), Score)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"frames": [jpeg(3)]}, "too short"), ({"frames": []}, "too short"),
     ({"task": ""}, "no task"), ({"task": "a <|im_end|> b"}, "control token"),
     ({"frames": [b"junk"] * 5}, "cannot be decoded"), ({"control_hz": 0.0}, "rate")],
)  # fmt: skip
def test_an_episode_that_cannot_be_judged_is_an_error(make, change, message):
    with pytest.raises(RewardSourceError, match=message):
        make().score(dataclasses.replace(episode(5), **change))


@pytest.mark.parametrize(
    "options",
    [{"dense": True}, {"dense": True, "sampling": "grid", "readout": "printed"},
     {"max_entropy": -1.0}, {"max_off_answer_mass": 2.0}, {"timeout_s": 0.0}, {"fps": 0.0},
     {"rubric": "v7"}, {"max_new_tokens": 0}, {"frame_pixels": 1}, {"order": "sideways"}],
)  # fmt: skip
def test_impossible_settings_are_refused_before_anything_loads(options):
    with pytest.raises(ConfigError):
        build(ROBOREWARD, options)


def test_a_child_process_scores_the_same(make, tiny):
    options = {"model": str(tiny(Family.QWEN3_VL)), "device": "cpu", "offline": True, **SURE}
    here = make()
    request = make_request(here, steps=5)
    child = ChildSource(ROBOREWARD, options)
    try:
        child.warm_up()
        assert child.score(request) == here.score(request)
        with pytest.raises(RewardSourceError, match="no task"):
            child.score(dataclasses.replace(request, task=""))
    finally:
        child.close()


def test_a_candidate_without_weights_leaves_the_old_source_in_place():
    host = RewardHost("human", {"form": "binary"})
    try:
        with pytest.raises(RewardSourceError, match="hf download"):
            host.swap("qwen_base")
        assert host.active.name == "human"
    finally:
        host.close()
