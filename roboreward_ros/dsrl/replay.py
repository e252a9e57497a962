# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The learner's view over episodes and labels: one row per decision, rewards filled in from labels.

Rows of an episode are contiguous in a ring, so the next state of a row is the next row and is
stored once. A late or corrected label recomputes reward, mask, return and trainability of its
rows; nothing else moves, and the episode on disk is never touched. Sampling is uniform over
trainable rows in constant time, from two pools: what the run collected, and prior data
(demonstrations, earlier runs), which make up a fixed share of every batch and are never evicted.
What a person did in an episode of the run is sampled as prior data and goes with its episode.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from roboreward_ros.dsrl.config import CriticForm, DsrlConfig
from roboreward_ros.dsrl.noise_forms import NoiseMap
from roboreward_ros.dsrl.row_set import RowSet
from roboreward_ros.dsrl.shaping import Decisions, Shaped, shape
from roboreward_ros.errors import LearnerError
from roboreward_ros.types import (
    ACTION_DIM,
    Chunk,
    EpisodeSummary,
    Float32Array,
    Score,
    StepFlag,
)

MOST_OFTEN = 16
"""A few decisions of a person are not drilled until they are known by heart."""
_CUT = StepFlag.HOLD | StepFlag.LATE | StepFlag.TAKEOVER | StepFlag.FAULT


class EpisodeData(Protocol):
    """What the learner reads of an episode; every ``EpisodeReader`` has it."""

    @property
    def summary(self) -> EpisodeSummary:
        """Header and end."""

    def flags(self) -> Sequence[int]:
        """StepFlag values ``[T]``."""

    def chunks(self) -> Sequence[Chunk]:
        """Decisions in order, with ``executed`` filled in."""


@dataclass(frozen=True, slots=True)
class StoredEpisode:
    """Where an episode's rows lie and what shaping needs again when its label changes.

    Attributes:
        start: ring row of its first decision.
        rows: rows taken, the state after the last step included where it is known.
        decisions: input of ``shaping.shape``.
        score: present label; None while unlabelled.
        prior: prior data, not collected by this run.
    """

    start: int
    rows: int
    decisions: Decisions
    score: Score | None
    prior: bool = False


def remaining_fraction(step: int, max_steps: int) -> float:
    """Share of the time limit that is left at a decision, 1 at the start; part of the state."""
    return (max_steps - step) / max_steps


def decisions_of(episode: EpisodeData, executed: bool = False) -> Decisions:
    """Which chunks of an episode ran whole, were cut, or were taken over.

    Where the chunks are what was ``executed``, whoever did it, a takeover cuts none.
    """
    cut = int(_CUT & ~StepFlag.TAKEOVER) if executed else int(_CUT)
    summary = episode.summary
    flags = np.asarray(episode.flags(), dtype=np.int64)
    size = summary.meta.chunk_size
    steps, whole, takeover = [], [], []
    has_final = False
    for chunk in episode.chunks():
        if chunk.step >= summary.n_steps:
            has_final = True  # a closing decision of which nothing ran: the final state
            continue
        own = flags[chunk.step : chunk.step + size]
        steps.append(chunk.step)
        whole.append(chunk.executed == size and not bool(np.any(own & cut)))
        takeover.append(bool(np.any(own & int(StepFlag.TAKEOVER))))
    return Decisions(steps, whole, takeover, summary.n_steps, summary.end_cause, has_final)


