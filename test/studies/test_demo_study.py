# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The table over seeds: what passes, what is written, and when."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from roboreward_ros.evaluation.success import LABELS, Arm
from roboreward_ros.evaluation.summary import ArmSummary, Gain, RunSummary
from roboreward_ros.studies.demo_study import SeedResult, run_study
from roboreward_ros.types import IdleAccount


def summary(seed: int, gain: float = 0.4, errors: int = 0) -> RunSummary:
    rates = dict.fromkeys(Arm, 0.4) | {Arm.STEERED: 0.4 + gain}
    return RunSummary(
        task="open the drawer", seed=seed, episodes=100, env_steps=4400, base_success=0.4,
        zero_noise_success=0.4, actor_step0_success=0.4, final_success=0.4 + gain,
        final_success_deterministic=0.4, success_n=100, reward_source="ground_truth",
        reward_mae=0.0, labelled=100 - errors, unlabelled=errors, abstained=0, errors=errors,
        grad_steps=1, wall_s=300.0, idle=IdleAccount(), policy_version=1, git="", versions={},
        arms={str(a): ArmSummary(r, r - 0.1, r + 0.1, 100, 3.0) for a, r in rates.items()},
        gain=Gain("base", gain, gain - 0.1, gain + 0.1),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("gain", "errors", "passes"),
    [(0.25, 0, True), (0.24, 0, False), (0.5, 5, True), (0.5, 6, False)],
)
def test_a_run_passes_by_gain_and_by_errors(gain: float, errors: int, passes: bool) -> None:
    assert SeedResult.of(summary(0, gain, errors)).passes is passes


def test_a_run_that_a_constant_explains_does_not_pass() -> None:
    made = summary(0, gain=0.5)
    constant = replace(made.arms[str(Arm.CONSTANT)], success=0.7)
    result = SeedResult.of(replace(made, arms={**made.arms, str(Arm.CONSTANT): constant}))
    assert result.gain == 0.5
    assert result.gain_looking == pytest.approx(0.2)
    assert not result.passes


def test_both_tables_are_there_after_every_seed(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def run_demo(seed: int) -> RunSummary:
        if seed == 2:
            raise StoppedError
        return summary(seed, gain=0.5 - 0.3 * seed)

    with pytest.raises(StoppedError):
        run_study([0, 1, 2], run_demo, tmp_path)
    content = json.loads((tmp_path / "demo_seeds.json").read_text())
    assert [run["seed"] for run in content["runs"]] == [0, 1]
    assert [run["passes"] for run in content["runs"]] == [True, False]
    assert {run["reward"] for run in content["runs"]} == {"ground_truth"}
    text = (tmp_path / "demo_seeds.md").read_text()
    assert "Rewards: ground_truth" in text
    assert "open the drawer" in text
    assert all(f"| {label} |" in text for label in LABELS.values())
    assert "| gains 25 points | yes | no | 1/2 |" in text


def test_the_table_says_what_the_cheap_baselines_explain(tmp_path: Path) -> None:
    def run_demo(seed: int) -> RunSummary:
        made = summary(seed)
        half = replace(made.arms[str(Arm.HALF)], success=0.6)
        return replace(made, arms={**made.arms, str(Arm.HALF): half})

    run_study([0], run_demo, tmp_path)
    text = (tmp_path / "demo_seeds.md").read_text()
    assert "steering gains +40 points" in text
    assert f"{LABELS[Arm.HALF]} +20" in text
