# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from roboreward_ros.dsrl.config import RewardForm
from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.robot.profile import load_profile as robot_profile
from roboreward_ros.studies import sample_efficiency
from roboreward_ros.studies.baselines import Setting
from roboreward_ros.studies.efficiency_report import (
    curves,
    markdown,
    median_episodes,
    ratio,
    write_report,
)
from roboreward_ros.studies.reward_noise import RewardNoise
from roboreward_ros.studies.rollout import Rollout
from roboreward_ros.studies.sample_efficiency import (
    Cell,
    CellResult,
    EfficiencyConfig,
    EfficiencyResult,
    EfficiencyStudy,
    fair_profile,
)
from roboreward_ros.testing.fake_policy import FakePolicy
from roboreward_ros.testing.fake_robot import FakeRobot
from roboreward_ros.types import Frame, GroundTruth

CONFIG = EfficiencyConfig(
    task="wave", policy="none", policy_id="fake", max_steps=8, profiles=("best_of_n", "edit"),
    seeds=(0, 1), episodes=12, every=6, held_out=4, canary_every=5,
)  # fmt: skip


class GreyCamera:
    def open(self) -> None: ...

    def read(self, timeout_s: float) -> Frame:
        return Frame(np.full((8, 8, 3), 128, np.uint8), 0)

    def close(self) -> None: ...


def open_fake(setting: Setting) -> Rollout:
    robot = FakeRobot(robot_profile("wx250s"))
    robot.connect()

    def truth() -> GroundTruth:
        left = float(robot.state().proprio[1])
        return GroundTruth(0.5, left > 0, 5 if left > 0 else 1, "end")

    return Rollout(robot, GreyCamera(), FakePolicy(), truth)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch):
    whole = fair_profile

    def light(name: str):
        return replace(
            whole(name), hidden=(8,), batch_size=8, updates_per_episode=1, warmup_updates=1,
            warmup_episodes=2, capacity=500, candidates=2,
        )  # fmt: skip

    monkeypatch.setattr(sample_efficiency, "fair_profile", light)


def config_for(**changes) -> EfficiencyConfig:
    return replace(CONFIG, policy_id=FakePolicy().spec.policy_id, **changes)


def result_of(rates) -> CellResult:
    points = tuple(range(0, 20 * len(rates), 20))
    return CellResult(Cell("widowx", RewardNoise(), 0), points, tuple(rates), 0.0, 10)


def test_a_study_runs_all_cells_and_counts_canaries(tmp_path: Path, small):
    lines: list[str] = []
    study = EfficiencyStudy(config_for(), tmp_path, open_fake, lines.append)
    result = study.run()
    assert [c.cell.name for c in result.cells] == [
        "best_of_n-exact-seed0", "edit-exact-seed0", "best_of_n-exact-seed1", "edit-exact-seed1",
    ]  # fmt: skip
    assert all(c.points == (0, 6, 12) for c in result.cells)
    assert all(c.success[0] == result.baselines["base"] for c in result.cells)
    assert all(c.label_mae == 0 and c.grad_steps == 1 + 11 for c in result.cells)
    assert len(lines) == 8


def test_a_stopped_study_goes_on_as_if_it_had_not(tmp_path: Path, small):
    config = config_for(profiles=("edit",), seeds=(3,))

    class StoppedError(Exception):
        pass

    def stop(line: str) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        EfficiencyStudy(config, tmp_path / "a", open_fake, stop).run()
    resumed = EfficiencyStudy(config, tmp_path / "a", open_fake).run()
    straight = EfficiencyStudy(config, tmp_path / "b", open_fake).run()
    assert resumed == straight
    name = "edit-exact-seed3/actor_00012.safetensors"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_run_of_other_settings_is_refused(tmp_path: Path, small):
    EfficiencyStudy(config_for(seeds=(0,)), tmp_path, open_fake).run()
    other = config_for(seeds=(0,), canary_every=3)
    with pytest.raises(CheckpointError, match="other settings"):
        EfficiencyStudy(other, tmp_path, open_fake).run()


@pytest.mark.parametrize("bad", [{"every": 5}, {"held_out": 0}, {"seeds": ()}, {"canary_every": 1}])
def test_a_study_that_cannot_be_is_refused(bad):
    with pytest.raises(ConfigError):
        replace(CONFIG, **bad)


