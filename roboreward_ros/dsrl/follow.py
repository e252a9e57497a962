# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lets a learner follow one run on disk: episodes in index order, labels as the view has them.

What it does depends on the stores alone: the same episodes and labels give the same weights. An
episode is taken in once its outcome is known (label, abstention or failure) or a later episode's
is; each calls for a fixed quota of updates. One that is refused by name has its turn again when its
label changes. Whoever watches the steering may hold publishing back
or fall back to the prior; training goes on. Knows nothing about ROS; one thread.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.actor_files import ActorFiles, PublishedActor, actor_path
from roboreward_ros.dsrl.checkpoint import save_learner
from roboreward_ros.dsrl.chunk_decoder import decode_of
from roboreward_ros.dsrl.compute import Compute
from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.corrections import CorrectedEpisode, Corrector
from roboreward_ros.dsrl.inversion_record import note_inversion
from roboreward_ros.dsrl.learner import Learner, LearnerMetrics
from roboreward_ros.dsrl.pieces import Pieces
from roboreward_ros.dsrl.prior_intake import PriorData, take_prior
from roboreward_ros.dsrl.resume import resume_learner, spec_of
from roboreward_ros.dsrl.stores import RunStores, Stores
from roboreward_ros.errors import FormatError, LearnerError
from roboreward_ros.protocols import EpisodeReader, Policy
from roboreward_ros.types import PolicySpec

__all__ = ["FollowStatus", "PublishedActor", "RunFollower", "actor_path"]

_LOG = logging.getLogger(__name__)
CHECKPOINT = "learner.safetensors"


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


