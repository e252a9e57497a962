# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many episodes a learner needs: profiles side by side on the twin, same policy, same rewards.

A cell is a profile, a kind of reward noise and a run seed. It trains in process, leaves an actor at
fixed episode counts and meets the same held-out layouts with each; its last actor counts as final,
whatever came before. Warm-up and canary episodes count like any other. Profiles of a seed meet the
same training layouts. A study that is stopped goes on where it was: learners at their last point,
trials one by one.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roboreward_ros.dsrl.actor import load_actor
from roboreward_ros.dsrl.checkpoint import load_learner, save_learner
from roboreward_ros.dsrl.config import DsrlConfig, RewardForm, load_profile
from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.files import write_atomic
from roboreward_ros.sim.seeds import held_out_seed, training_seed
from roboreward_ros.studies.baselines import (
    Evaluator,
    Job,
    OpenRollout,
    Setting,
    best_candidate,
    candidate_jobs,
    candidate_latents,
)
from roboreward_ros.studies.online import new_learner, train_online, truth_rubric
from roboreward_ros.studies.reward_noise import RewardNoise
from roboreward_ros.studies.rollout import (
    ConstantNoise,
    NoiseChooser,
    PriorNoise,
    Rollout,
    RolloutResult,
    SteeredNoise,
)
from roboreward_ros.types import Score

CELL_FORMAT = 1
GAIN = 0.25
"""What a run must reach over the best baseline."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of the study."""

    profile: str
    noise: RewardNoise
    seed: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.profile}-{self.noise.name}-seed{self.seed}"


