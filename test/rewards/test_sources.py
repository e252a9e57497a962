# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.config import build_config, file_options, options_from_json
from roboreward_ros.rewards.degraded import DegradedConfig, DegradedSource
from roboreward_ros.rewards.frames import frames_hash
from roboreward_ros.rewards.ground_truth import GroundTruthConfig, GroundTruthSource, TruthForm
from roboreward_ros.rewards.human import HumanForm, ScriptedHumanConfig, ScriptedHumanSource
from roboreward_ros.rewards.registry import SOURCES, build, find_class
from roboreward_ros.rewards.rubric import RUBRICS, r01, rubric
from roboreward_ros.rewards.worker import ChildSource
from roboreward_ros.testing.conformance_reward_source import (
    RewardSourceConformance,
    make_request,
)
from roboreward_ros.testing.fake_rewards import AbstainingSource, FakeSource, registry_name
from roboreward_ros.types import Abstain, AbstainReason, ScoreScale

FAKE = registry_name(FakeSource)


class TestConformance(RewardSourceConformance):
    @pytest.fixture(
        params=[
            *[(name, {}) for name in SOURCES if name in ("degraded", "ground_truth", "human")],
            *[("ground_truth", {"form": form.value}) for form in TruthForm],
            ("human", {"form": "graded", "false_positive": 0.3, "noise": 2}),
            (FAKE, {}),
            (registry_name(AbstainingSource), {}),
        ],
        ids=lambda param: f"{param[0].rpartition(':')[2]}-{'-'.join(map(str, param[1].values()))}",
    )
    def source(self, request):
        name, options = request.param
        return build(name, options)


class TestConformanceOfAChild(RewardSourceConformance):
    """One child process for the whole suite: starting one takes half a second."""

    @pytest.fixture(scope="class")
    @classmethod
    def child(cls):
        source = ChildSource(FAKE, {"child": True})
        yield source
        source.close()

    @pytest.fixture
    def source(self, child):
        return child

    @pytest.fixture
    def warm(self, child):
        child.warm_up()
        return child

    def test_close_is_idempotent(self, source):
        source.close()
        source.close()


def scores(source, levels=None, n=2000, success=None):
    """Values for many episodes that all end at one level (or at ``levels`` in turn)."""
    values = []
    for index in range(n):
        level = levels[index % len(levels)] if levels else 3
        request = make_request(source, f"ep_{index:06d}", score=level, steps=1)
        values.append(source.score(request).value)
    return np.array(values)


@pytest.fixture(autouse=True)
def small_frames(monkeypatch):
    """Encoding a JPEG a call would be most of the time of this file."""
    from roboreward_ros.testing import conformance_reward_source as suite

    frame = suite.jpeg(0)
    monkeypatch.setattr(suite, "jpeg", lambda level, size=32: frame)


@pytest.mark.parametrize(
    ("form", "value", "steps"),
    [(TruthForm.RUBRIC, 4.0, 0), (TruthForm.PROGRESS, 0.75, 5), (TruthForm.BINARY, 0.0, 0)],
)
def test_ground_truth_scores_the_final_state(form, value, steps):
    source = GroundTruthSource(GroundTruthConfig(form))
    score = source.score(make_request(source, score=4))
    assert score.value == value
    assert len(score.per_step) == steps
    assert score.per_step[-1:] == ((value,) if steps else ())


def test_a_careful_person_is_binary():
    source = ScriptedHumanSource()
    assert scores(source, [1, 2, 3, 4, 5], 5).tolist() == [1, 1, 1, 1, 5]


def test_a_graded_person_says_how_far_it_got():
    source = ScriptedHumanSource(ScriptedHumanConfig(HumanForm.GRADED))
    assert scores(source, [1, 2, 3, 4, 5], 5).tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("level", "wrong"), [(3, 5.0), (5, 1.0)])
def test_error_rates_of_the_person_are_what_was_configured(level, wrong):
    config = ScriptedHumanConfig(false_positive=0.2, false_negative=0.1)
    values = scores(ScriptedHumanSource(config), [level])
    assert np.mean(values == wrong) == pytest.approx(0.2 if level == 3 else 0.1, abs=0.03)


def test_noise_of_the_person_is_uniform_and_never_claims_success():
    config = ScriptedHumanConfig(HumanForm.GRADED, noise=1)
    values = scores(ScriptedHumanSource(config), [3])
    assert {2.0, 3.0, 4.0} == set(values)
    for value in (2, 3, 4):
        assert np.mean(values == value) == pytest.approx(1 / 3, abs=0.04)
    assert scores(ScriptedHumanSource(config), [4]).max() == 4


