# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.evaluation.intervals import Interval
from roboreward_ros.policies.config import TrainConfig
from roboreward_ros.sim.tasks import DRAWER
from roboreward_ros.studies import (
    efficiency_states,
    no_dip,
    reward_accuracy,
    reward_sources,
    reward_type,
)
from roboreward_ros.studies.baselines import candidate_latents
from roboreward_ros.studies.lowdim import lanes as lanes_module
from roboreward_ros.studies.lowdim import runs as runs_module
from roboreward_ros.studies.lowdim.bench import TwinBench
from roboreward_ros.studies.lowdim.figures import arms_picture
from roboreward_ros.studies.lowdim.judges import RewardType, TruthJudge
from roboreward_ros.studies.lowdim.lanes import Lanes
from roboreward_ros.studies.lowdim.runs import Run, RunPlan, RunRecord, baselines, run_together
from roboreward_ros.studies.lowdim.setup import SetupConfig, prepare
from roboreward_ros.studies.lowdim.study import (
    TaskResult,
    mean_interval,
    plain,
    points,
    run_task,
    write_study,
)
from roboreward_ros.studies.reward_noise import RewardNoise
from roboreward_ros.studies.sample_efficiency import EfficiencyConfig

CONFIG = DsrlConfig(
    hidden=(8,), batch_size=8, ensemble=2, updates_per_episode=2, warmup_episodes=2,
    warmup_updates=2, critic_only_updates=1, capacity=500,
)  # fmt: skip
PLAN = RunPlan(CONFIG, episodes=5, held_out=2, canary_every=4, points=(3,), point_layouts=2)
SETUP = SetupConfig(
    demonstrations=3,
    hidden=16,
    train=TrainConfig(steps=20, warmup_steps=2, frozen_batch_size=16),
)
RUNS = [
    Run("levels", TruthJudge(), 0),
    Run("again", TruthJudge(), 0),
    Run("progress", TruthJudge(RewardType.CONTINUOUS), 0),
    Run("other seed", TruthJudge(), 1),
]


def quiet(_: str) -> None: ...


@pytest.fixture(scope="module", autouse=True)
def few_tries():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs_module, "_TRIES", 1)
        patch.setattr(runs_module, "candidate_latents", lambda s, h: candidate_latents(s, h, 2))
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("states")


@pytest.fixture(scope="module")
def lanes(place: Path):
    found = Lanes(prepare(DRAWER, place / "drawer", SETUP, quiet).policy, 4)
    yield found
    found.close()


@pytest.fixture(scope="module")
def records(lanes: Lanes, place: Path) -> list[RunRecord]:
    return run_together(lanes, PLAN, RUNS, place / "runs.json", quiet)


def record(arm: str, seed: int, rate: float, mae: float = 0.0, wrong: float = 0.0) -> RunRecord:
    won = tuple(k < round(20 * rate) for k in range(20))
    levels = tuple(5 if one else 1 for one in won)
    called = round(wrong * (20 - sum(won)))
    labels = tuple(5.0 if one or 20 - k <= called else 1.0 + mae for k, one in enumerate(won))
    return RunRecord(arm, seed, won, levels, labels, won, (), 10)


def test_runs_of_one_seed_are_paired(records: list[RunRecord]):
    levels, again, progress, other = records
    assert replace(again, arm="levels") == levels
    assert progress.levels[:2] == levels.levels[:2]  # plain noise: the warm-up
    assert levels.labels == tuple(map(float, levels.levels))
    assert other.seed == 1
    assert levels.grad_steps == 2 + 4 * 2
    assert [n for n, _ in levels.points] == [3]
    assert levels.mae == 0


def test_finished_runs_are_read_and_not_repeated(
    lanes: Lanes, records: list[RunRecord], place: Path, monkeypatch: pytest.MonkeyPatch
):
    def never(*_: object) -> None:
        raise AssertionError("simulated again")

    monkeypatch.setattr(lanes_module.Lanes, "run", never)
    assert run_together(lanes, PLAN, RUNS, place / "runs.json", quiet) == records


@pytest.mark.parametrize("change", ["episodes", "runs"])
def test_runs_of_other_settings_are_refused(
    lanes: Lanes, records: list[RunRecord], place: Path, change: str
):
    plan = replace(PLAN, episodes=6) if change == "episodes" else PLAN
    runs = RUNS[:2] if change == "runs" else RUNS
    with pytest.raises(CheckpointError, match="other settings"):
        run_together(lanes, plan, runs, place / "runs.json", quiet)


