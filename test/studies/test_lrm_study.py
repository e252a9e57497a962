# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from roboreward_ros.errors import CheckpointError, FormatError, SimulationError
from roboreward_ros.sim.seeds import held_out_seed
from roboreward_ros.sim.twin import Twin
from roboreward_ros.studies.lowdim.view import ViewTwin
from roboreward_ros.studies.lrm.config import Arm, BaseConfig, LrmConfig, PpoConfig
from roboreward_ros.studies.lrm.lanes import STATE_DIM, TASK, Lanes
from roboreward_ros.studies.lrm.report import markdown, write_report
from roboreward_ros.studies.lrm.study import LrmResult, LrmStudy, mean_interval

TINY = LrmConfig(
    arms=(Arm.MIX, Arm.NOISE),
    seeds=(0, 1),
    iterations=2,
    episodes=2,
    max_steps=16,
    held_out=3,
    base=BaseConfig(demonstrations=1, steps=3, hidden=16, blocks=1, sample_steps=2),
    ppo=PpoConfig(epochs=1, minibatch=8),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lrm")


@pytest.fixture(scope="module")
def result(folder: Path) -> LrmResult:
    return LrmStudy(TINY, folder).run()


class InterruptedStudyError(Exception):
    pass


def values(result: LrmResult) -> list[object]:
    """All of a study but what the clock decides."""
    return [dataclasses.replace(run, cpu_s=0.0) for run in (*result.base, *result.runs)]


def test_every_arm_of_every_seed_is_run(result: LrmResult, folder: Path):
    assert [(run.arm, run.seed) for run in result.runs] == [
        (Arm.MIX, 0), (Arm.NOISE, 0), (Arm.MIX, 1), (Arm.NOISE, 1),
    ]  # fmt: skip
    assert [base.arm for base in result.base] == [None, None]
    assert all(len(run.curve) == 2 and run.held_out == 3 for run in result.runs)
    assert (folder / "mix-seed1.json").is_file()


def test_a_stopped_study_goes_on_and_ends_like_one_that_was_not(
    result: LrmResult, folder: Path, tmp_path: Path
):
    (tmp_path / "base.safetensors").write_bytes((folder / "base.safetensors").read_bytes())

    def stop(line: str) -> None:
        if line.startswith("noise seed 0: held-out"):
            raise InterruptedStudyError

    with pytest.raises(InterruptedStudyError):
        LrmStudy(TINY, tmp_path, stop).run()
    assert not (tmp_path / "base-seed1.json").exists()
    done = (tmp_path / "mix-seed0.json").stat().st_mtime_ns
    (tmp_path / "mix-seed1.json.part").write_text('{"format"')  # what a kill leaves behind
    assert values(LrmStudy(TINY, tmp_path).run()) == values(result)
    assert (tmp_path / "mix-seed0.json").stat().st_mtime_ns == done


def test_seeds_and_arms_may_be_added_and_settings_not_changed(result: LrmResult, folder: Path):
    fewer = dataclasses.replace(TINY, arms=(Arm.NOISE,), seeds=(1,))
    again = LrmStudy(fewer, folder).run()
    assert values(again) == values(result)[1:2] + values(result)[-1:]
    with pytest.raises(CheckpointError, match="other settings"):
        LrmStudy(dataclasses.replace(TINY, iterations=3), folder).run()


def test_a_damaged_run_is_named(result: LrmResult, folder: Path, tmp_path: Path):
    for name in ("base.safetensors", "config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "base-seed0.json").write_text('{"format": 1, "arm": "mix"')
    with pytest.raises(FormatError, match=r"base-seed0\.json"):
        LrmStudy(TINY, tmp_path).run()


def test_the_page_says_what_stands_in_for_what(result: LrmResult, tmp_path: Path):
    write_report(result, tmp_path, "study_lrm", "roboreward study lrm")
    page = (tmp_path / "study_lrm.md").read_text()
    assert "| mix of the three stand-ins |" in page
    assert "No learned head was asked" in page
    assert "With 2 seed(s) this shows that it runs, nothing more." in page
    stored = json.loads((tmp_path / "study_lrm.json").read_text())
    assert [run["arm"] for run in stored["runs"]] == ["mix", "noise"] * 2
    assert (tmp_path / "study_lrm.png").read_bytes()[:4] == b"\x89PNG"


def test_a_gain_is_paired_by_seed(result: LrmResult):
    base = [
        dataclasses.replace(run, successes=k) for k, run in zip((0, 2), result.base, strict=True)
    ]
    runs = [dataclasses.replace(run, successes=1 + run.seed * 2) for run in result.runs]
    made = LrmResult(TINY, tuple(base), tuple(runs))
    gain = made.gain(Arm.MIX)
    assert (gain.value, gain.low, gain.high) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert "+33 [+33, +33]" in markdown(made, "x", "c")


def test_the_interval_is_students():
    found = mean_interval([0.0, 0.1, 0.2, 0.3, 0.4])
    assert found.value == pytest.approx(0.2)
    assert found.high - found.value == pytest.approx(2.776 * 0.1581 / math.sqrt(5), rel=1e-3)
    assert math.isnan(mean_interval([0.3]).low)


def test_lanes_are_the_twin_s_layouts_and_judgement():
    lanes, twin = Lanes(2, 4, 8), Twin()
    seeds = [held_out_seed(k) for k in range(3)]
    down = np.tile(np.array([0, 0, -0.01, 0, 0, 0, 1], np.float32), (4, 1))
    batch = lanes.run(seeds, lambda states, _: np.stack([down] * len(states)))
    assert batch.states.shape == (3, 3, STATE_DIM)
    for lane, seed in enumerate(seeds):
        start = twin.reset(TASK.sentence, seed)
        assert batch.states[0, lane, :7] == pytest.approx(start.proprio, abs=1e-6)
        for _ in range(8):
            end = twin.step(down[0].astype(np.float64)).state
        assert batch.states[-1, lane, :3] == pytest.approx(end.proprio[:3], abs=1e-3)
        assert batch.progress[-1, lane] == pytest.approx(twin.truth().progress, abs=0.01)
    lanes.close()
    twin.close()


def test_an_episode_whose_physics_diverge_ends_where_it_was(monkeypatch: pytest.MonkeyPatch):
    lanes = Lanes(2, 4, 8)
    drive, calls = ViewTwin.drive, []

    def once(self: ViewTwin, q: np.ndarray, gripper: float) -> None:
        calls.append(gripper)
        if len(calls) == 3:
            raise SimulationError("diverged")
        drive(self, q, gripper)

    monkeypatch.setattr(ViewTwin, "drive", once)
    batch = lanes.run([held_out_seed(0), held_out_seed(1)],
                      lambda states, _: np.zeros((len(states), 4, 7), np.float32))  # fmt: skip
    assert batch.live.tolist() == [[True, True], [False, True]]
    assert len(calls) == 2 + 1 + 7  # both once, the failure, the other to its end
    assert not batch.success.any()
    lanes.close()
