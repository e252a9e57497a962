# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes with the learner's real structure and a known best noise, for tests of learners.

A layout gives a side (left or right, visible in the features). A decision succeeds when the
noise points far enough along the side's direction; the score 1..5 of an episode counts the
successes among its decisions. A prior draw rarely points there, w = 0 never does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from roboreward_ros.types import (
    ACTION_DIM,
    Chunk,
    EndCause,
    EpisodeMeta,
    EpisodeSummary,
    Float32Array,
    PolicySpec,
    Provenance,
    Score,
    ScoreKind,
    ScoreScale,
    closing_chunk,
)

Choose = Callable[[Float32Array, float, int, int], Float32Array]
"""(features, remaining, seed, chunk) -> noise ``[P, 7]``."""
Decide = Callable[[Float32Array, float, int, int], tuple[Float32Array, Float32Array]]
"""(features, remaining, seed, chunk) -> noise and actions ``[P, 7]``."""


class ToyEpisode:
    """One finished episode; has what ``dsrl.replay.EpisodeData`` asks for."""

    def __init__(
        self,
        summary: EpisodeSummary,
        chunks: Sequence[Chunk],
        flags: Sequence[int],
        score: float,
        progress: Sequence[float] = (),
    ) -> None:
        self._summary = summary
        self._chunks = tuple(chunks)
        self._flags = tuple(flags)
        self.score = score
        self.progress = tuple(progress)  # of every state [T + 1], 0..1

    @property
    def summary(self) -> EpisodeSummary:
        return self._summary

    def chunks(self) -> Sequence[Chunk]:
        return self._chunks

    def flags(self) -> Sequence[int]:
        return self._flags

    @property
    def label(self) -> Score:
        """The true score as a reward source would give it."""
        return rubric(self.score)

    @property
    def dense_label(self) -> Score:
        """The true progress of every state as a dense reward source would give it."""
        final, name = self.progress[-1], Provenance("toy")
        return Score(final, ScoreScale.UNIT, ScoreKind.NONE, name, per_step=self.progress)


def rubric(value: float) -> Score:
    """A rubric score 1..5 without a distribution."""
    return Score(value, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("toy"))


class SteeringToy:
    """Decisions that only the right noise solves.

    Args:
        horizon: P, latents per decision.
        decisions: per episode.
        needed: successes for the full score.
        threshold: how far along the good direction the actions must point (the prior: N(0, 1)).
        reach: largest action that any noise decodes to, softly; infinite decodes noise to itself.
        graded: a decision counts by how far along it points, not only past the threshold, and the
            score takes every value from 1 to 5.
        closing: episodes end with a closing decision, as a policy node records them.
    """

    def __init__(
        self,
        horizon: int = 4,
        decisions: int = 12,
        needed: int = 4,
        threshold: float = 0.8,
        reach: float = math.inf,
        graded: bool = False,
        closing: bool = False,
    ) -> None:
        rng = np.random.default_rng(7)
        directions = rng.standard_normal((2, horizon * ACTION_DIM))
        self._directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
        self._needed = needed
        self._decisions = decisions
        self._threshold = threshold
        self._reach = reach
        self._graded = graded
        self._closing = closing
        self.spec = PolicySpec("toy", horizon, min(horizon, 4), 16, 32, 5.0)

    def best_noise(self, side: int) -> Float32Array:
        """A latent that solves every decision of a side ``[P, 7]``."""
        w = 2.0 * self._threshold * self._directions[side]
        return np.asarray(w.reshape(-1, ACTION_DIM), dtype=np.float32)

    def side(self, seed: int) -> int:
        """0 or 1, a property of the layout."""
        return int(np.random.default_rng((seed, 11)).integers(2))

    def decode(self, features: Float32Array, noise: Float32Array) -> Float32Array:
        """The toy's frozen policy: chunks ``[B, P, 7]`` of noise ``[B, P, 7]``."""
        del features
        if math.isinf(self._reach):
            return noise.astype(np.float32)
        return np.asarray(self._reach * np.tanh(noise / self._reach), dtype=np.float32)

    def run(self, seed: int, choose: Choose, version: int = 0) -> ToyEpisode:
        """Play one episode whose actions are decoded noise."""

        def decide(
            features: Float32Array, remaining: float, seed: int, chunk: int
        ) -> tuple[Float32Array, Float32Array]:
            w = choose(features, remaining, seed, chunk)
            return w, self.decode(features[None], w[None])[0]

        return self.play(seed, decide, version)

    def play(self, seed: int, decide: Decide, version: int = 0) -> ToyEpisode:
        """Play one episode."""
        rng = np.random.default_rng((seed, 12))
        side = self.side(seed)
        limit = self._decisions * self.spec.chunk_size
        chunks: list[Chunk] = []
        done, progress = 0.0, [0.0]

        def look() -> Float32Array:
            features = rng.normal(0.0, 0.3, self.spec.feature_dim).astype(np.float32)
            features[0] += 1.0 if side else -1.0
            features[1] += done / self._needed
            return features

        for k in range(self._decisions):
            step = k * self.spec.chunk_size
            features = look()
            w, actions = decide(features, (limit - step) / limit, seed, k)
            share = float(actions.reshape(-1) @ self._directions[side]) / self._threshold
            done += min(max(share, 0.0), 1.0) if self._graded else float(share > 1.0)
            size = self.spec.chunk_size
            chunks.append(Chunk(k, step, w, features, actions, version, True, size))
            after = min(done / self._needed, 1.0)
            progress += np.linspace(progress[-1], after, size + 1)[1:].tolist()
        if self._closing:
            horizon = self.spec.prediction_horizon
            chunks.append(closing_chunk(len(chunks), limit, look(), horizon, version))
        steps = 4 * done / self._needed
        score = 1.0 + min(4.0, steps if self._graded else float(int(steps)))
        meta = EpisodeMeta(
            f"ep_{seed:06d}", seed, "toy", seed, limit, 5.0, "toy", "toy", self.spec.chunk_size, 0
        )
        summary = EpisodeSummary(meta, limit, EndCause.TIME, complete=True)
        return ToyEpisode(summary, chunks, [0] * limit, score, progress)
