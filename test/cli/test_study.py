# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward study``: what the words become, with the twin replaced by a fake."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from roboreward_ros.cli import main as command
from roboreward_ros.dsrl.config import load_profile
from roboreward_ros.dsrl.noise_record import read_results
from roboreward_ros.errors import ConfigError
from roboreward_ros.policies import diffusion, loading
from roboreward_ros.studies import baselines, no_dip, reward_sources, reward_type, sample_efficiency
from roboreward_ros.studies.lowdim import setup
from roboreward_ros.studies.lowdim import study as study_module
from roboreward_ros.studies.lowdim.judges import RewardType
from roboreward_ros.studies.lowdim.runs import RunRecord
from roboreward_ros.studies.lowdim.study import TaskResult
from roboreward_ros.studies.reward_noise import RewardNoise
from roboreward_ros.studies.sample_efficiency import (
    EfficiencyConfig,
    EfficiencyResult,
    EfficiencyStudy,
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[EfficiencyConfig]:
    seen: list[EfficiencyConfig] = []

    def run(self: EfficiencyStudy) -> EfficiencyResult:
        seen.append(self.config)
        raise ConfigError("enough is known")

    monkeypatch.setattr(sample_efficiency.EfficiencyStudy, "run", run)
    return seen


def test_words_become_the_study(asked: list[EfficiencyConfig], tmp_path: Path, capsys):
    words = (
        "study efficiency --task drawer --profiles widowx reference_tuned --seeds 1 2 "
        f"--episodes 60 --every 20 --held-out 10 --mae 0 0.7 --false-positives 0.05 "
        f"--runs {tmp_path} --out {tmp_path}"
    )
    assert command.main(words.split()) != 0
    assert "enough is known" in capsys.readouterr().err
    (config,) = asked
    assert config.task == "open the drawer"
    assert config.points == (20, 40, 60)
    assert config.seeds == (1, 2)
    assert config.noises == (RewardNoise(), RewardNoise(0.7), RewardNoise(0.0, 0.05))
    assert config.max_steps > 0


def test_the_default_profiles_are_shipped(asked: list[EfficiencyConfig], tmp_path: Path):
    command.main(["study", "efficiency", "--runs", str(tmp_path), "--out", str(tmp_path)])
    (config,) = asked
    for name in config.profiles:
        load_profile(name)


def test_points_that_do_not_fit_are_an_error_in_a_line(tmp_path: Path, capsys):
    words = f"study efficiency --episodes 50 --every 20 --runs {tmp_path} --out {tmp_path}"
    assert command.main(words.split()) != 0
    assert "a multiple" in capsys.readouterr().err


@pytest.fixture
def no_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("something expensive came first")

    monkeypatch.setattr(diffusion, "load_policy", never)
    monkeypatch.setattr(loading, "load_any_policy", never)
    monkeypatch.setattr(setup, "prepare", never)


@pytest.mark.parametrize(
    "words",
    [
        "noise --profile widowx_typo",
        "efficiency --profiles widowx widowx_typo",
        "efficiency --states --profiles widowx_typo",
    ],
)
def test_an_unknown_profile_costs_nothing(no_policy: None, words: str, capsys):
    assert command.main(["study", *words.split()]) != 0
    assert "widowx_typo" in capsys.readouterr().err


@pytest.mark.parametrize("study", ["accuracy", "reward-types", "sources", "no-dip"])
@pytest.mark.parametrize("task", ["juggle", "carrot"])
def test_an_unknown_task_costs_nothing(no_policy: None, study: str, task: str, capsys):
    assert command.main(["study", study, "--tasks", "drawer", task]) != 0
    assert "drawer, mushroom" in capsys.readouterr().err


def test_a_width_is_of_a_policy_over_states(no_policy: None, capsys):
    assert command.main(["study", "efficiency", "--denoiser", "64"]) != 0
    assert "--states" in capsys.readouterr().err


def test_robomimic_needs_its_data(no_policy: None, tmp_path: Path, capsys):
    study = ["study", "accuracy", "--tasks", "robomimic_can"]
    assert command.main(study) != 0
    assert "--robomimic DIR" in capsys.readouterr().err
    assert command.main([*study, "--robomimic", str(tmp_path)]) != 0
    assert "can/ph/low_dim" in capsys.readouterr().err


def test_a_first_quarter_needs_four_episodes(no_policy: None, capsys):
    assert command.main(["study", "no-dip", "--episodes", "3"]) != 0
    assert "first quarter" in capsys.readouterr().err


def record(arm: str, seed: int, rate: float) -> RunRecord:
    won = tuple(k < 10 * rate for k in range(10))
    levels = tuple(5 if one else 2 for one in won)
    return RunRecord(arm, seed, won, levels, tuple(map(float, levels)), won, (), 3)


@pytest.mark.parametrize(
    ("study", "stem", "arms"),
    [
        ("accuracy", "study_accuracy_drawer", ["ground truth", "a", "b", "c"]),
        ("reward-types", "study_reward_types_drawer",
         [reward_type.arm_name(RewardType.BINARY, learned=False), "b"]),
        ("sources", "study_sources_drawer", [reward_sources.TRUTH, "b"]),
    ],
)  # fmt: skip
def test_each_study_leaves_its_tables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, study: str, stem: str, arms: list[str]
):
    asked = []

    def run(bench, seeds, plan, judges_of, folder, name, say):
        asked.append((bench.key, tuple(seeds), plan.episodes, plan.held_out, folder))
        runs = [
            record(arm, seed, 0.9 - 0.1 * k - 0.2 * seed)
            for k, arm in enumerate(arms)
            for seed in seeds
        ]
        return TaskResult(bench.key, {"w ~ N(0, I)": (True, False)}, tuple(runs))

    monkeypatch.setattr(study_module, "run_task", run)
    words = f"--tasks drawer --seeds 0 2 --episodes 60 --held-out 10 --runs {tmp_path}"
    out = tmp_path / "out"
    assert command.main(["study", study, *words.split(), "--out", str(out)]) == 0
    assert asked == [("drawer", (0, 2), 60, 10, tmp_path)]
    page = (out / f"{stem}.md").read_text()
    assert f"roboreward study {study} --tasks drawer --seeds 0 2 --episodes 60" in page
    assert json.loads((out / f"{stem}.json").read_text())["content"][0]["task"] == "drawer"
    assert (out / f"{stem}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("base", "code"), [(0.4, 0), (0.9, 1)])
def test_a_dip_is_an_exit_status(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, base: float, code: int
):
    def run(task, profile, seeds, plan, budget, folder, say):
        assert (plan.episodes, budget, plan.config) == (10, 40, load_profile(profile))
        runs = tuple(record("ground truth", seed, 0.5) for seed in seeds)
        won = tuple(k < 10 * base for k in range(10))
        return no_dip.DipResult(task, profile, 10, budget, runs, tuple(won for _ in seeds))

    monkeypatch.setattr(no_dip, "run_task", run)
    words = f"study no-dip --tasks drawer --seeds 0 1 --episodes 40 --out {tmp_path}"
    assert command.main(words.split()) == code
    page = (tmp_path / "study_no_dip.md").read_text()
    assert all(f"`{name}`" in page for name in ("widowx", "noise_aliased"))
    assert "--episodes 40 --profiles widowx noise_aliased" in page
    assert "n = 20" in page


class FakeTwin:
    """Fails under noise that repeats one latent."""

    def run_many(self, task, seeds, chooser, max_steps):
        repeats = getattr(getattr(chooser, "actor", None), "form", "") == "repeat"
        return [SimpleNamespace(success=not repeats)] * len(seeds)


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(baselines, "open_twin_rollout", lambda setting: FakeTwin())
    return tmp_path / "runs" / "noise_forms.json"


def test_noise_is_measured_as_the_profile_has_it_and_kept(twin: Path, capsys):
    words = ["study", "noise", "--task", "drawer", "--episodes", "20", "--profile"]
    assert command.main([*words, "reference_pi0_real"]) != 0
    said = capsys.readouterr()
    assert "noise 'repeat' with latents up to 2.5: kills; 0/20 successes" in said.out
    assert "kills the frozen policy" in said.err
    assert command.main([*words, "reference_transport"]) == 0
    assert [(r.form, r.bound, r.verdict) for r in read_results(twin)] == [
        ("repeat", 2.5, "kills"), ("full", 1.0, "stands"),
    ]  # fmt: skip
    assert {r.task for r in read_results(twin)} == {"open the drawer"}


def test_a_profile_that_starts_as_the_base_policy_has_nothing_to_measure(twin: Path, capsys):
    words = ["study", "noise", "--task", "drawer", "--profile", "noise_aliased"]
    assert command.main(words) == 0
    assert "nothing to measure" in capsys.readouterr().out
    assert not twin.exists()


def test_without_a_profile_every_form_is_measured(twin: Path):
    assert command.main(["study", "noise", "--task", "drawer", "--episodes", "10"]) == 0
    assert [(r.form, r.basis) for r in read_results(twin)] == [("repeat", 0), ("basis", 2)]
