# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The learner's view over episodes and labels: one row per decision, rewards filled in from labels.

Rows of an episode are contiguous in a ring, so the next state of a row is the next row and is
stored once. A late or corrected label recomputes reward, mask, return and trainability of its
rows; nothing else moves, and the episode on disk is never touched. Sampling is uniform over
trainable rows in constant time.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.shaping import Decisions, shape
from roboreward_ros.errors import LearnerError
from roboreward_ros.types import (
    Chunk,
    EpisodeSummary,
    Float32Array,
    Score,
    StepFlag,
)

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
    """

    start: int
    rows: int
    decisions: Decisions
    score: Score | None


def remaining_fraction(step: int, max_steps: int) -> float:
    """Share of the time limit that is left at a decision, 1 at the start; part of the state."""
    return (max_steps - step) / max_steps


def decisions_of(episode: EpisodeData) -> Decisions:
    """Which chunks of an episode ran whole, were cut, or were taken over."""
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
        whole.append(chunk.executed == size and not bool(np.any(own & int(_CUT))))
        takeover.append(bool(np.any(own & int(StepFlag.TAKEOVER))))
    return Decisions(steps, whole, takeover, summary.n_steps, summary.end_cause, has_final)


class ReplayView:
    """Ring of decisions ``[capacity]``.

    Attributes:
        features: frozen conditioning ``[capacity, F]`` float32.
        remaining: fraction of the time limit left ``[capacity]`` float32.
        noise: latents ``[capacity, P * 7]`` float32.
        rewards, masks, returns: see ``shaping.Shaped``, ``[capacity]`` float32.
        members: 1 where a critic learns from the row's episode ``[capacity, E]`` float32.
        episodes: what is stored, oldest first, by id.

    Args:
        config: capacity and shaping.
        feature_dim: F.
        noise_dim: P * 7.
    """

    def __init__(self, config: DsrlConfig, feature_dim: int, noise_dim: int) -> None:
        capacity = config.capacity
        self._config = config
        self.capacity = capacity
        self.features = np.zeros((capacity, feature_dim), dtype=np.float32)
        self.remaining = np.zeros(capacity, dtype=np.float32)
        self.noise = np.zeros((capacity, noise_dim), dtype=np.float32)
        self.rewards = np.zeros(capacity, dtype=np.float32)
        self.masks = np.zeros(capacity, dtype=np.float32)
        self.returns = np.full(capacity, np.nan, dtype=np.float32)
        self.members = np.zeros((capacity, config.ensemble), dtype=np.float32)
        self.episodes: dict[str, StoredEpisode] = {}
        self.next_row = 0
        self.high_water = 0  # rows ever written
        self._trainable = np.zeros(capacity, dtype=np.int64)  # rows, in no order
        self._place = np.full(capacity, -1, dtype=np.int64)  # row -> place in _trainable
        self._count = 0

    def __len__(self) -> int:
        """Trainable transitions."""
        return self._count

    def add(self, episode: EpisodeData, score: Score | None) -> bool:
        """Take an episode in, or relabel it if it is known.

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
        chunks = episode.chunks()
        decisions = decisions_of(episode)
        if not decisions.steps:
            return False
        self._check(episode_id, chunks)
        start = self._reserve(len(chunks))
        rows = self._rows(start, len(chunks))
        self.features[rows] = np.stack([chunk.features for chunk in chunks])
        self.noise[rows] = np.stack([chunk.noise.reshape(-1) for chunk in chunks])
        limit = summary.meta.max_steps
        self.members[rows] = self._members(episode_id)
        self.remaining[rows] = [remaining_fraction(chunk.step, limit) for chunk in chunks]
        self.episodes[episode_id] = StoredEpisode(start, len(chunks), decisions, None)
        self.relabel(episode_id, score)
        return True

    def relabel(self, episode_id: str, score: Score | None) -> None:
        """Recompute rewards of a stored episode from its new label; None takes the label back."""
        stored = self.episodes[episode_id]
        shaped = shape(self._config, stored.decisions, score)
        rows = self._rows(stored.start, len(shaped.rewards))
        self.rewards[rows] = shaped.rewards
        self.masks[rows] = shaped.masks
        self.returns[rows] = shaped.returns
        for row, trains in zip(rows, shaped.trainable, strict=True):
            self._mark(int(row), bool(trains))
        self.episodes[episode_id] = StoredEpisode(
            stored.start, stored.rows, stored.decisions, score
        )

    def forget(self, episode_id: str) -> None:
        """Drop an episode, for instance because the operator discarded it; idempotent."""
        stored = self.episodes.pop(episode_id, None)
        if stored is not None:
            for row in self._rows(stored.start, stored.rows):
                self._mark(int(row), False)

    def sample(self, rng: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
        """``size`` trainable rows, uniformly with replacement; constant time per row.

        Raises:
            LearnerError: nothing may train yet.
        """
        if not self._count:
            raise LearnerError(
                "no transition has a known reward yet",
                got=f"{len(self.episodes)} episodes",
                next_step="Wait for the first label.",
            )
        return self._trainable[rng.integers(0, self._count, size=size)]

    def next_rows(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Row of the next decision; meaningful only where the mask is 1."""
        return (rows + 1) % self.capacity

    def known_features(self) -> Float32Array:
        """Features ``[n, F]`` of all stored decisions, for normalisation."""
        rows = [self._rows(e.start, e.rows) for e in self.episodes.values()]
        return self.features[np.concatenate(rows)] if rows else self.features[:0]

    def trainable_rows(self) -> npt.NDArray[np.int64]:
        """Rows that may train, in the order that sampling indexes them."""
        return self._trainable[: self._count]

    def restore(
        self,
        episodes: Mapping[str, StoredEpisode],
        trainable: npt.NDArray[np.int64],
        next_row: int,
        high_water: int,
    ) -> None:
        """Take over the bookkeeping of a saved replay; its arrays are already in place."""
        self.episodes = dict(episodes)
        self.next_row = next_row
        self.high_water = high_water
        self._count = len(trainable)
        self._trainable[: self._count] = trainable
        self._place[:] = -1
        self._place[trainable] = np.arange(self._count)

    @property
    def labelled(self) -> int:
        """Episodes that have a label."""
        return sum(stored.score is not None for stored in self.episodes.values())

    def _members(self, episode_id: str) -> Float32Array:
        """Which critics ``[E]`` learn from an episode: a function of its id, at least one."""
        rng = np.random.default_rng(zlib.crc32(episode_id.encode()))
        draws = rng.random(self._config.ensemble)
        chosen = draws < max(self._config.bootstrap, draws.min() + 1e-12)
        return np.asarray(chosen, dtype=np.float32)

    def _check(self, episode_id: str, chunks: Sequence[Chunk]) -> None:
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
            if not (np.isfinite(chunk.features).all() and np.isfinite(chunk.noise).all()):
                raise LearnerError(f"episode {episode_id} holds features that are not finite")
        if len(chunks) > self.capacity:
            raise LearnerError(
                "an episode is longer than the replay", got=len(chunks), allowed=self.capacity
            )

    def _rows(self, start: int, count: int) -> npt.NDArray[np.int64]:
        return (start + np.arange(count, dtype=np.int64)) % self.capacity

    def _reserve(self, count: int) -> int:
        """Free ``count`` rows from the write position on by forgetting the oldest episodes."""
        start = self.next_row
        for episode_id, stored in list(self.episodes.items()):
            ahead = (stored.start - start) % self.capacity
            if ahead < count or ahead + stored.rows > self.capacity:
                self.forget(episode_id)
        self.next_row = (start + count) % self.capacity
        self.high_water = max(self.high_water, min(start + count, self.capacity))
        return start

    def _mark(self, row: int, trains: bool) -> None:
        """Move a row in or out of the sampled set by swapping with its last member."""
        place = int(self._place[row])
        if trains == (place >= 0):
            return
        if trains:
            self._trainable[self._count] = row
            self._place[row] = self._count
            self._count += 1
        else:
            self._count -= 1
            moved = self._trainable[self._count]
            self._trainable[place] = moved
            self._place[moved] = place
            self._place[row] = -1
