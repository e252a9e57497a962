# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation in worker processes that can be stopped, and what decides a stored trial."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from roboreward_ros.errors import CheckpointError, FormatError, SimulationError
from roboreward_ros.evaluation.success import Trial
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.studies import baselines
from roboreward_ros.studies.baselines import (
    Evaluator,
    Job,
    Setting,
    TrialFile,
    best_candidate,
    candidate_jobs,
    candidate_latents,
)
from roboreward_ros.studies.rollout import ConstantNoise, PriorNoise, Rollout
from roboreward_ros.testing.fake_policy import FakePolicy
from roboreward_ros.testing.fake_robot import FakeRobot
from roboreward_ros.types import FloatArray, Frame, GroundTruth, RobotState, StepReport

SETTING = Setting(task="wave", policy="none", policy_id="fake", max_steps=8)


class GreyCamera:
    def open(self) -> None: ...

    def read(self, timeout_s: float) -> Frame:
        return Frame(np.full((8, 8, 3), 128, np.uint8), 0)

    def close(self) -> None: ...


class Judge:
    """Calls an episode a success when the arm ended left of its start."""

    def __init__(self, robot: FakeRobot) -> None:
        self.robot = robot

    def __call__(self) -> GroundTruth:
        left = float(self.robot.state().proprio[1])
        return GroundTruth(0.5, left > 0, 5 if left > 0 else 1, "end")


def open_fake_rollout(setting: Setting) -> Rollout:
    robot = FakeRobot(load_profile("wx250s"))
    robot.connect()
    return Rollout(robot, GreyCamera(), FakePolicy(), Judge(robot))


class DivergingRobot(FakeRobot):
    """Its physics diverge in every third layout."""

    def reset(self, task: str, seed: int) -> RobotState:
        self.diverges = seed % 3 == 0
        return super().reset(task, seed)

    def step(self, action: FloatArray) -> StepReport:
        if self.diverges:
            raise SimulationError("the twin's physics diverged")
        return super().step(action)


def open_diverging_rollout(setting: Setting) -> Rollout:
    robot = DivergingRobot(load_profile("wx250s"))
    robot.connect()
    return Rollout(robot, GreyCamera(), FakePolicy(), Judge(robot))


def fail_to_open(setting: Setting) -> Rollout:
    raise FormatError("the policy is damaged")


def die_from_outside(setting: Setting) -> Rollout:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def evaluator(folder: Path, workers: int = 0, setting: Setting = SETTING) -> Evaluator:
    return Evaluator(setting, folder, workers=workers, open_rollout=open_fake_rollout)


BASE = Job("base", PriorNoise(), tuple(range(12)))
ZERO = Job("zero", ConstantNoise(), tuple(range(12)))


