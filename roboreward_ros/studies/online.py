# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The whole DSRL loop in one process: episode, label, quota of updates, next episode.

The same order of events as the stack at ``speed:=max``, so a profile tuned here behaves the same
there. Labels come from a function of the finished episode; the learner sees nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.learner import Learner, LearnerMetrics
from roboreward_ros.sim.seeds import training_seed
from roboreward_ros.studies.rollout import (
    NoiseChooser,
    PriorNoise,
    Rollout,
    RolloutResult,
    SteeredNoise,
)
from roboreward_ros.types import Provenance, Score, ScoreKind, ScoreScale

Labeller = Callable[[RolloutResult], Score | None]
"""A label for a finished episode; None leaves it unlabelled."""


def truth_rubric(result: RolloutResult) -> Score:
    """The simulator's rubric score of the end state."""
    return Score(
        float(result.truth.score), ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("ground_truth")
    )


@dataclass(frozen=True, slots=True)
class OnlineEpisode:
    """One round of the loop.

    Attributes:
        result: the episode.
        label: what the learner was told.
        metrics: of the learner after its quota.
        rollout_s: steady seconds of the episode.
        learner_s: steady seconds of the updates.
    """

    result: RolloutResult
    label: Score | None
    metrics: LearnerMetrics
    rollout_s: float
    learner_s: float


def train_online(
    rollout: Rollout,
    learner: Learner,
    task: str,
    max_steps: int,
    episodes: int,
    run_seed: int,
    labeller: Labeller = truth_rubric,
    clock: Clock | None = None,
    canary_every: int = 0,
) -> Iterator[OnlineEpisode]:
    """Run ``episodes`` rounds; resumes behind the episodes that ``learner`` has observed.

    Args:
        rollout: runs the episodes.
        learner: trained in place.
        task: sentence.
        max_steps: time limit in control steps.
        episodes: index behind the last round.
        run_seed: of the run; decides the layouts and the noise of every episode.
        labeller: gives each episode's reward.
        clock: measures the two durations.
        canary_every: the last of every so many episodes takes plain noise; 0 for none.
    """
    clock = clock or SystemClock()
    for index in range(len(learner.seen), episodes):
        start = clock.steady_ns()
        canary = canary_every > 0 and index % canary_every == canary_every - 1
        chooser = PriorNoise() if canary else chooser_of(learner)
        seed, closing = training_seed(run_seed, index), learner.config.goes_on
        result = rollout.run(task, seed, chooser, max_steps, index, closing=closing)
        middle = clock.steady_ns()
        label = labeller(result)
        learner.observe_episode(result, label)
        learner.update()
        end = clock.steady_ns()
        yield OnlineEpisode(
            result, label, learner.metrics(), (middle - start) * 1e-9, (end - middle) * 1e-9
        )


def chooser_of(learner: Learner) -> NoiseChooser:
    """The noise of the next training episode: the prior until an actor was trained."""
    actor = learner.actor_snapshot()
    return SteeredNoise(actor) if actor.version else PriorNoise()


def new_learner(config: DsrlConfig, rollout: Rollout, run_seed: int) -> Learner:
    """A fresh learner for the policy of ``rollout``."""
    return Learner(config, rollout.policy.spec, run_seed, decode=rollout.policy.decode)
