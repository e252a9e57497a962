# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""summary.json holds what was promised, survives its own reader and refuses damage."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic import RATES, made_results, made_rows, made_summary

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.evaluation.success import (
    LABELS,
    NOT_LOOKING,
    Arm,
    ArmResult,
    Trial,
    paired_gain,
)
from roboreward_ros.evaluation.summary import Gain, RunSummary, read_summary, write_summary

PROMISED = {
    "task", "seed", "episodes", "env_steps", "base_success", "zero_noise_success",
    "actor_step0_success", "final_success", "final_success_deterministic", "success_n",
    "reward_source", "reward_mae", "labelled", "unlabelled", "abstained", "errors", "grad_steps",
    "wall_s", "idle", "policy_version", "git", "versions",
}  # fmt: skip
IDLE = {"motion_s", "reset_s", "reward_s", "learner_s", "operator_s", "fault_s"}


@pytest.fixture
def summary() -> RunSummary:
    return made_summary(made_rows(), made_results())


def test_every_promised_key_is_there(summary: RunSummary) -> None:
    content = json.loads(summary.to_json())
    assert set(content) >= PROMISED
    assert set(content["idle"]) == IDLE
    assert content["labelled"] + content["unlabelled"] == content["episodes"]
    assert content["abstained"] + content["errors"] == content["unlabelled"]


def test_the_five_rates_come_from_their_arms(summary: RunSummary) -> None:
    pairs = {
        Arm.BASE: summary.base_success,
        Arm.ZERO: summary.zero_noise_success,
        Arm.UNTRAINED: summary.actor_step0_success,
        Arm.STEERED: summary.final_success,
        Arm.DETERMINISTIC: summary.final_success_deterministic,
    }
    for arm, rate in pairs.items():
        assert rate == summary.arms[str(arm)].success
        assert rate == pytest.approx(RATES[arm], abs=0.15)


def test_what_is_written_is_read_back(tmp_path: Path, summary: RunSummary) -> None:
    write_summary(tmp_path, summary)
    assert read_summary(tmp_path) == summary
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


def test_a_number_that_is_not_finite_is_null_not_nan(summary: RunSummary) -> None:
    text = replace(summary, reward_mae=float("nan"), wall_s=float("inf")).to_json()
    assert json.loads(text)["reward_mae"] is None
    assert "NaN" not in text
    assert "Infinity" not in text


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99}', '{"format": 1, "x": 1}'])
def test_a_damaged_summary_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "summary.json").write_text(content)
    with pytest.raises(FormatError, match=r"summary\.json"):
        read_summary(tmp_path)


def test_the_gain_is_over_the_better_baseline_on_the_same_seeds() -> None:
    def arm(kind: Arm, successes: list[bool]) -> ArmResult:
        return ArmResult(kind, tuple(Trial(k, s, 5, 1.0, 4) for k, s in enumerate(successes)))

    results = [
        arm(Arm.BASE, [True, False, False, False]),
        arm(Arm.ZERO, [True, True, False, False]),
        arm(Arm.STEERED, [True, True, True, False]),
    ]
    gain = Gain.of(results)
    assert (gain.over, gain.value) == ("zero", 0.25)
    with pytest.raises(ConfigError, match="baseline is missing"):
        Gain.of(results[1:])


def test_a_pairing_without_common_seeds_is_refused() -> None:
    first = ArmResult(Arm.BASE, (Trial(1, True, 5, 1.0, 4),))
    second = ArmResult(Arm.STEERED, (Trial(2, True, 5, 1.0, 4),))
    with pytest.raises(ConfigError, match="same trials"):
        paired_gain(first, second)


def test_an_arm_meets_each_seed_once() -> None:
    with pytest.raises(ConfigError, match="twice"):
        ArmResult(Arm.BASE, (Trial(1, True, 5, 1.0, 4), Trial(1, False, 5, 1.0, 4)))


def test_the_gain_over_noise_that_does_not_look_names_the_best_of_it(summary: RunSummary) -> None:
    best = max(NOT_LOOKING, key=lambda arm: summary.arms[arm].success)
    said = summary.without_looking()
    assert LABELS[best] in said
    assert said.startswith(f"{100 * (summary.final_success - summary.arms[best].success):+.0f} ")
    assert replace(summary, arms={}).without_looking() == ""