def test_trials_come_in_the_order_of_their_seeds_and_are_kept(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []
    base, zero = evaluator(tmp_path).run([BASE, ZERO], lambda n, t: seen.append((n, t.seed)))
    assert [trial.seed for trial in base] == list(BASE.seeds)
    assert len(seen) == 24
    assert {t.success for t in base} == {True, False}, "the noise decides something"
    again: list[int] = []
    assert evaluator(tmp_path).run([BASE, ZERO], lambda _, t: again.append(t.seed)) == [base, zero]
    assert again == []


def test_worker_processes_give_the_same_trials_as_this_one(tmp_path: Path) -> None:
    here = evaluator(tmp_path / "here").run([BASE])
    assert evaluator(tmp_path / "there", workers=2).run([BASE]) == here


def test_an_interrupted_evaluation_does_only_what_is_missing(tmp_path: Path) -> None:
    whole = evaluator(tmp_path).run([BASE])
    file = TrialFile(tmp_path, SETTING, BASE)
    lines = file.path.read_text().splitlines(keepends=True)
    file.path.write_text("".join(lines[:7]) + lines[7][:20])  # the machine stopped in a write
    assert evaluator(tmp_path).missing([BASE]) == 5
    done: list[int] = []
    assert evaluator(tmp_path).run([BASE], lambda _, t: done.append(t.seed)) == whole
    assert sorted(done) == list(range(7, 12))


def test_a_damaged_line_is_refused_with_the_remedy(tmp_path: Path) -> None:
    evaluator(tmp_path).run([BASE])
    path = TrialFile(tmp_path, SETTING, BASE).path
    path.write_text("{}\n" + path.read_text())
    with pytest.raises(FormatError, match="Delete the file"):
        evaluator(tmp_path).run([BASE])


@pytest.mark.parametrize(
    "other",
    [
        {"policy_id": "another"},
        {"task": "another"},
        {"max_steps": 9},
        {"image_size": 64},
    ],
)
def test_another_setting_never_reuses_trials(tmp_path: Path, other: dict[str, object]) -> None:
    evaluator(tmp_path).run([BASE])
    setting = replace(SETTING, **other)  # type: ignore[arg-type]
    assert evaluator(tmp_path, setting=setting).missing([BASE]) == len(BASE.seeds)


def test_other_sources_never_reuse_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator(tmp_path).run([BASE])
    monkeypatch.setattr(baselines, "code_fingerprint", lambda: "changed")
    assert evaluator(tmp_path).missing([BASE]) == len(BASE.seeds)


def test_every_part_that_decides_a_trial_exists() -> None:
    package = Path(baselines.__file__).parents[1]
    assert all((package / part).exists() for part in baselines.DECIDING)


def test_another_noise_never_reuses_trials(tmp_path: Path) -> None:
    evaluator(tmp_path).run([BASE])
    for chooser in (PriorNoise(0.5), ConstantNoise(), ConstantNoise(np.ones((4, 7), np.float32))):
        assert evaluator(tmp_path).missing([replace(BASE, chooser=chooser)]) == 12


def test_a_workers_own_error_reaches_the_caller(tmp_path: Path) -> None:
    broken = Evaluator(SETTING, tmp_path, workers=1, open_rollout=fail_to_open)
    with pytest.raises(FormatError, match="the policy is damaged"):
        broken.run([BASE])


def test_a_policy_that_was_replaced_meanwhile_is_refused(tmp_path: Path) -> None:
    replaced = replace(SETTING, policy="demo", policy_id="what it was before")
    with pytest.raises(CheckpointError, match="replaced"):
        Evaluator(replaced, tmp_path, workers=0).run([BASE])


def test_candidates_share_the_budget_and_the_layouts() -> None:
    jobs = candidate_jobs(candidate_latents(0, 4), list(range(150)))
    assert len(jobs) == 16
    assert {job.seeds for job in jobs} == {tuple(range(9))}
    assert sum(len(job.seeds) for job in jobs) <= 150
    few = candidate_jobs(candidate_latents(0, 4), list(range(5)))
    assert all(len(job.seeds) == 1 for job in few)


def test_the_best_candidate_succeeds_most_then_scores_most() -> None:
    def trials(*outcomes: tuple[bool, int]) -> list[Trial]:
        return [Trial(k, ok, score, 0.0, 8) for k, (ok, score) in enumerate(outcomes)]

    low = trials((True, 5), (False, 1))
    high = trials((True, 5), (False, 4))
    none = trials((False, 4), (False, 4))
    assert best_candidate([none, low, high]) == 2
    assert best_candidate([low, low]) == 0


def test_a_layout_whose_physics_diverge_is_a_failure_and_ends_nothing(tmp_path: Path) -> None:
    sound = evaluator(tmp_path / "sound").run([BASE])[0]
    diverging = Evaluator(SETTING, tmp_path / "bad", workers=0, open_rollout=open_diverging_rollout)
    trials = diverging.run([BASE])[0]
    assert len(trials) == len(sound)
    for trial, other in zip(trials, sound, strict=True):
        if trial.seed % 3:
            assert trial == other
        else:
            assert (trial.success, trial.score) == (False, 1)


def test_a_worker_that_is_killed_says_how_to_go_on(tmp_path: Path) -> None:
    dying = Evaluator(SETTING, tmp_path, workers=1, open_rollout=die_from_outside)
    with pytest.raises(SimulationError, match="run the same command again"):
        dying.run([BASE])