@dataclass(frozen=True, slots=True)
class EfficiencyConfig:
    """One study.

    Attributes:
        task: sentence.
        policy: folder of the frozen policy, or ``demo``.
        policy_id: its identity.
        max_steps: time limit in control steps.
        profiles: learners, by profile name; the first is ours.
        noises: of the labels.
        seeds: run seeds.
        episodes: budget of a run.
        every: episodes between two evaluated actors.
        held_out: layouts of each evaluation.
        canary_every: every so many episodes one is a canary with plain noise.
    """

    task: str
    policy: str
    policy_id: str
    max_steps: int
    profiles: tuple[str, ...] = ("widowx", "reference_tuned", "reference_can")
    noises: tuple[RewardNoise, ...] = (RewardNoise(),)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    episodes: int = 200
    every: int = 20
    held_out: int = 100
    canary_every: int = 20

    def __post_init__(self) -> None:
        if self.episodes < 1 or self.every < 1 or self.episodes % self.every:
            raise ConfigError(
                "the points of the curve do not fit the budget",
                got=f"{self.episodes} episodes, a point every {self.every}",
                allowed="a multiple",
            )
        if self.held_out < 1 or self.canary_every < 2:
            raise ConfigError(
                "held_out or canary_every", got=f"{self.held_out}, {self.canary_every}",
                allowed="1 or more, 2 or more",
            )  # fmt: skip
        if not (self.profiles and self.noises and self.seeds):
            raise ConfigError("the study has no cell", got="an empty list of profiles or seeds")

    @property
    def points(self) -> tuple[int, ...]:
        """Episode counts at which actors are evaluated."""
        return tuple(range(self.every, self.episodes + 1, self.every))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every run, in order: a study that is stopped has whole pairs, the first labels first."""
        return tuple(
            Cell(profile, noise, seed)
            for noise in self.noises
            for seed in self.seeds
            for profile in self.profiles
        )


@dataclass(frozen=True, slots=True)
class CellResult:
    """One finished run.

    Attributes:
        cell: which.
        points: episodes of each evaluated actor; the first entry is 0, the base policy.
        success: held-out success at each point, 0..1.
        label_mae: measured error of the labels.
        grad_steps: updates in all.
    """

    cell: Cell
    points: tuple[int, ...]
    success: tuple[float, ...]
    label_mae: float
    grad_steps: int

    def episodes_to(self, threshold: float) -> int | None:
        """Episodes of the first point at or above ``threshold``; None: not within the budget."""
        reached = (
            n for n, rate in zip(self.points, self.success, strict=True) if rate >= threshold
        )
        return next(reached, None)

    @property
    def area(self) -> float:
        """Mean success over the budget, by the trapezoid rule."""
        n, rate = np.asarray(self.points, float), np.asarray(self.success)
        return float(((rate[1:] + rate[:-1]) / 2 * np.diff(n)).sum() / (n[-1] - n[0]))


@dataclass(frozen=True, slots=True)
class EfficiencyResult:
    """The study.

    Attributes:
        config: what was run.
        baselines: held-out success of noise that does not learn, the base policy's own first.
        cells: every finished run, censored ones too.
    """

    config: EfficiencyConfig
    baselines: dict[str, float]
    cells: tuple[CellResult, ...]

    @property
    def threshold(self) -> float:
        """Best baseline and ``GAIN``; at most 1."""
        return min(1.0, max(self.baselines.values()) + GAIN)

    @property
    def easier(self) -> float:
        """The base policy and ``GAIN``; at most 1."""
        return min(1.0, next(iter(self.baselines.values())) + GAIN)


OnProgress = Callable[[str], None]


class EfficiencyStudy:
    """Runs or resumes a study.

    Args:
        config: of the study.
        folder: of its cells and trials.
        open_rollout: makes a rollout on the twin.
        on_progress: told in a line of every point.
    """

    def __init__(
        self,
        config: EfficiencyConfig,
        folder: Path,
        open_rollout: OpenRollout,
        on_progress: OnProgress = lambda _: None,
    ) -> None:
        self.config = config
        self._folder = folder
        self._on_progress = on_progress
        self._setting = Setting(config.task, config.policy, config.policy_id, config.max_steps)
        self._rollout: Rollout | None = None
        self._open = open_rollout
        self._evaluator = Evaluator(
            self._setting, folder / "trials", workers=0, open_rollout=lambda _: self.rollout
        )

    @property
    def rollout(self) -> Rollout:
        """Opened when it is first needed, then shared."""
        if self._rollout is None:
            self._rollout = self._open(self._setting)
        return self._rollout

    def run(self) -> EfficiencyResult:
        """Do what is missing."""
        choosers: dict[str, NoiseChooser] = {
            "base": PriorNoise(),
            "zero": ConstantNoise(),
            "shrunk": PriorNoise(0.5),
        }
        choosers["best_constant"] = self._best_constant()
        baselines = {name: self._success(name, c) for name, c in choosers.items()}
        cells = [self._cell(cell, baselines["base"]) for cell in self.config.cells]
        return EfficiencyResult(self.config, baselines, tuple(cells))

    def _best_constant(self) -> ConstantNoise:
        """The best of 16 constant latents, chosen with as many episodes as a run may have."""
        seed = self.config.seeds[0]
        horizon = self.rollout.policy.spec.prediction_horizon
        latents = candidate_latents(seed, horizon)
        layouts = [training_seed(seed, k) for k in range(self.config.episodes)]
        trials = self._evaluator.run(candidate_jobs(latents, layouts))
        return ConstantNoise(latents[best_candidate(trials)])

    def _success(self, name: str, chooser: NoiseChooser) -> float:
        seeds = tuple(held_out_seed(k) for k in range(self.config.held_out))
        (trials,) = self._evaluator.run([Job(name, chooser, seeds)])
        return float(np.mean([trial.success for trial in trials]))

    def _cell(self, cell: Cell, base: float) -> CellResult:
        folder = self._folder / cell.name
        config = fair_profile(cell.profile)
        self._check(folder, config)
        points, success = [0], [base]
        errors = _Errors(folder / "labels.json")
        done = folder / "cell.json"
        for point in self.config.points:
            actor_file = folder / f"actor_{point:05d}.safetensors"
            if not actor_file.is_file():
                self._train(cell, config, folder, point, actor_file, errors)
            chooser = SteeredNoise(load_actor(actor_file, policy_id=self.config.policy_id))
            rate = self._success(f"{cell.name}-{point:05d}", chooser)
            points.append(point)
            success.append(rate)
            self._on_progress(f"{cell.name}: {point} episodes, success {rate:.2f}")
        grad_steps = int(json.loads((folder / "steps.json").read_text())["grad_steps"])
        result = CellResult(cell, tuple(points), tuple(success), errors.mae, grad_steps)
        write_atomic(done, json.dumps(dataclasses.asdict(result), indent=1) + "\n")
        return result

    def _check(self, folder: Path, config: DsrlConfig) -> None:
        """Refuse to go on with a run of other settings."""
        path = folder / "config.json"
        own = {
            "learner": config.to_mapping(),
            "task": self.config.task,
            "policy_id": self.config.policy_id,
            "max_steps": self.config.max_steps,
            "canary_every": self.config.canary_every,
        }
        text = json.dumps(own, indent=1, sort_keys=True) + "\n"
        if not path.is_file():
            write_atomic(path, text)
        elif path.read_text() != text:
            raise CheckpointError(
                "this run of the study was begun with other settings",
                got=str(path),
                next_step="Take another folder, or delete this run's.",
            )

    def _train(
        self,
        cell: Cell,
        config: DsrlConfig,
        folder: Path,
        point: int,
        actor_file: Path,
        errors: _Errors,
    ) -> None:
        """Bring the cell's learner to ``point`` episodes and leave its actor there."""
        checkpoint = folder / "learner.safetensors"
        rollout = self.rollout
        if checkpoint.is_file():
            learner = load_learner(checkpoint, rollout.policy.spec, decode=rollout.policy.decode)
        else:
            learner = new_learner(config, rollout, cell.seed)

        def labeller(result: RolloutResult) -> Score:
            truth = truth_rubric(result)
            index = result.summary.meta.index
            score = cell.noise.label(truth, cell.seed, index)
            errors.note(index, abs(score.value - truth.value))
            return score

        rounds = train_online(
            rollout,
            learner,
            self.config.task,
            self.config.max_steps,
            point,
            cell.seed,
            labeller,
            canary_every=self.config.canary_every,
        )
        for _ in rounds:
            pass
        errors.save()
        write_atomic(folder / "steps.json", json.dumps({"grad_steps": learner.sac.steps}))
        learner.actor_snapshot().save(actor_file)
        save_learner(learner, checkpoint)


def fair_profile(name: str) -> DsrlConfig:
    """A profile with the study's reward: the graded score, once, at the end.

    A graded score says nothing about single steps, so the reference's cost per step becomes the
    terminal score, and with it the remaining time enters the state; all else stays the profile's.
    """
    config = load_profile(name)
    return dataclasses.replace(config, reward=RewardForm.TERMINAL_SCORE, time_input=True)


class _Errors:
    """Absolute errors of a cell's labels by episode, kept beside its learner."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._errors: dict[str, float] = json.loads(path.read_text()) if path.is_file() else {}

    @property
    def mae(self) -> float:
        """Mean over the run; NaN before it began."""
        return float(np.mean(list(self._errors.values()))) if self._errors else math.nan

    def note(self, index: int, error: float) -> None:
        self._errors[str(index)] = error

    def save(self) -> None:
        write_atomic(self._path, json.dumps(self._errors))