def test_the_policy_and_the_baselines_are_made_once(lanes: Lanes, place: Path):
    said: list[str] = []
    setup = prepare(DRAWER, place / "drawer", SETUP, said.append)
    assert not said
    assert setup.policy.spec == lanes.policy.spec
    first = baselines(lanes, place, 3)
    assert list(first) == ["w ~ N(0, I)", "w = 0", "w ~ N(0, I/4)", "best constant w"]
    path = place / "baselines_3.json"
    stamp = path.stat().st_mtime_ns
    assert baselines(lanes, place, 3) == first
    assert path.stat().st_mtime_ns == stamp


def test_a_policy_of_another_recipe_is_not_taken_for_this_one(lanes: Lanes, place: Path):
    with pytest.raises(CheckpointError, match="another hidden"):
        prepare(DRAWER, place / "drawer", replace(SETUP, hidden=24), quiet)


def test_damaged_demonstrations_are_made_again(place: Path):
    path = place / "again" / "demonstrations.npz"
    path.parent.mkdir()
    path.write_bytes(b"no archive")
    said: list[str] = []
    setup = prepare(DRAWER, place / "again", SETUP, said.append)
    assert len(said) == 2
    assert setup.demos.states.shape[0] == 3


def test_what_a_record_says_of_its_labels():
    bad = record("bad", 0, 0.5, mae=1.0, wrong=0.4)
    assert bad.rate == 0.5
    assert bad.false_positives == pytest.approx(0.4)
    assert bad.told == pytest.approx(0.8)
    assert bad.mae == pytest.approx((6 * 1.0 + 4 * 4.0) / 20)
    assert math.isnan(record("good", 0, 1.0).false_positives)


def test_intervals_are_over_seeds():
    interval = mean_interval([0.5, 0.6, 0.7])
    assert interval.value == pytest.approx(0.6)
    assert interval.high - interval.value == pytest.approx(4.303 * 0.1 / math.sqrt(3), rel=1e-3)
    assert mean_interval([0.5]).low == -math.inf


def test_no_share_over_a_hundred_percent_is_shown():
    assert points(mean_interval([1.0, 0.9, 1.0])) == "97 [82, 100]"
    assert points(mean_interval([0.0, 0.1, 0.0])) == "3 [0, 18]"
    assert points(Interval(0.9, -1.2, 1.3), signed=True) == "+90 [-100, +100]"
    assert points(mean_interval([0.5])) == "50"


def accuracy_result() -> TaskResult:
    arms = {reward_accuracy.TRUTH: (0.9, 0.0), "near": (0.8, 0.5), "far": (0.5, 2.0)}
    runs = [
        record(arm, seed, rate - 0.05 * seed, mae, wrong=mae / 4)
        for arm, (rate, mae) in arms.items()
        for seed in range(3)
    ]
    return TaskResult("drawer", {"w ~ N(0, I)": (True, False)}, tuple(runs))


def test_the_accuracy_page_shows_the_correlation():
    result = accuracy_result()
    found = reward_accuracy.correlation(
        [-run.mae for run in result.runs], [run.rate for run in result.runs]
    )
    assert 0.8 < found.r <= 1
    page = reward_accuracy.markdown(result, PLAN)
    assert str(found) in page
    assert "| far |" in page
    assert reward_accuracy.picture(result).startswith(b"\x89PNG")
    nan = reward_accuracy.correlation([1, 2, 3, 4, math.nan], [1, 2, 3, 4, 0])
    assert (nan.n, nan.r) == (4, pytest.approx(1.0))
    assert "not defined" in str(reward_accuracy.correlation([1, 1, 1, 1], [1, 2, 3, 4]))


