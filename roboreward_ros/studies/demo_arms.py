# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The arms of the demo's held-out evaluation, all on the same layouts.

Baselines need nothing of the run; the best constant latent is chosen on as many training layouts
as the run has episodes; the steered arms take the fixed final actor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.dsrl.actor import SteeringActor, load_actor
from roboreward_ros.dsrl.config import load_profile
from roboreward_ros.evaluation.success import Arm, ArmResult, Trial
from roboreward_ros.sim.seeds import held_out_seed, training_seed
from roboreward_ros.studies.baselines import (
    CANDIDATES,
    Evaluator,
    Job,
    OnTrial,
    Setting,
    best_candidate,
    candidate_jobs,
    candidate_latents,
)
from roboreward_ros.studies.rollout import ConstantNoise, NoiseChooser, PriorNoise, SteeredNoise
from roboreward_ros.types import PolicySpec

BASELINES: dict[Arm, NoiseChooser] = {Arm.BASE: PriorNoise(), Arm.ZERO: ConstantNoise()}
SHRUNK: dict[Arm, NoiseChooser] = {Arm.QUARTER: PriorNoise(0.25), Arm.HALF: PriorNoise(0.5)}


@dataclass(frozen=True, slots=True)
class DemoArms:
    """Jobs of one demo.

    Attributes:
        evaluator: runs them.
        horizon: prediction horizon P of the policy.
        held_out: number of held-out layouts.
        episodes: training episodes of the run, also the budget of the constant latents.
        run_seed: of the run.
        profile: the learner's, for its untrained actor.
        candidates: number of constant latents to choose from.
    """

    evaluator: Evaluator
    horizon: int
    held_out: int
    episodes: int
    run_seed: int
    profile: str
    candidates: int = CANDIDATES

    @property
    def setting(self) -> Setting:
        """What all arms share."""
        return self.evaluator.setting

    def baselines(self) -> list[Job]:
        """W ~ N(0, I) and w = 0."""
        return [self._job(arm, chooser) for arm, chooser in BASELINES.items()]

    def choosing(self) -> list[Job]:
        """Trials on training layouts that the best constant latent is chosen by."""
        seeds = [training_seed(self.run_seed, k) for k in range(self.episodes)]
        latents = candidate_latents(self.run_seed, self.horizon, self.candidates)
        return candidate_jobs(latents, seeds)

    def final(self, chosen: Sequence[Sequence[Trial]], actor_file: Path) -> list[Job]:
        """Every arm, in the order of the page.

        Args:
            chosen: trials of :meth:`choosing`.
            actor_file: the run's final actor.
        """
        latents = candidate_latents(self.run_seed, self.horizon, self.candidates)
        actor = load_actor(actor_file, policy_id=self.setting.policy_id)
        choosers: dict[Arm, NoiseChooser] = {
            **BASELINES,
            **SHRUNK,
            Arm.CONSTANT: ConstantNoise(latents[best_candidate(chosen)]),
            Arm.UNTRAINED: SteeredNoise(self._untrained(actor)),
            Arm.STEERED: SteeredNoise(actor),
            Arm.DETERMINISTIC: SteeredNoise(actor, deterministic=True),
        }
        return [self._job(arm, chooser) for arm, chooser in choosers.items()]

    def results(self, jobs: Sequence[Job], on_trial: OnTrial | None = None) -> list[ArmResult]:
        """Run arms; trials that lie on disk are not run again."""
        trials = self.evaluator.run(jobs, on_trial)
        return [ArmResult(Arm(job.name), t) for job, t in zip(jobs, trials, strict=True)]

    def _job(self, arm: Arm, chooser: NoiseChooser) -> Job:
        seeds = tuple(held_out_seed(k) for k in range(self.held_out))
        return Job(str(arm), chooser, seeds)

    def _untrained(self, final: SteeringActor) -> SteeringActor:
        """The run's actor network as it was before the first update."""
        from roboreward_ros.dsrl.learner import Learner

        features = len(final.weights["features.mean"])
        spec = PolicySpec(
            policy_id=final.policy_id,
            prediction_horizon=final.horizon,
            chunk_size=final.horizon,
            feature_dim=features,
            image_size=0,
            control_hz=0.0,
        )
        learner = Learner(load_profile(self.profile), spec, self.run_seed)
        return learner.sac.snapshot(0, spec.policy_id)