def test_errors_depend_on_seed_and_episode_only():
    config = ScriptedHumanConfig(false_positive=0.5)
    first = scores(ScriptedHumanSource(config), n=200)
    again = scores(ScriptedHumanSource(config), n=200)
    other = scores(ScriptedHumanSource(dataclasses.replace(config, seed=1)), n=200)
    np.testing.assert_array_equal(first, again)
    assert 50 < np.sum(first != other) < 150


@pytest.mark.parametrize(("level", "factor"), [(1, 2.0), (2, 1.4), (3, 1.2), (5, 2.0)])
def test_mean_absolute_error_of_degraded_truth_is_what_was_configured(level, factor):
    values = scores(DegradedSource(DegradedConfig(0.5)), [level])
    assert np.mean(np.abs(values - level)) == pytest.approx(0.5 * factor, abs=0.12)


def test_undegraded_truth_is_the_truth():
    values = scores(DegradedSource(DegradedConfig(0.0)), [1, 2, 3, 4, 5], 5)
    assert values.tolist() == [1, 2, 3, 4, 5]


def test_without_truth_the_scripted_person_leaves_it_to_a_real_one():
    source = ScriptedHumanSource()
    outcome = source.score(dataclasses.replace(make_request(source), truth=[]))
    assert isinstance(outcome, Abstain)
    assert outcome.reason is AbstainReason.PERSON
    assert "press s or f" in outcome.detail


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("no_such", {}, "allowed: api, .*degraded, .*ground_truth"),
        ("human", {"false_positiv": 0.1}, "allowed: form, false_positive"),
        ("human", {"false_positive": 1.5}, "0..1"),
        ("human", {"false_positive": "0.5"}, "wrong type"),
        ("human", {"noise": 1.5}, "wrong type"),
        ("human", {"noise": True}, "wrong type"),
        ("human", {"form": "rude"}, "allowed: binary, graded"),
        ("human", {"seed": -1}, "negative"),
        ("degraded", {"probability": float("nan")}, "0..1"),
        ("no.such.module:Source", {}, "cannot be loaded"),
        ("roboreward_ros.errors:ConfigError", {}, "config_class"),
        ("roboreward_ros.errors:", {}, "loaded|config_class"),
    ],
)
def test_a_source_that_cannot_be_built_says_what_is_allowed(name, options, message):
    with pytest.raises(ConfigError, match=message):
        build(name, options)


def test_files_and_dataclasses_agree_on_the_defaults():
    for name in SOURCES:
        kind = find_class(name).config_class
        assert build_config(kind, file_options(name), name) == kind(), name
        assert set(file_options(name)) == {f.name for f in dataclasses.fields(kind)}


def test_options_hash_into_the_provenance():
    first, second = (build("degraded", {"probability": p}) for p in (0.1, 0.2))
    requests = make_request(first), make_request(second)
    hashes = {
        s.score(r).provenance.config_hash for s, r in zip((first, second), requests, strict=True)
    }
    assert len(hashes) == 2


def test_options_of_a_service_call():
    assert options_from_json("") == {}
    assert options_from_json(' {"a": [1, "b"]} ') == {"a": [1, "b"]}
    for bad in ("{", "[1]", "3"):
        with pytest.raises(ConfigError, match="JSON"):
            options_from_json(bad)


def test_registering_imports_nothing():
    code = (
        "import sys, roboreward_ros.rewards.registry as r; r.SOURCES;"
        "got = [m for m in sys.modules if m.startswith('roboreward_ros.rewards.')];"
        "assert {m.rsplit('.')[-1] for m in got} == {'config', 'registry', 'shipped'}, got;"
        "assert not {'torch', 'transformers', 'mujoco'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_rubric_has_five_levels_in_every_version():
    for version, item in RUBRICS.items():
        assert item.version == version
        assert [level.score for level in item.levels] == [1, 2, 3, 4, 5]
        assert len({level.meaning for level in item.levels}) == 5
    assert rubric("v1").level(3) != rubric("v2").level(3)
    assert rubric("v1").level(5) == rubric().level(5)
    with pytest.raises(ConfigError, match="v1, v2"):
        rubric("v3")
    with pytest.raises(ConfigError, match=r"1\.\.5"):
        rubric().level(0)


def test_r01_maps_every_scale_to_the_unit_interval():
    assert [r01(s, ScoreScale.RUBRIC) for s in (1, 3, 5)] == [0, 0.5, 1]
    assert [r01(s, ScoreScale.UNIT) for s in (0, 0.4, 1)] == [0, 0.4, 1]
    assert [r01(s, ScoreScale.SIGN) for s in (-1, 0, 1)] == [0, 0.5, 1]


def test_the_hash_of_frames_tells_order_and_borders_apart():
    assert frames_hash([b"ab", b"c"]) == frames_hash([b"ab", b"c"])
    seen = [[b"ab", b"c"], [b"a", b"bc"], [b"c", b"ab"], [b"abc"], [b"abc", b""], []]
    assert len({frames_hash(frames) for frames in seen}) == len(seen)