def test_type_and_source_pages_compare_with_the_truth(tmp_path: Path):
    kinds = [reward_type.arm_name(k, learned=learned) for learned in (False, True)
             for k in RewardType]  # fmt: skip
    runs = [record(arm, seed, 0.9 - 0.1 * k) for k, arm in enumerate(kinds) for seed in range(2)]
    base = {"w ~ N(0, I)": (True, False, False, False)}
    result = TaskResult("drawer", base, tuple(runs))
    page = reward_type.markdown(result, PLAN)
    assert "| -50 [-50, -50] |" in page
    sources = [record(arm, s, rate) for arm, rate in (("bad", 0.3), (reward_sources.TRUTH, 0.8))
               for s in range(2)]  # fmt: skip
    result = TaskResult("mushroom", base, tuple(sources))
    page = reward_sources.markdown(result, PLAN)
    assert "| no learning | | | | 25 [5, 70] | | |" in page
    assert "With 2 seed(s)" in page
    assert "+5 [" in page
    assert "-50 [" in page
    picture = arms_picture([result])
    write_study(tmp_path, "study", "the command", [plain(result)], page, picture)
    assert "the command" in (tmp_path / "study.md").read_text()
    stored = json.loads((tmp_path / "study.json").read_text())
    assert stored["content"][0]["runs"][0]["final"].count("1") == 6


def test_a_study_goes_through_all_seeds(place: Path):
    result = run_task(
        TwinBench(DRAWER, SETUP), (0, 1), replace(PLAN, episodes=3, points=()),
        lambda _setup, _seed: {"truth": TruthJudge()}, place, "tiny", quiet,
    )  # fmt: skip
    assert result.arms == ("truth",)
    assert [run.seed for run in result.of("truth")] == [0, 1]
    assert (place / "drawer" / "tiny_seed1.json").is_file()
    with pytest.raises(ConfigError, match="without seeds"):
        run_task(TwinBench(DRAWER), (), PLAN, lambda *_: {}, place, "none", quiet)


def test_the_first_quarter_meets_the_base_on_its_layouts(place: Path):
    plan = RunPlan(CONFIG, 2, 0)  # nothing but warm-up: learning is plain noise
    result = no_dip.run_task("drawer", "widowx", (0, 1, 2), plan, 8, place, quiet, SETUP)
    assert (result.n, result.budget) == (6, 8)
    assert [run.success for run in result.runs] == list(result.base)
    assert result.gain.value == 0
    again = no_dip.run_task("drawer", "widowx", (0, 1, 2), plan, 8, place, quiet, SETUP)
    assert again == result
    page = no_dip.markdown([result])
    assert "| drawer | `widowx` | 3 | first 2 of 8, n = 6" in page
    longer = no_dip.run_task(
        "drawer", "another", (0, 1, 2), replace(plan, episodes=3), 12, place, quiet, SETUP
    )
    assert all(len(won) == 3 for won in longer.base), "the base met other layouts before"
    worse = replace(result, base=((True, True),) * 3, runs=tuple(
        replace(run, success=(False, True)) for run in result.runs
    ))  # fmt: skip
    assert worse.gain.high <= -0.5
    assert "| no |" in no_dip.markdown([worse])
    assert no_dip.plain(result)["n"] == 6


def test_efficiency_over_states_has_every_cell(place: Path, monkeypatch: pytest.MonkeyPatch):
    whole = efficiency_states.fair_profile

    def light(name: str) -> DsrlConfig:
        return replace(
            whole(name), hidden=(8,), batch_size=8, updates_per_episode=1, warmup_updates=1,
            warmup_episodes=2, capacity=500, candidates=2, updates_per_decision=0,
        )  # fmt: skip

    monkeypatch.setattr(efficiency_states, "fair_profile", light)
    noises = (RewardNoise(), RewardNoise(mae=1.0))
    config = EfficiencyConfig(
        task="open the drawer", policy="none", policy_id="states", max_steps=44,
        profiles=("widowx", "reference_tuned"), noises=noises, seeds=(0,), episodes=4, every=2,
        held_out=2, canary_every=3,
    )  # fmt: skip
    result = efficiency_states.run_states(config, place, quiet, SETUP)
    names = [(c.cell.profile, c.cell.noise.name) for c in result.cells]
    assert names == [
        ("widowx", "exact"), ("reference_tuned", "exact"), ("widowx", "mae1"),
        ("reference_tuned", "mae1"),
    ]  # fmt: skip
    more = replace(config, seeds=(0, 1))
    some = efficiency_states.run_states(more, place, quiet, SETUP, finished=True)
    assert (some.cells, some.config) == (result.cells, more)
    other = replace(config, seeds=(2,))
    with pytest.raises(ConfigError, match="no run of this study is finished"):
        efficiency_states.run_states(other, place, quiet, SETUP, finished=True)
    assert all(cell.points == (0, 2, 4) for cell in result.cells)
    assert np.isfinite([cell.area for cell in result.cells]).all()
    assert efficiency_states.run_states(config, place, quiet, SETUP) == result