def test_the_curves_figures_are_those_of_their_points():
    run = result_of([0.2, 0.4, 0.8])
    assert run.episodes_to(0.4) == 20
    assert run.episodes_to(0.81) is None
    assert run.area == pytest.approx((0.3 + 0.6) / 2)


def test_censored_runs_stay_in_the_median():
    reached, censored = result_of([0, 0.9]), result_of([0, 0.1])
    assert median_episodes([reached, reached, censored], 0.5, 20) == "20"
    assert median_episodes([reached, censored, censored], 0.5, 20) == "> 20"


@pytest.mark.parametrize(
    ("ours", "other", "sign", "times"),
    [
        ([0, 0.9], [0, 0.1, 0.9], "", 2.0),
        ([0, 0.9], [0, 0.1, 0.1], ">=", 2.0),
        ([0, 0.1, 0.1], [0, 0.9], "<=", 0.5),
        ([0, 0.1, 0.1], [0, 0.1, 0.1], "~", 1.0),
    ],
)
def test_a_censored_run_counts_as_the_budget_and_says_so(ours, other, sign, times):
    said, found = ratio([(result_of(ours), result_of(other))] * 2, 0.5, 40)
    assert said == sign
    assert found.value == pytest.approx(times)
    assert (found.low, found.high) == pytest.approx((times, times))


def test_a_ratio_is_the_geometric_mean_of_its_pairs():
    ours, late, later = result_of([0, 0.9]), result_of([0, 0, 0.9]), result_of([0] * 8 + [0.9])
    sign, found = ratio([(ours, late), (ours, later)], 0.5, 200)
    assert (sign, found.value) == ("", pytest.approx(4.0))
    assert found.low < 1 < found.high  # two pairs say little


def test_unfinished_cells_are_named_and_the_rest_is_compared_in_pairs():
    def run(profile: str, seed: int, rates: list[float], mae: float = 0.0) -> CellResult:
        return replace(result_of(rates), cell=Cell(profile, RewardNoise(mae), seed))

    config = replace(
        CONFIG, profiles=("widowx", "tuned"), seeds=(0, 1, 2), episodes=40, every=20,
        noises=(RewardNoise(), RewardNoise(0.7), RewardNoise(0.3)),
    )  # fmt: skip
    cells = (
        run("widowx", 0, [0.2, 0.8, 0.8]), run("tuned", 0, [0.2, 0.2, 0.8]),
        run("widowx", 1, [0.2, 0.6, 0.5]), run("widowx", 0, [0.2, 0.6, 0.5], mae=0.7),
    )  # fmt: skip
    result = EfficiencyResult(config, {"base": 0.2, "constant": 0.4}, cells)
    assert (result.threshold, result.easier) == pytest.approx((0.65, 0.45))
    page = markdown(result, "x", "the command")
    assert "| exact | widowx | 0 1 | 0.00 | 1/2 | 20 > 40 | > 40 | 2/2 | 20 | 56 [" in page
    assert "| exact | tuned | 1 | 2.0 | 2.0 | +30 | +0 |" in page
    assert (
        "Not in these tables: labels mae0.3, mae1.2, fp0.05; "
        "widowx under exact labels, seeds 2; tuned under exact labels, seeds 1 2; "
    ) in page
    assert "2048-wide" in page
    assert "fewer than five seeds" in page
    assert curves(result).startswith(b"\x89PNG")


def test_every_profile_learns_from_the_same_reward():
    for name in ("widowx", "reference_can", "reference_tuned"):
        config = fair_profile(name)
        assert config.reward is RewardForm.TERMINAL_SCORE
        assert config.time_input


def test_the_report_names_its_command_and_small_samples(tmp_path: Path, small):
    result = EfficiencyStudy(config_for(), tmp_path / "runs", open_fake).run()
    write_report(result, tmp_path, "efficiency", "the command")
    page = (tmp_path / "efficiency.md").read_text()
    assert "the command" in page
    assert "fewer than five seeds" in page
    assert page == markdown(result, "efficiency", "the command")
    assert json.loads((tmp_path / "efficiency.json").read_text())["threshold"] == result.threshold
    assert (tmp_path / "efficiency.png").read_bytes().startswith(b"\x89PNG")
