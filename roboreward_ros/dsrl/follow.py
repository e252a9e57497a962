# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lets a learner follow one run on disk: episodes in index order, labels as the view has them.

What it does depends on the stores alone: the same episodes and labels give the same weights. An
episode is taken in once its outcome is known (label, abstention or failure) or a later episode's
is; each calls for a fixed quota of updates. Knows nothing about ROS; one thread.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import math
from dataclasses import dataclass, field
from pathlib import Path

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.checkpoint import load_learner, save_learner
from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.learner import Learner, LearnerMetrics
from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import LabelStatus, RewardView, ViewConfig
from roboreward_ros.errors import CheckpointError, FormatError, LearnerError
from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.types import ACTION_DIM, PolicySpec

_LOG = logging.getLogger(__name__)
CHECKPOINT = "learner.safetensors"


@dataclass(frozen=True, slots=True)
class PublishedActor:
    """A version of the actor on disk.

    Attributes:
        version: counts from 1.
        path: safetensors file below ``run_dir/policies``.
        sha256: of the file.
        policy_id: frozen policy that it steers.
        grad_steps: updates behind it.
    """

    version: int
    path: Path
    sha256: str
    policy_id: str
    grad_steps: int


@dataclass(frozen=True, slots=True)
class FollowStatus:
    """Where the follower stands.

    Attributes:
        episodes_done: episodes whose quota of updates is finished.
        trainable: episodes of these that may train.
        metrics: of the learner.
        actor: newest published version; None before the first.
        message: one line; says why, when training stopped.
    """

    episodes_done: int = 0
    trainable: int = 0
    metrics: LearnerMetrics = field(default_factory=LearnerMetrics)
    actor: PublishedActor | None = None
    message: str = "waiting for the first episode"


def actor_path(run_dir: Path, version: int) -> Path:
    """Where the actor of a version lies."""
    return run_dir / "policies" / f"actor_{version:06d}.safetensors"


def spec_of(episode: EpisodeReader) -> PolicySpec:
    """What a recorded episode says about the policy that ran it.

    Raises:
        LearnerError: it holds no decision.
    """
    meta = episode.summary.meta
    chunks = episode.chunks()
    if not chunks:
        raise LearnerError(f"episode {meta.episode_id} holds no decision")
    return PolicySpec(
        policy_id=meta.policy_id,
        prediction_horizon=chunks[0].noise.size // ACTION_DIM,
        chunk_size=meta.chunk_size,
        feature_dim=chunks[0].features.size,
        image_size=0,
        control_hz=meta.control_hz,
    )


