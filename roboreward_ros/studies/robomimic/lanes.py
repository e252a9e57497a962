# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of a policy over states in robosuite, one decode for all that run side by side.

As in robomimic's evaluation an episode is over with its first success.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from roboreward_ros.dsrl.replay import remaining_fraction
from roboreward_ros.errors import SimulationError
from roboreward_ros.policies.chunking import ChunkSchedule
from roboreward_ros.studies.lowdim.lanes import Episode, LaneResult, latent
from roboreward_ros.studies.lowdim.policy import StatePolicy
from roboreward_ros.studies.robomimic.suite import World
from roboreward_ros.studies.robomimic.tasks import CONTROL_HZ, SuiteTask
from roboreward_ros.types import (
    Chunk,
    EndCause,
    EpisodeMeta,
    EpisodeSummary,
    GroundTruth,
    closing_chunk,
)


class SuiteLanes:
    """Several environments of one task.

    Args:
        policy: over states.
        task: which.
        worlds: one or more environments.
    """

    def __init__(self, policy: StatePolicy, task: SuiteTask, worlds: Sequence[World]) -> None:
        self.policy = policy
        self._task = task
        self._worlds = list(worlds)

    def run(self, episodes: Sequence[Episode]) -> list[LaneResult]:
        """Run all of them, in their order."""
        n = len(self._worlds)
        waves = [episodes[i : i + n] for i in range(0, len(episodes), n)]
        return [result for wave in waves for result in self._wave(wave)]

    def close(self) -> None:
        """Free the environments; idempotent."""
        for world in self._worlds:
            world.close()

    def _wave(self, wave: Sequence[Episode]) -> list[LaneResult]:
        spec, limit = self.policy.spec, self._task.spec.max_steps
        worlds = self._worlds[: len(wave)]
        first = np.stack([w.reset(e.seed) for w, e in zip(worlds, wave, strict=True)])
        states, chunks = first.copy(), [list[Chunk]() for _ in wave]
        truths: list[GroundTruth | None] = [None] * len(wave)  # of those that are over
        size, schedule = spec.chunk_size, ChunkSchedule(spec.chunk_size)
        for k in range(schedule.decisions(limit)):
            runs = [lane for lane, truth in enumerate(truths) if truth is None]
            if not runs:
                break
            step = k * size
            features, left = self.policy.features(states[runs]), remaining_fraction(step, limit)
            w = np.stack(
                [
                    latent(e.chooser, spec.prediction_horizon, f, left, e.seed, k)
                    for e, f in zip((wave[lane] for lane in runs), features, strict=True)
                ]
            )
            actions = self.policy.decode(features, w)
            for row, lane in enumerate(runs):
                world, chooser = worlds[lane], wave[lane].chooser
                executed = 0
                try:
                    for action in actions[row, : min(size, limit - step)]:
                        states[lane] = world.step(action.astype(np.float64))
                        executed += 1
                        if world.truth().success:
                            truths[lane] = world.truth()
                            break
                except SimulationError:
                    truths[lane] = GroundTruth(0.0, False, 1, "diverged")
                if executed:
                    made = (w[row], features[row], actions[row])
                    version, steered = chooser.version, chooser.steered
                    chunks[lane].append(Chunk(k, step, *made, version, steered, executed))
        ends = self.policy.features(states)
        for lane, episode in enumerate(wave):
            if truths[lane] is None:
                index, version = len(chunks[lane]), episode.chooser.version
                horizon = spec.prediction_horizon
                chunks[lane].append(closing_chunk(index, limit, ends[lane], horizon, version))
        return [
            self._result(episode, truths[lane] or worlds[lane].truth(), first[lane], states[lane],
                         chunks[lane])
            for lane, episode in enumerate(wave)
        ]  # fmt: skip

    def _result(
        self,
        episode: Episode,
        truth: GroundTruth,
        first: np.ndarray,
        last: np.ndarray,
        chunks: Sequence[Chunk],
    ) -> LaneResult:
        spec = self.policy.spec
        meta = EpisodeMeta(
            episode_id=f"ep_{episode.index:06d}",
            index=episode.index,
            task=self._task.spec.sentence,
            seed=episode.seed,
            max_steps=self._task.spec.max_steps,
            control_hz=CONTROL_HZ,
            robot="panda",
            policy_id=spec.policy_id,
            chunk_size=spec.chunk_size,
            created_ns=0,
        )
        steps = sum(chunk.executed for chunk in chunks)
        cause = EndCause.SOURCE if truth.success else EndCause.TIME
        summary = EpisodeSummary(
            meta, steps, cause, complete=True, policy_version=episode.chooser.version
        )
        return LaneResult(summary, truth, tuple(chunks), (0,) * steps, first, last)
