# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Success of a frozen policy on the twin under plain choices of its noise, in this process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.evaluation.success import Arm, ArmResult, Trial
from roboreward_ros.protocols import Policy
from roboreward_ros.sim.seeds import held_out_seed, training_seed
from roboreward_ros.sim.tasks import find_task
from roboreward_ros.studies.baselines import Evaluator, Job, Setting, candidate_latents
from roboreward_ros.studies.rollout import ConstantNoise, NoiseChooser, PriorNoise

NOISES: dict[str, tuple[Arm, NoiseChooser]] = {
    "prior": (Arm.BASE, PriorNoise()),
    "zero": (Arm.ZERO, ConstantNoise()),
    "half": (Arm.HALF, PriorNoise(0.5)),
    "quarter": (Arm.QUARTER, PriorNoise(0.25)),
}
"""Name -> (arm of the evaluation, how it chooses)."""

OnTrial = Callable[[str, int, int, str], None]
"""(task, trials done, trials in all, noise) after each trial."""


class PolicyBench:
    """Runs one policy.

    Args:
        policy: as loaded from ``source``.
        source: its folder, or ``demo``.
        on_trial: progress.
    """

    def __init__(self, policy: Policy, source: str, on_trial: OnTrial | None = None) -> None:
        self.policy = policy
        self._source = source
        self._on_trial = on_trial

    def measure(self, task: str, noises: Sequence[str], episodes: int) -> list[ArmResult]:
        """Held-out success under each of ``noises`` on the same ``episodes`` layouts.

        Raises:
            ConfigError: unknown task of the twin or unknown noise.
            CheckpointError: a task the policy was not trained on.
        """
        unknown = [name for name in noises if name not in NOISES]
        if unknown:
            raise ConfigError("unknown noise", got=unknown, allowed=tuple(NOISES))
        seeds = tuple(held_out_seed(index) for index in range(episodes))
        jobs = [Job(name, NOISES[name][1], seeds) for name in noises]
        trials = self._run(task, jobs)
        return [ArmResult(NOISES[name][0], done) for name, done in zip(noises, trials, strict=True)]

    def constants(self, task: str, count: int, each: int = 20) -> list[float]:
        """Sorted success of ``count`` constant latents on the same ``each`` training layouts."""
        latents = candidate_latents(0, self.policy.spec.prediction_horizon, count)
        seeds = tuple(training_seed(0, index) for index in range(each))
        jobs = [Job(f"constant {k}", ConstantNoise(w), seeds) for k, w in enumerate(latents)]
        return sorted(sum(t.success for t in done) / each for done in self._run(task, jobs))

    def _run(self, task: str, jobs: Sequence[Job]) -> list[tuple[Trial, ...]]:
        twin_task, spec = find_task(task), self.policy.spec
        if spec.tasks and twin_task.sentence not in spec.tasks:
            raise CheckpointError(
                "the policy was not trained on this task",
                got=twin_task.sentence,
                allowed=spec.tasks,
                next_step="Choose one of these tasks, or another policy.",
            )
        setting = Setting(twin_task.sentence, self._source, spec.policy_id, twin_task.max_steps)
        total, done = sum(len(job.seeds) for job in jobs), 0

        def note(name: str, trial: Trial) -> None:
            nonlocal done
            del trial
            done += 1
            if self._on_trial is not None:
                self._on_trial(twin_task.sentence, done, total, name)

        with tempfile.TemporaryDirectory() as folder:
            return Evaluator(setting, Path(folder), workers=0).run(jobs, note)
