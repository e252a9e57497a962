# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of a policy over states on twins in lock-step: one decode, one plan for all of them.

Layouts, noise, physics and judgement are the twin's own. Things that do not matter do not collide
(``view``), the arms are planned for as one batch, and where a success stays one (an open drawer
stays open) its physics ends there, while decisions go on to the time limit as ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from roboreward_ros.dsrl.replay import remaining_fraction
from roboreward_ros.errors import ConfigError, SimulationError
from roboreward_ros.policies.chunking import ChunkSchedule
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.sim.tasks import DRAWER, find_task
from roboreward_ros.studies.lowdim.policy import StatePolicy
from roboreward_ros.studies.lowdim.view import ViewTwin
from roboreward_ros.studies.lrm.control import ArmBatch
from roboreward_ros.studies.reward_watch import photograph
from roboreward_ros.studies.rollout import (
    ConstantNoise,
    NoiseChooser,
    PriorNoise,
    RolloutResult,
    SteeredNoise,
)
from roboreward_ros.types import (
    ACTION_DIM,
    Chunk,
    EndCause,
    EpisodeMeta,
    EpisodeSummary,
    Float32Array,
    FloatArray,
    GroundTruth,
    closing_chunk,
)

STAYS = (DRAWER,)
"""Tasks whose success nothing that follows undoes."""
_RUNS, _DONE, _BROKE = range(3)


@dataclass(frozen=True, slots=True)
class Episode:
    """What to run.

    Attributes:
        seed: of layout and noise.
        chooser: of the noise.
        index: number in its run.
        film: steps before which the scene is drawn, multiples of the chunk or the time limit.
    """

    seed: int
    chooser: NoiseChooser
    index: int = 0
    film: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LaneResult(RolloutResult):
    """A finished episode and what a judge over states may look at.

    Attributes:
        first, last: states ``[S]`` before the first step and after the last.
        pictures: JPEG by step, those that were asked for and reached.
    """

    first: FloatArray
    last: FloatArray
    pictures: Mapping[int, bytes] = field(default_factory=dict)


