# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The learner: episodes and labels in, actors out. No ROS, no files, no clock, one thread."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.agent import Agent, UpdateMetrics
from roboreward_ros.dsrl.chunk_decoder import ChunkDecoder
from roboreward_ros.dsrl.cloning import LATER, Imitation
from roboreward_ros.dsrl.compute import Compute, equip
from roboreward_ros.dsrl.config import CriticForm, DsrlConfig
from roboreward_ros.dsrl.edit import Edit
from roboreward_ros.dsrl.edit_actor import Decode
from roboreward_ros.dsrl.noise_aliased import NoiseAliased
from roboreward_ros.dsrl.noise_record import untrained_actor
from roboreward_ros.dsrl.replay import EpisodeData, ReplayView
from roboreward_ros.dsrl.sac import Sac
from roboreward_ros.errors import LearnerError
from roboreward_ros.types import ACTION_DIM, EpisodeMeta, PolicySpec, Score, without_closing

_PLAIN = Compute()


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


def new_agent(config: DsrlConfig, spec: PolicySpec, seed: int, decode: Decode | None) -> Agent:
    """The algorithm that ``config.critic`` names.

    Raises:
        LearnerError: it needs the frozen policy and there is none.
    """
    noise_dim = spec.prediction_horizon * ACTION_DIM
    if config.critic is CriticForm.LATENT:
        return Sac(config, spec.feature_dim, noise_dim, seed)
    if decode is None:
        raise LearnerError(
            f"critic '{config.critic}' decodes noise in its updates and has no policy",
            got="decode=None",
            next_step="Hand in the policy's decode, or take a profile with critic: latent.",
        )
    chunks = ChunkDecoder(decode, spec.chunk_size)
    kind = NoiseAliased if config.critic is CriticForm.ALIASED else Edit
    return kind(config, spec.feature_dim, noise_dim, seed, chunks)


