# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The learner: episodes and labels in, actors out. No ROS, no files, no clock, one thread."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.agent import UpdateMetrics
from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.replay import EpisodeData, ReplayView
from roboreward_ros.dsrl.sac import Sac
from roboreward_ros.errors import LearnerError
from roboreward_ros.types import ACTION_DIM, PolicySpec, Score


@dataclass(frozen=True, slots=True)
class LearnerMetrics:
    """Where the learner stands.

    Attributes:
        episodes: observed, those that may not train included.
        labelled: stored episodes with a label.
        transitions: rows that may train.
        grad_steps: updates done.
        owed: updates that the observed episodes still call for.
        version: newest actor given out.
        last: means over the last ``update`` call.
    """

    episodes: int = 0
    labelled: int = 0
    transitions: int = 0
    grad_steps: int = 0
    owed: int = 0
    version: int = 0
    last: UpdateMetrics = field(default_factory=UpdateMetrics)


class Learner:
    """DSRL-SAC over one run.

    The quota of updates depends on the episodes alone, never on time: nothing is owed until
    ``warmup_episodes`` are labelled, then ``warmup_updates`` at once and ``updates_per_episode``
    for each later one. Until the first update the actor is the prior, version 0.

    Args:
        config: every knob.
        spec: of the frozen policy.
        seed: of weights and sampling.
    """

    def __init__(self, config: DsrlConfig, spec: PolicySpec, seed: int = 0) -> None:
        torch.set_num_threads(1)
        self.config = config
        self.spec = spec
        self.seed = seed
        noise_dim = spec.prediction_horizon * ACTION_DIM
        self.replay = ReplayView(config, spec.feature_dim, noise_dim)
        self.sac = Sac(config, spec.feature_dim, noise_dim, seed)
        self.rng = np.random.default_rng((seed, 2))
        self.seen: dict[str, bool] = {}  # id -> stored for training
        self.warm = False
        self.owed = 0
        self.version = 0
        self.version_steps = 0  # grad steps that the newest version has seen
        self.last = UpdateMetrics()

    def observe_episode(self, episode: EpisodeData, reward: Score | None) -> bool:
        """Take in a committed episode; the same id again carries a late or corrected label.

        Args:
            episode: reader of a committed episode.
            reward: its label in the learner's view; None while unlabelled.

        Returns:
            Whether it may train (not discarded, tainted or incomplete).

        Raises:
            LearnerError: recorded with another policy, or unusable for the reward form.
        """
        meta = episode.summary.meta
        if meta.policy_id != self.spec.policy_id:
            raise LearnerError(
                f"episode {meta.episode_id} was recorded with another policy",
                got=meta.policy_id,
                allowed=self.spec.policy_id,
                next_step="Use the run's own policy, or a new run_dir.",
            )
        fresh = meta.episode_id not in self.seen
        stored = self.replay.add(episode, reward)
        self.seen[meta.episode_id] = stored
        self._charge(fresh)
        return stored

    def relabel(self, episode_id: str, reward: Score | None) -> None:
        """A label came late, was corrected or taken back; unknown ids are an error.

        Raises:
            LearnerError: an episode that was never observed.
        """
        if episode_id not in self.seen:
            raise LearnerError("label of an episode that was not observed", got=episode_id)
        if episode_id in self.replay.episodes:
            self.replay.relabel(episode_id, reward)
            self._charge(fresh=False)

    def _charge(self, fresh: bool) -> None:
        if self.warm:
            self.owed += self.config.updates_per_episode if fresh else 0
        elif self.replay.labelled >= self.config.warmup_episodes:
            self.warm = True
            self.sac.fit(self.replay)
            self.owed += self.config.warmup_updates + self.config.updates_per_episode

    def update(self, n: int | None = None) -> int:
        """Do up to ``n`` of the owed updates (all by default); returns how many were done.

        A run is the same however its quota is divided into calls.
        """
        n = self.owed if n is None else min(n, self.owed)
        if n <= 0 or not len(self.replay):
            return 0
        self.last = self.sac.update(self.replay, self.rng, n) or self.last
        self.owed -= n
        return n

    def actor_snapshot(self) -> SteeringActor:
        """The present actor, frozen; a new version if updates were done since the last one."""
        if self.sac.steps == 0:
            return SteeringActor.prior(self.spec.policy_id, self.spec.prediction_horizon)
        if self.sac.steps != self.version_steps:
            self.version += 1
            self.version_steps = self.sac.steps
        return self.sac.snapshot(self.version, self.spec.policy_id)

    def metrics(self) -> LearnerMetrics:
        """Where the learner stands."""
        return LearnerMetrics(
            episodes=len(self.seen),
            labelled=self.replay.labelled,
            transitions=len(self.replay),
            grad_steps=self.sac.steps,
            owed=self.owed,
            version=self.version,
            last=self.last,
        )