class RunFollower:
    """See the module's text.

    Args:
        run_dir: the run; its episodes and ledgers are read, policies and checkpoints written.
        config: of the learner; a resumed run keeps the configuration of its checkpoint.
        seed: of weights and sampling.
        source: reward source to learn from; "" follows the run's promoted one.
    """

    def __init__(
        self, run_dir: Path | str, config: DsrlConfig, seed: int = 0, source: str = ""
    ) -> None:
        self.run_dir = Path(run_dir)
        self.config = config
        self.seed = seed
        self.status = FollowStatus()
        self._source = source
        self._store = EpisodeStore(self.run_dir, "r")
        self._view: RewardView | None = None
        self._cursor = 0
        self._learner: Learner | None = None
        self._order: list[str] = []  # processed, in order
        self._discarded: set[str] = set()
        self._halted = ""
        self._saved_steps = -1

    @property
    def checkpoint(self) -> Path:
        """File that a resume starts from."""
        return self.run_dir / "checkpoints" / CHECKPOINT

    def resume(self) -> None:
        """Take over the run's checkpoint, if it has one that fits its episodes.

        Raises:
            CheckpointError: it is damaged, newer, or of another policy.
        """
        if not self.checkpoint.is_file():
            return
        ids = self._store.ids()
        if not ids:
            raise CheckpointError(
                "the run has a learner checkpoint but no episodes",
                got=str(self.checkpoint),
                next_step="Restore episodes/, or start a new run_dir.",
            )
        self._learner = load_learner(self.checkpoint, spec_of(self._store.open(ids[0])))
        self._order = list(self._learner.seen)
        self._saved_steps = self._learner.sac.steps
        path = actor_path(self.run_dir, self._learner.version)
        if self._learner.version and path.is_file():
            self.status = dataclasses.replace(self.status, actor=self._publish_again(path))
        self._settle(publish=False)

    def _publish_again(self, path: Path) -> PublishedActor:
        assert self._learner is not None
        return PublishedActor(
            self._learner.version,
            path,
            hashlib.sha256(path.read_bytes()).hexdigest(),
            self._learner.spec.policy_id,
            self._learner.version_steps,
        )

    def save(self) -> Path | None:
        """Write the checkpoint; None when there is nothing to save or it is halted."""
        if self._learner is None or self._halted:
            return None
        save_learner(self._learner, self.checkpoint)
        self._saved_steps = self._learner.sac.steps
        return self.checkpoint

    @property
    def halted(self) -> bool:
        """Whether training stopped because a number was no longer finite."""
        return bool(self._halted)

    @property
    def unsaved(self) -> bool:
        """Whether updates were done since the last save."""
        return self._learner is not None and self._learner.sac.steps != self._saved_steps

    def advance(self, max_updates: int = 40) -> bool:
        """One bounded piece of work; False when there is nothing to do until a store changes."""
        learner = self._learner
        if learner is not None and learner.owed and not self._halted:
            if learner.update(max_updates) == 0:
                learner.owed = 0  # nothing that may train is left: no quota either
            self._guard(learner)
            if learner.owed == 0 or self._halted:
                self._settle(publish=True)
            return True
        self._follow_source()
        return self._apply_changes() or self._take_next()

    def _follow_source(self) -> None:
        promoted = read_promoted(self.run_dir)
        config = ViewConfig(self._source) if self._source else promoted
        if promoted is not None and self._source == promoted.source:
            config = promoted
        if config is not None and (self._view is None or config != self._view.config):
            self._view = RewardView.of_run(self.run_dir, config)
            self._cursor = 0

    def _apply_changes(self) -> bool:
        """Labels and marks that changed after their episode was taken in."""
        learner, view = self._learner, self._view
        if learner is None or view is None:
            return False
        self._cursor, changed = view.changes(self._cursor)
        marked = {e for e in self._order if self._store.marks.discarded(e)}
        touched = [e for e in changed if e in learner.seen] + sorted(marked ^ self._discarded)
        self._discarded = marked
        for episode_id in touched:
            self._observe(episode_id, view)
        if touched and learner.owed == 0:
            self._settle(publish=False)
        return bool(touched)

    def _take_next(self) -> bool:
        view = self._view
        ids = self._store.ids()
        if view is None or len(ids) <= len(self._order):
            return False
        known = {*self._order}
        waiting = [e for e in ids if e not in known]
        if not any(_settled(view, episode_id) for episode_id in waiting):
            return False
        episode_id = waiting[0]
        self._observe(episode_id, view)
        self._order.append(episode_id)
        if self._learner is None or self._learner.owed == 0 or self._halted:
            self._settle(publish=True)
        return True

    def _observe(self, episode_id: str, view: RewardView) -> None:
        try:
            episode = self._store.open(episode_id)
            if self._learner is None:
                self._learner = Learner(self.config, spec_of(episode), self.seed)
            self._learner.observe_episode(episode, view.label(episode_id))
        except (LearnerError, FormatError) as error:
            _LOG.error("the learner goes on without %s: %s", episode_id, error)

    def _guard(self, learner: Learner) -> None:
        """Stop training, keep the last good actor, when a number is no longer finite."""
        bad = [k for k, v in dataclasses.asdict(learner.last).items() if not math.isfinite(v)]
        if not bad:
            return
        where = self.run_dir / "checkpoints" / f"diverged_{learner.sac.steps}.safetensors"
        save_learner(learner, where)
        self._halted = (
            f"training stopped at update {learner.sac.steps}: {', '.join(bad)} not finite; the "
            f"last good actor stays, the state is in {where}"
        )
        _LOG.error("%s", self._halted)

    def _settle(self, publish: bool) -> None:
        """No updates are owed: note it, and put a new actor on disk if there is one."""
        learner = self._learner
        actor = self.status.actor
        metrics = LearnerMetrics()
        if learner is not None:
            if publish and not self._halted and learner.sac.steps != learner.version_steps:
                actor = self._write(learner.actor_snapshot(), learner)
            metrics = learner.metrics()
        message = self._halted or f"{len(self._order)} episodes, {metrics.grad_steps} updates"
        if not self._halted and learner is not None and not learner.warm:
            need = learner.config.warmup_episodes
            message = f"warming up: {metrics.labelled} of {need} labelled episodes"
        trainable = sum(learner.seen.values()) if learner is not None else 0
        self.status = FollowStatus(len(self._order), trainable, metrics, actor, message)

    def _write(self, actor: SteeringActor, learner: Learner) -> PublishedActor:
        path = actor_path(self.run_dir, actor.version)
        sha256 = actor.save(path)
        return PublishedActor(actor.version, path, sha256, actor.policy_id, learner.sac.steps)


def _settled(view: RewardView, episode_id: str) -> bool:
    label = view.status(episode_id)
    return label.status is not LabelStatus.UNSCORED or bool(label.detail)