class RunFollower:
    """See the module's text.

    Args:
        run_dir: the run; its episodes and ledgers are read, policies and checkpoints written.
        config: of the learner; a resumed run keeps the configuration of its checkpoint.
        seed: of weights and sampling.
        source: reward source to learn from; "" follows the run's promoted one.
        stores: what to learn from instead of the run's own stores.
        compute: device, precision and compilation of the updates.
        policy: frozen policy, for algorithms that decode noise in their updates; episodes of
            another one are refused.
        prior: gives demonstrations, once, before the first episode of a new run.
        correct: makes what a person took over fit to learn from, None of others; see ``Corrector``.
        exact: refuse a resume that cannot equal the uninterrupted run to the bit.
        keep_actors: newest actor files that stay; of the older ones every tenth does. 0 keeps all.
    """

    def __init__(
        self,
        run_dir: Path | str,
        config: DsrlConfig,
        seed: int = 0,
        source: str = "",
        *,
        stores: Stores | None = None,
        compute: Compute | None = None,
        policy: Policy | None = None,
        prior: PriorData | None = None,
        correct: Corrector | None = None,
        exact: bool = True,
        keep_actors: int = 0,
    ) -> None:
        self.run_dir = Path(run_dir)
        self.compute = compute or Compute()
        self._policy = policy
        self._prior = prior
        self._correct = correct
        self._exact = exact
        self._files = ActorFiles(self.run_dir, keep_actors)
        self._held = ""
        self.fallen_back = False  # the base policy acts
        self._unpublished = False
        self.config = config
        self.seed = seed
        self.status = FollowStatus()
        self._stores: Stores = stores or RunStores(self.run_dir, source)
        self._learner: Learner | None = None
        self._order: list[str] = []  # processed, in order
        self._intake: Iterator[None] | None = None  # of what the stores hold, a piece at a time
        self._discarded: set[str] = set()
        self._unheard: list[str] = []  # changes, told once, until they are taken in
        self.refused: dict[str, str] = {}  # episode -> why nothing is learnt from it
        self._halted = ""
        self._saved_steps = -1

    @property
    def checkpoint(self) -> Path:
        """File that a resume starts from."""
        return self.run_dir / "checkpoints" / CHECKPOINT

    def resume(self) -> None:
        """Take over the run's checkpoint, if it has one that fits its episodes.

        Raises:
            CheckpointError: see ``dsrl.resume``.
        """
        learner = resume_learner(
            self.checkpoint,
            self._stores,
            self.config,
            self.seed,
            self.compute,
            self._policy,
            exact=self._exact,
        )
        if learner is None:
            return
        self._learner = learner
        self._order = list(learner.seen)
        self._saved_steps = self._learner.sac.steps
        actor = self._files.find(
            learner.version, learner.spec.policy_id, max(0, learner.version_steps)
        )
        self.status = dataclasses.replace(self.status, actor=actor)
        self._settle(publish=False)

    @property
    def taken(self) -> int:
        """Episodes taken in, those whose updates are not done included."""
        return len(self._order)

    @property
    def order(self) -> tuple[str, ...]:
        """Their ids, in the order in which they were taken in."""
        return tuple(self._order)

    def trains(self, episode_id: str) -> bool:
        """Whether an episode was taken in and may train."""
        return self._learner is not None and self._learner.seen.get(episode_id, False)

    @property
    def owed(self) -> int:
        """Updates not done yet."""
        return self._learner.owed if self._learner is not None else 0

    @property
    def called_for(self) -> int:
        """Updates that the episodes taken in by this process call for (``Learner.called_for``)."""
        return self._learner.called_for if self._learner is not None else 0

    @property
    def grad_steps(self) -> int:
        """Updates done."""
        return self._learner.sac.steps if self._learner is not None else 0

    @property
    def held(self) -> str:
        """Why nothing is published; "" where it is."""
        return self._held

    def hold(self, reason: str) -> None:
        """Publish nothing while ``reason`` is not empty; then the newest actor at once."""
        self._held = reason
        self.fallen_back = self.fallen_back and bool(reason)

    def fall_back(self, reason: str) -> PublishedActor | None:
        """Publish the prior, so that the base policy acts, and hold; None before any actor."""
        self._held = reason
        learner, actor = self._learner, self.status.actor
        if learner is None or actor is None:
            self.fallen_back = True
            return None
        prior = SteeringActor.prior(learner.spec.policy_id, learner.spec.prediction_horizon)
        learner.version += 1
        learner.version_steps = -1  # the next actor is a new version, even without new updates
        self._unpublished = True
        published = self._write(dataclasses.replace(prior, version=learner.version), learner)
        self.fallen_back = True  # not before it is on disk: where that fails it is tried again
        self.status = dataclasses.replace(self.status, actor=published, message=reason)
        return published

    def grant(self, updates: int) -> None:
        """Owe ``updates`` more (fewer, if negative) once training has begun; never below none."""
        if self._learner is not None and self._learner.warm:
            self._learner.owed = max(0, self._learner.owed + updates)

    def save(self) -> Path | None:
        """Write the checkpoint; None when there is nothing to save or it is halted."""
        learner = self._learner
        if learner is None or not learner.seen or not self._sound(learner):
            return None
        save_learner(learner, self.checkpoint)
        self._saved_steps = learner.sac.steps
        return self.checkpoint

    @property
    def halted(self) -> bool:
        """Whether training stopped because a number was no longer finite."""
        return bool(self._halted)

    @property
    def unsaved(self) -> bool:
        """Whether updates were done since the last save."""
        return self._learner is not None and self._learner.sac.steps != self._saved_steps

    def advance(self, max_updates: int = 40, enough: Callable[[], bool] = lambda: False) -> bool:
        """One bounded piece of work; False when there is nothing to do until a store changes.

        No update but the first begins once it is ``enough``.
        """
        learner = self._learner
        if learner is not None and learner.behind and not self._halted:
            if learner.update(max_updates, enough) == 0:
                learner.owed = 0  # nothing that may train is left: no quota either
            if not self._sound(learner) or not learner.behind:
                self._settle(publish=True)
            return True
        if self._unpublished and not self._held:
            self._settle(publish=True)
            return True
        if self._intake is None and self._stores.refresh():
            self._intake = self._changes() or self._next()
        if self._intake is None:
            return False
        try:
            next(self._intake)
        except StopIteration:
            self._intake = None
        except BaseException:
            self._intake = None  # begins anew, with what the stores hold then and what is unheard
            raise
        return True

    def _changes(self) -> Iterator[None] | None:
        """Take in labels and marks that changed after their episode was; None without any."""
        learner, stores = self._learner, self._stores
        if learner is None:
            return None
        changed = stores.changes()
        marked = stores.discarded(self._order)
        news = dict.fromkeys([*self._unheard, *changed, *sorted(marked ^ self._discarded)])
        self._discarded = marked
        for episode_id in [e for e in news if e in self.refused and e not in learner.seen]:
            # Its turn comes again, by the same rule as in a learner that resumes.
            self._order.remove(episode_id)
            del self.refused[episode_id]
        self._unheard = [e for e in news if e in learner.seen]
        return self._take(self._unheard, publish=False) if self._unheard else None

    def _next(self) -> Iterator[None] | None:
        """Take in the next episode; None while it must be waited for."""
        episode_id = self._stores.next(self._order)
        return None if episode_id is None else self._take([episode_id], publish=True)

    def _take(self, episode_ids: Sequence[str], publish: bool) -> Iterator[None]:
        """Observe episodes, all in the last piece: until then a checkpoint knows of none of them.

        So a learner that resumes in the middle does what an uninterrupted one does.
        """
        opened: dict[str, EpisodeReader | CorrectedEpisode | None] = {}
        for episode_id in episode_ids:
            opened[episode_id] = yield from self._open(episode_id)
        for episode_id, episode in opened.items():
            if episode is not None:
                self._observe(episode_id, episode)
        self._unheard = [it for it in self._unheard if it not in opened]
        self._order += [it for it in episode_ids if it not in self._order]
        if self._learner is None or not self._learner.behind or self._halted:
            self._settle(publish)

    def _open(self, episode_id: str) -> Pieces[EpisodeReader | CorrectedEpisode | None]:
        """An episode as the learner can take it in; None where it is refused."""
        try:
            episode = self._stores.open(episode_id)
            if self._learner is None:
                self._learner = yield from self._begin(spec_of(episode))
            mended = self._correct(episode) if self._correct else None
            if mended is None:
                return episode
            if episode_id not in self._learner.seen:  # else its label counts only
                yield from mended.correct()
        except (LearnerError, FormatError) as error:
            self._refuse(episode_id, error)
            return None
        return mended

    def _observe(self, episode_id: str, episode: EpisodeReader | CorrectedEpisode) -> None:
        learner = self._learner
        assert learner is not None
        fresh, mended = episode_id not in learner.seen, isinstance(episode, CorrectedEpisode)
        try:
            learner.observe_episode(episode, self._stores.label(episode_id), corrected=mended)
        except (LearnerError, FormatError) as error:
            self._refuse(episode_id, error)
            return
        if fresh and isinstance(episode, CorrectedEpisode):
            note_inversion(self.run_dir, episode, self.config.critic)
        self.refused.pop(episode_id, None)

    def _refuse(self, episode_id: str, error: LearnerError | FormatError) -> None:
        _LOG.error("the learner goes on without %s: %s", episode_id, error)
        self.refused[episode_id] = str(error)

    def _begin(self, spec: PolicySpec) -> Pieces[Learner]:
        """A fresh learner, with its demonstrations."""
        decode = decode_of(self._policy, spec.policy_id)
        learner = Learner(self.config, spec, self.seed, self.compute, decode)
        if self._prior is not None:
            yield from take_prior(learner, self._prior, self.run_dir, self._say)
        return learner

    def _say(self, message: str) -> None:
        self.status = dataclasses.replace(self.status, message=message)

    def _sound(self, learner: Learner) -> bool:
        """Whether every number is finite; training stops for good where one is not.

        The losses are measured in some updates only, so the weights are looked at themselves.
        """
        if self._halted:
            return False
        bad = [k for k, v in dataclasses.asdict(learner.last).items() if not math.isfinite(v)]
        bad += learner.sac.not_finite()
        if bad:
            steps = learner.sac.steps
            self._halted = (
                f"training stopped at update {steps}: {', '.join(bad)} not finite; the last good "
                "actor stays"
            )
            where = self.run_dir / "checkpoints" / f"diverged_{steps}.safetensors"
            try:
                save_learner(learner, where)
                self._halted += f", the state is in {where}"
            except OSError as error:
                self._halted += f", the state could not be kept: {error}"
            _LOG.error("%s", self._halted)
        return not bad

    def _settle(self, publish: bool) -> None:
        """No updates are owed: note it, and put a new actor on disk if there is one."""
        learner = self._learner
        actor = self.status.actor
        metrics = LearnerMetrics()
        if learner is not None:
            # A form whose latents are not the prior's has an actor before the first update.
            first = actor is None and learner.version > 0
            fresh = first or self._unpublished or learner.sac.steps != learner.version_steps
            if publish and fresh and self._sound(learner):
                self._unpublished = True  # also where the disk does not take it
                if not self._held:
                    actor = self._write(learner.actor_snapshot(), learner)
                    self._unpublished = False
            metrics = learner.metrics()
        done = f"{len(self._order)} episodes, {metrics.grad_steps} updates"
        message = self._halted or self._held or done
        if learner is not None and not (learner.warm or self._halted or self._held):
            need = learner.config.warmup_episodes
            message = f"warming up: {metrics.labelled} of {need} labelled episodes"
        trainable = sum(learner.seen.values()) if learner is not None else 0
        self.status = FollowStatus(len(self._order), trainable, metrics, actor, message)

    def _write(self, actor: SteeringActor, learner: Learner) -> PublishedActor:
        published = self._files.write(actor, learner.sac.steps)
        learner.version = published.version
        return published