def fingerprint(meta: EpisodeMeta) -> str:
    """Which recording an episode is, whatever its name: start, seed, task and robot."""
    text = json.dumps([meta.created_ns, meta.seed, meta.task, meta.robot, meta.policy_id])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Learner:
    """DSRL over one run, by the algorithm of its configuration.

    The quota of updates depends on the episodes alone, never on time: nothing is owed until
    ``warmup_episodes`` are labelled, then ``warmup_updates`` at once and ``updates_per_episode``
    (or ``updates_per_decision``) for each later one. Until the first update the actor is the
    prior, version 0; a form whose latents cannot be the prior's starts as version 1.

    Args:
        config: every knob.
        spec: of the frozen policy.
        seed: of weights and sampling.
        compute: precision and compilation of the updates.
        decode: of the frozen policy; needed unless the critic is latent.

    Raises:
        LearnerError: the algorithm needs ``decode`` and there is none.
    """

    def __init__(
        self,
        config: DsrlConfig,
        spec: PolicySpec,
        seed: int = 0,
        compute: Compute = _PLAIN,
        decode: Decode | None = None,
    ) -> None:
        torch.set_num_threads(1)
        self.compute = compute
        self.config = config
        self.spec = spec
        self.seed = seed
        noise_dim = spec.prediction_horizon * ACTION_DIM
        chunk_dim = 0 if config.critic is CriticForm.LATENT else spec.chunk_size * ACTION_DIM
        self.replay = ReplayView(config, spec.feature_dim, noise_dim, chunk_dim)
        self.sac = new_agent(config, spec, seed, decode)
        self.copies = equip(self.sac.modules().values(), self.sac.optimizers().values(), compute)
        self.rng = np.random.default_rng((seed, 2))
        self.seen: dict[str, bool] = {}  # id -> stored for training
        self.prints: dict[str, str] = {}  # id -> which recording it was
        self.warm = False
        self.owed = 0
        self.imitating = 0  # steps of imitation that are called for, before what is owed
        self._imitation: Imitation | None = None
        self.called_for = 0  # by the quotas of the episodes that this object has taken in
        self.version = 0 if config.starts_as_prior else 1
        self.version_steps = 0  # grad steps that the newest version has seen
        self.last = UpdateMetrics()

    def observe_episode(
        self, episode: EpisodeData, reward: Score | None, *, corrected: bool = False
    ) -> bool:
        """Take in a committed episode; the same id again carries a late or corrected label.

        Args:
            episode: reader of a committed episode.
            reward: its label in the learner's view; None while unlabelled.
            corrected: a person moved the arm and its chunks say so (``dsrl.corrections``).

        Returns:
            Whether it may train (not discarded, tainted, incomplete or evicted since).

        Raises:
            LearnerError: recorded with another policy, or unusable for the reward form.
        """
        meta = episode.summary.meta
        self._check(meta)
        fresh = meta.episode_id not in self.seen
        if not fresh and meta.episode_id not in self.replay.episodes:
            # Evicted, or never stored. A resume hears every label again: it must bring none back.
            self.seen[meta.episode_id] &= not episode.summary.discarded
            return False
        stored = self.replay.add(episode, reward, corrected=corrected)
        self.seen[meta.episode_id] = stored
        self.prints[meta.episode_id] = fingerprint(meta)
        if fresh and stored and corrected and self.warm:
            self.imitating += self.config.clone_updates // LATER
        made = without_closing(episode.chunks(), episode.summary.n_steps) if fresh else ()
        self._charge(len(made))
        return stored

    def _check(self, meta: EpisodeMeta) -> None:
        """Refuse an episode that this learner cannot have collected."""
        spec, name = self.spec, f"episode {meta.episode_id}"
        if meta.policy_id != spec.policy_id:
            raise LearnerError(
                f"{name} was recorded with another policy",
                got=meta.policy_id,
                allowed=spec.policy_id,
                next_step="Use the run's own policy, or a new run_dir.",
            )
        if meta.chunk_size != spec.chunk_size:
            raise LearnerError(
                f"{name} was recorded with another chunk size",
                got=meta.chunk_size,
                allowed=spec.chunk_size,
                next_step="A chunk is one decision of the learner: record the run with one size.",
            )

    def observe_prior(self, episode: EpisodeData, reward: Score | None) -> bool:
        """Take in prior data (``dsrl.prior_data``): sampled by its share, never a round of the run.

        Returns:
            Whether it may train.

        Raises:
            LearnerError: encoded for another policy, or of an id that the run uses.
        """
        meta = episode.summary.meta
        if meta.policy_id != self.spec.policy_id or meta.episode_id in self.seen:
            raise LearnerError(
                "prior data does not fit this run",
                got=f"episode {meta.episode_id}, policy {meta.policy_id[:12]}",
                allowed=f"an id of its own, policy {self.spec.policy_id[:12]}",
                next_step="Take it in through dsrl.prior_data.prior_episodes.",
            )
        self._imitation = None
        return self.replay.add(episode, reward, prior=True)

    def relabel(self, episode_id: str, reward: Score | None) -> None:
        """A label came late, was corrected or taken back; unknown ids are an error.

        Raises:
            LearnerError: an episode that was never observed.
        """
        if episode_id not in self.seen:
            raise LearnerError("label of an episode that was not observed", got=episode_id)
        if episode_id in self.replay.episodes:
            self.replay.relabel(episode_id, reward)
            self._charge(0)

    def _charge(self, decisions: int) -> None:
        """Owe the updates of a fresh episode with so many decisions; 0 is no fresh one."""
        self._imitation = None  # begins again on what the replay holds then
        config = self.config
        quota = config.updates_per_episode
        if config.updates_per_decision > 0:
            quota = round(config.updates_per_decision * decisions)
        if self.warm:
            quota = quota if decisions else 0
            self.owed += quota
            self.called_for += quota
        elif self.replay.labelled >= config.warmup_episodes:
            self.warm = True
            self.sac.fit(self.replay)
            self.imitating += config.clone_updates
            self.owed += config.warmup_updates + quota
            self.called_for += quota

    @property
    def behind(self) -> bool:
        """Whether ``update`` has something to do."""
        return self.owed > 0 or self.imitating > 0

    def imitate(self, n: int | None = None, enough: Callable[[], bool] = lambda: False) -> int:
        """Do up to ``n`` steps of the imitation that is called for (all by default); how many.

        The actor changes with the last of them only; ``enough`` as of ``update``.
        """
        if not self.imitating:
            return 0
        if self._imitation is None:
            self._imitation = Imitation.begin(
                self.sac, self.replay, self.rng, self.imitating, self.compute
            )
        job = self._imitation
        done = 0 if job is None else job.advance(self.imitating if n is None else n, enough)
        if job is None or job.done:
            self.imitating, self._imitation = 0, None
            for copies in self.copies:
                copies.refresh()
        return done

    def update(self, n: int | None = None, enough: Callable[[], bool] = lambda: False) -> int:
        """Do up to ``n`` of the owed updates (all by default); returns how many steps were done.

        Imitation that is called for comes first, in calls of its own. No step begins once one is
        done and it is ``enough``. A run is the same however its quota is divided into calls.
        """
        imitated = self.imitate(n, enough)
        if self.imitating or (imitated and n is not None):
            return imitated
        n = self.owed if n is None else min(n, self.owed)
        if n <= 0 or not len(self.replay):
            return imitated
        before = self.sac.steps
        self.last = self.sac.update(self.replay, self.rng, n, enough) or self.last
        done = self.sac.steps - before
        self.owed -= done
        return imitated + done

    def actor_snapshot(self) -> SteeringActor:
        """The present actor, frozen; a new version if updates were done since the last one."""
        if self.sac.steps == 0:
            policy_id, horizon = self.spec.policy_id, self.spec.prediction_horizon
            if self.version == 0:
                return SteeringActor.prior(policy_id, horizon)
            return untrained_actor(self.config, policy_id, horizon)
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