class ReplayView:
    """Ring of decisions ``[capacity]``.

    Attributes:
        features: frozen conditioning ``[capacity, F]`` float32.
        remaining: fraction of the time limit left ``[capacity]`` float32.
        noise: latents ``[capacity, P * 7]`` float32; 0 where not known.
        known_noise: whether the latent of a row is known ``[capacity]`` bool; it is not where a
            person demonstrated and the sampler could not be inverted.
        actions: first C decoded actions, unclipped, physical units ``[capacity, C * 7]`` float32;
            no columns unless asked for.
        rewards, masks, returns: see ``shaping.Shaped``, ``[capacity]`` float32.
        members: whether a critic learns from the row's episode ``[capacity, E]`` bool.
        episodes: what is stored, oldest first, by id.

    Args:
        config: capacity, shaping and the share of prior data.
        feature_dim: F.
        noise_dim: P * 7.
        action_dim: C * 7 to keep the executed chunks too (an action critic needs them), or 0.
    """

    def __init__(
        self, config: DsrlConfig, feature_dim: int, noise_dim: int, action_dim: int = 0
    ) -> None:
        capacity = config.capacity
        self._config = config
        self._noise_map = NoiseMap(config.noise, noise_dim // ACTION_DIM, config.basis)
        self.capacity = capacity
        self.features = np.zeros((capacity, feature_dim), dtype=np.float32)
        self.remaining = np.zeros(capacity, dtype=np.float32)
        self.noise = np.zeros((capacity, noise_dim), dtype=np.float32)
        self.known_noise = np.zeros(capacity, dtype=np.bool_)
        self.actions = np.zeros((capacity, action_dim), dtype=np.float32)
        self.rewards = np.zeros(capacity, dtype=np.float32)
        self.masks = np.zeros(capacity, dtype=np.float32)
        self.returns = np.zeros(capacity, dtype=np.float32)
        self.members = np.zeros((capacity, config.ensemble), dtype=np.bool_)
        self.episodes: dict[str, StoredEpisode] = OrderedDict()  # a dict is slow at its front
        self.next_row = 0
        self.high_water = 0  # rows ever written
        self.labelled = 0  # episodes of this run that have a label
        self._own = RowSet(capacity)
        self._prior = RowSet(capacity)
        self._kept: dict[str, tuple[int, int]] = {}  # prior episodes: start and rows

    def __len__(self) -> int:
        """Trainable transitions."""
        return len(self._own) + len(self._prior)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays at full capacity."""
        arrays = (
            self.features, self.remaining, self.noise, self.known_noise, self.actions,
            self.rewards, self.masks, self.returns, self.members,
        )  # fmt: skip
        return sum(array.nbytes for array in arrays) + self._own.nbytes + self._prior.nbytes

    def add(
        self,
        episode: EpisodeData,
        score: Score | None,
        *,
        prior: bool = False,
        corrected: bool = False,
    ) -> bool:
        """Take an episode in, or relabel it if it is known.

        Args:
            episode: reader of a committed episode. Latents that are not known are NaN.
            score: its label; None while unlabelled.
            prior: prior data: sampled by its share, never evicted.
            corrected: its chunks are what was executed (``dsrl.corrections``).

        Returns:
            Whether it is stored; discarded, tainted and incomplete episodes are not.

        Raises:
            LearnerError: chunks that do not fit this learner, or an episode beyond capacity.
        """
        summary = episode.summary
        episode_id = summary.meta.episode_id
        if summary.discarded or summary.taint or not summary.complete:
            self.forget(episode_id)
            return False
        if episode_id in self.episodes:
            self.relabel(episode_id, score)
            return True
        decisions = decisions_of(episode, prior or corrected)
        if not decisions.steps:
            return False
        chunks = self._kept_chunks(episode, decisions)
        self._check(episode_id, chunks, prior or corrected)
        shaped = self._shape(episode_id, decisions, score)
        rows = self._rows(self._reserve(len(chunks)), len(chunks))
        self.features[rows] = np.stack([chunk.features for chunk in chunks])
        noise = np.stack([chunk.noise.reshape(-1) for chunk in chunks])
        self.known_noise[rows] = np.isfinite(noise).all(axis=1) & self._noise_map.fits(noise)
        self.noise[rows] = np.where(self.known_noise[rows, None], noise, np.float32(0))
        if self.actions.shape[1]:
            size = summary.meta.chunk_size
            self.actions[rows] = np.stack([chunk.actions[:size].reshape(-1) for chunk in chunks])
        limit = summary.meta.max_steps
        self.members[rows] = self._members(episode_id)
        self.remaining[rows] = [remaining_fraction(chunk.step, limit) for chunk in chunks]
        self.episodes[episode_id] = StoredEpisode(int(rows[0]), len(chunks), decisions, None, prior)
        if prior:
            self._kept[episode_id] = (int(rows[0]), len(chunks))
        self._apply(episode_id, shaped, score)
        return True

    def _kept_chunks(self, episode: EpisodeData, decisions: Decisions) -> list[Chunk]:
        """One a row; where targets go on, the final state's is behind the last whole decision's.

        What lies there otherwise was cut by the end and never trains: its steps belong to the last
        whole decision, which leads to the final state.
        """
        chunks = list(episode.chunks())
        kept = chunks[: len(decisions.steps)]
        if self._config.goes_on and decisions.has_final_state and decisions.last >= 0:
            kept[decisions.last + 1 : decisions.last + 2] = chunks[-1:]
        return kept

    def relabel(self, episode_id: str, score: Score | None) -> None:
        """Recompute rewards of a stored episode from its new label; None takes the label back.

        Raises:
            LearnerError: the label cannot be used; the episode is then unlabelled.
        """
        decisions = self.episodes[episode_id].decisions
        try:
            shaped = self._shape(episode_id, decisions, score)
        except LearnerError:
            self._apply(episode_id, self._shape(episode_id, decisions, None), None)
            raise
        self._apply(episode_id, shaped, score)

    def forget(self, episode_id: str) -> None:
        """Drop an episode, for instance because the operator discarded it; idempotent."""
        stored = self.episodes.pop(episode_id, None)
        self._kept.pop(episode_id, None)
        if stored is not None:
            self.labelled -= stored.score is not None and not stored.prior
            for row in self._rows(stored.start, stored.rows).tolist():
                self._own.mark(row, False)
                self._prior.mark(row, False)

    def sample(self, rng: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
        """``size`` trainable rows, uniformly with replacement; constant time per row.

        ``prior_share`` of them are prior data while both pools have any, but no row of these is
        drawn more than ``MOST_OFTEN`` times as often as another.

        Raises:
            LearnerError: nothing may train yet.
        """
        if not len(self):
            raise LearnerError(
                "no transition has a known reward yet",
                got=f"{len(self.episodes)} episodes",
                next_step="Wait for the first label.",
            )
        weight = MOST_OFTEN * len(self._prior)
        share = min(self._config.prior_share, weight / max(weight + len(self._own), 1))
        prior = round(size * share)
        if not len(self._own):
            prior = size
        if prior == 0:
            return self._own.draw(rng, size)
        if prior == size:
            return self._prior.draw(rng, size)
        return np.concatenate([self._own.draw(rng, size - prior), self._prior.draw(rng, prior)])

    def next_rows(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Row of the next decision; meaningful only where the mask is 1."""
        return (rows + 1) % self.capacity

    def known_features(self) -> Float32Array:
        """Features ``[n, F]`` of all stored decisions, for normalisation."""
        rows = [self._rows(e.start, e.rows) for e in self.episodes.values()]
        return self.features[np.concatenate(rows)] if rows else self.features[:0]

    def trainable_rows(self, *, prior: bool = False) -> npt.NDArray[np.int64]:
        """Rows of a pool that may train, in the order that sampling indexes them."""
        return (self._prior if prior else self._own).rows()

    def restore(
        self,
        episodes: Mapping[str, StoredEpisode],
        own: npt.NDArray[np.int64],
        prior: npt.NDArray[np.int64],
        next_row: int,
        high_water: int,
    ) -> None:
        """Take over the bookkeeping of a saved replay; its arrays are already in place."""
        self.episodes = OrderedDict(episodes)
        mine = [e for e in self.episodes.values() if not e.prior]
        self.labelled = sum(stored.score is not None for stored in mine)
        self._kept = {k: (e.start, e.rows) for k, e in self.episodes.items() if e.prior}
        self.next_row = next_row
        self.high_water = high_water
        self._own.restore(own)
        self._prior.restore(prior)

    def _shape(self, episode_id: str, decisions: Decisions, score: Score | None) -> Shaped:
        shaped = shape(self._config, decisions, score)
        if not np.isfinite(shaped.rewards).all():
            raise LearnerError(f"the rewards of episode {episode_id} are not finite")
        return shaped

    def _apply(self, episode_id: str, shaped: Shaped, score: Score | None) -> None:
        stored = self.episodes[episode_id]
        rows = self._rows(stored.start, len(shaped.rewards))
        self.rewards[rows] = shaped.rewards
        self.masks[rows] = shaped.masks
        self.returns[rows] = shaped.returns
        trains = shaped.trainable
        if self._config.critic is CriticForm.LATENT:
            trains = trains & self.known_noise[rows]  # a latent critic needs the latent
        by_hand = np.asarray(stored.decisions.takeover, dtype=bool)
        for row, member, hand in zip(rows.tolist(), trains.tolist(), by_hand.tolist(), strict=True):
            (self._prior if stored.prior or hand else self._own).mark(row, member)
        if not stored.prior:
            self.labelled += (score is not None) - (stored.score is not None)
        self.episodes[episode_id] = dataclasses.replace(stored, score=score)

    def _members(self, episode_id: str) -> npt.NDArray[np.bool_]:
        """Which critics ``[E]`` learn from an episode: a function of its id, at least one."""
        rng = np.random.default_rng(zlib.crc32(episode_id.encode()))
        draws = rng.random(self._config.ensemble)
        return np.asarray(draws < max(self._config.bootstrap, draws.min() + 1e-12))

    def _check(self, episode_id: str, chunks: Sequence[Chunk], executed: bool) -> None:
        want = (self.features.shape[1], self.noise.shape[1])
        for chunk in chunks:
            have = (chunk.features.size, chunk.noise.size)
            if have != want:
                raise LearnerError(
                    f"episode {episode_id} was recorded with another policy",
                    got=f"{have[0]} features and {have[1]} latents",
                    allowed=f"{want[0]} features and {want[1]} latents",
                    next_step="Use the run's own policy, or a new run_dir.",
                )
            finite = np.isfinite(chunk.features).all()
            if not executed:
                finite &= np.isfinite(chunk.noise).all()
            if self.actions.shape[1]:
                finite &= np.isfinite(chunk.actions).all()
            if not finite:
                raise LearnerError(
                    f"episode {episode_id} holds features, latents or actions that are not finite"
                )
        if len(chunks) > self.capacity:
            raise LearnerError(
                "an episode is longer than the replay", got=len(chunks), allowed=self.capacity
            )

    def _rows(self, start: int, count: int) -> npt.NDArray[np.int64]:
        return (start + np.arange(count, dtype=np.int64)) % self.capacity

    def _reserve(self, count: int) -> int:
        """``count`` free rows from the write position on, behind prior data that lie there.

        The oldest episodes in their place are forgotten; the work does not grow with the replay.
        """
        kept = list(self._kept.values())
        first, skipped = self.next_row, 0
        while blocker := next((k for k in kept if self._meet(first + skipped, count, *k)), None):
            skipped += (blocker[0] + blocker[1] - first - skipped - 1) % self.capacity + 1
            if skipped > self.capacity:
                raise LearnerError(
                    "prior data fill the replay",
                    got=f"{sum(rows for _, rows in kept)} of {self.capacity} rows",
                    next_step="Raise capacity, or give fewer demonstrations.",
                )
        old = []
        for episode_id, stored in self.episodes.items():
            if not stored.prior:
                if not self._meet(first, skipped + count, stored.start, stored.rows):
                    break  # in ring order: what comes later in the dict lies further ahead
                old.append(episode_id)
        for episode_id in old:
            self.forget(episode_id)
        start = (first + skipped) % self.capacity
        self.next_row = (start + count) % self.capacity
        self.high_water = max(self.high_water, min(start + count, self.capacity))
        return start

    def _meet(self, start: int, count: int, other: int, rows: int) -> bool:
        """Whether two stretches of the ring share a row."""
        ahead = (other - start) % self.capacity
        return ahead < count or ahead + rows > self.capacity