class Lanes:
    """N twins for one task.

    Args:
        policy: over states.
        lanes: N.
        to_the_end: simulate all of an episode, for whoever looks at pictures of it.
    """

    def __init__(self, policy: StatePolicy, lanes: int, *, to_the_end: bool = False) -> None:
        (sentence,) = policy.spec.tasks
        self.policy = policy
        self.task = find_task(sentence)
        self._stops = self.task in STAYS and not to_the_end
        self._lanes = lanes
        self._twins = [ViewTwin()]  # the others when a wave needs them
        (twin,) = self._twins
        self._profile, self._hz = twin.profile, twin.config.control_hz

    def __len__(self) -> int:
        return self._lanes

    def run(self, episodes: Sequence[Episode]) -> list[LaneResult]:
        """Run all of them, N at a time, in their order."""
        n = self._lanes
        waves = [episodes[i : i + n] for i in range(0, len(episodes), n)]
        return [result for wave in waves for result in self._wave(wave)]

    def close(self) -> None:
        """Free the twins; idempotent."""
        for twin in self._twins:
            twin.close()

    def _wave(self, wave: Sequence[Episode]) -> list[LaneResult]:
        spec, limit = self.policy.spec, self.task.max_steps
        self._twins += [ViewTwin() for _ in range(len(self._twins), len(wave))]
        twins = self._twins[: len(wave)]
        arms = ArmBatch(self._profile, self._hz, len(wave))
        for episode in wave:
            self._check(episode)
        for lane, (twin, episode) in enumerate(zip(twins, wave, strict=True)):
            arms.latch(lane, twin.reset(self.task.sentence, episode.seed).q)
        states = np.stack([twin.look() for twin in twins])
        first = states.copy()
        chunks: list[list[Chunk]] = [[] for _ in wave]
        films: list[dict[int, bytes]] = [{} for _ in wave]
        fate = [_RUNS] * len(wave)
        size, schedule = spec.chunk_size, ChunkSchedule(spec.chunk_size)
        for k in range(schedule.decisions(limit)):
            step = k * size
            _film(wave, twins, fate, films, step)
            features = self.policy.features(states)
            left = remaining_fraction(step, limit)
            w = np.stack(
                [
                    latent(e.chooser, spec.prediction_horizon, f, left, e.seed, k)
                    for e, f in zip(wave, features, strict=True)
                ]
            )
            actions = self.policy.decode(features, w)
            ran = self._run_chunk(twins, arms, actions[:, : min(size, limit - step)], fate)
            for lane, episode in enumerate(wave):
                if ran[lane] == 0:
                    continue
                chooser = episode.chooser
                made = (w[lane], features[lane], actions[lane])
                chunk = Chunk(k, step, *made, chooser.version, chooser.steered, ran[lane])
                chunks[lane].append(chunk)
                if fate[lane] == _RUNS:
                    states[lane] = twins[lane].look()
                    if self._stops and twins[lane].truth().success:
                        fate[lane] = _DONE
        _film(wave, twins, fate, films, limit)
        ends = self.policy.features(states)
        for lane, episode in enumerate(wave):
            if fate[lane] != _BROKE:
                index, version = len(chunks[lane]), episode.chooser.version
                horizon = spec.prediction_horizon
                chunks[lane].append(closing_chunk(index, limit, ends[lane], horizon, version))
        return [
            self._result(
                episode, twins[lane], fate[lane] != _BROKE, first[lane], states[lane],
                chunks[lane], films[lane],
            )
            for lane, episode in enumerate(wave)
        ]  # fmt: skip

    def _check(self, episode: Episode) -> None:
        size, limit = self.policy.spec.chunk_size, self.task.max_steps
        if any(step % size and step != limit for step in episode.film):
            raise ConfigError(
                "the scene is drawn between chunks only",
                got=episode.film,
                allowed=f"multiples of {size}, or the time limit {limit}",
            )

    def _run_chunk(
        self, twins: Sequence[ViewTwin], arms: ArmBatch, chunks: Float32Array, fate: list[int]
    ) -> list[int]:
        """Execute chunks ``[n, C, 7]``; how many actions ran in each lane."""
        ran = [0] * len(twins)
        commands = chunks.astype(np.float64)
        measured = np.zeros((len(twins), 6))
        for step in range(chunks.shape[1]):
            for lane, twin in enumerate(twins):
                measured[lane] = twin.joints()
            q = arms.plan(commands[:, step], measured)
            for lane, twin in enumerate(twins):
                if fate[lane] == _RUNS:
                    try:
                        twin.drive(q[lane], float(np.clip(commands[lane, step, 6], 0.0, 1.0)))
                    except SimulationError:
                        fate[lane] = _BROKE
                ran[lane] += fate[lane] != _BROKE
        return ran

    def _result(
        self,
        episode: Episode,
        twin: ViewTwin,
        whole: bool,
        first: FloatArray,
        last: FloatArray,
        chunks: Sequence[Chunk],
        film: Mapping[int, bytes],
    ) -> LaneResult:
        spec = self.policy.spec
        meta = EpisodeMeta(
            episode_id=f"ep_{episode.index:06d}",
            index=episode.index,
            task=self.task.sentence,
            seed=episode.seed,
            max_steps=self.task.max_steps,
            control_hz=spec.control_hz,
            robot="wx250s",
            policy_id=spec.policy_id,
            chunk_size=spec.chunk_size,
            created_ns=0,
        )
        steps, version = sum(chunk.executed for chunk in chunks), episode.chooser.version
        summary = EpisodeSummary(meta, steps, EndCause.TIME, complete=True, policy_version=version)
        # Diverged physics are a failed episode, in training and in evaluation alike.
        truth = twin.truth() if whole else GroundTruth(0.0, False, 1, "diverged")
        return LaneResult(summary, truth, tuple(chunks), (0,) * steps, first, last, film)


def _film(
    wave: Sequence[Episode],
    twins: Sequence[ViewTwin],
    fate: Sequence[int],
    films: Sequence[dict[int, bytes]],
    step: int,
) -> None:
    """Draw the scenes whose episodes ask for it at ``step``; nothing of diverged physics."""
    for episode, twin, state, film in zip(wave, twins, fate, films, strict=True):
        if step in episode.film and state != _BROKE:
            film[step] = photograph(twin)


def latent(
    chooser: NoiseChooser, horizon: int, features: Float32Array, left: float, seed: int, chunk: int
) -> Float32Array:
    """The noise ``[P, 7]`` that a chooser would decide on, before it is decoded.

    Raises:
        ConfigError: a chooser that needs the decoder to choose.
    """
    if isinstance(chooser, PriorNoise):
        return np.float32(chooser.scale) * prior_noise(seed, chunk, horizon)
    if isinstance(chooser, ConstantNoise):
        return np.zeros((horizon, ACTION_DIM), np.float32) if chooser.w is None else chooser.w
    if isinstance(chooser, SteeredNoise) and chooser.actor.edit_bound == 0:
        return chooser.actor.steer(features, left, seed, chunk, chooser.deterministic)
    raise ConfigError(
        "lanes decode all latents at once",
        got=type(chooser).__name__,
        allowed="prior, constant or steered noise without edits",
    )
