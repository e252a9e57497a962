# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Demonstrations without pictures, with the truth of every state for whoever trains a judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from roboreward_ros.errors import SimulationError
from roboreward_ros.policies.dataset import chunks_of
from roboreward_ros.sim.demo_style import DemoStyle
from roboreward_ros.sim.demonstrators import demonstrate
from roboreward_ros.sim.seeds import demo_seed
from roboreward_ros.sim.tasks import TaskSpec
from roboreward_ros.studies.lowdim.view import WatchedTwin, view_dim
from roboreward_ros.types import Float32Array


@dataclass(frozen=True, slots=True)
class StateDemos:
    """E episodes of T steps.

    Attributes:
        states: before every step and after the last ``[E, T + 1, S]`` float32.
        chunks: the actions from each step on ``[E, T, P, 7]`` float32, physical units.
        scores: the simulator's rubric level of every state ``[E, T + 1]``, 1..5.
        progress: 0..1, ``[E, T + 1]`` float32.
        success: ``[E, T + 1]``.
    """

    states: Float32Array
    chunks: Float32Array
    scores: npt.NDArray[np.int64]
    progress: Float32Array
    success: npt.NDArray[np.bool_]


def collect_states(
    task: TaskSpec, episodes: int, horizon: int, style: DemoStyle, seed: int = 0
) -> StateDemos:
    """Demonstrate ``task`` on the twin; an episode whose physics diverged is left out.

    Args:
        task: with a low-dimensional view.
        episodes: to demonstrate.
        horizon: P of the chunks.
        style: how imperfect the demonstrators are.
        seed: of layouts, errors and noise.
    """
    view_dim(task)
    twin = WatchedTwin()
    states, chunks, scores, progress, success = [], [], [], [], []
    try:
        for k in range(episodes):
            rng = np.random.default_rng((seed, k, 5))
            try:
                episode = demonstrate(
                    twin, task.sentence, demo_seed(seed * 100_000 + k), rng, style=style
                )
            except SimulationError:
                continue
            states.append(np.array([*twin.seen, twin.look()], dtype=np.float32))
            chunks.append(chunks_of(episode.actions, horizon))
            scores.append([truth.score for truth in episode.truth])
            progress.append([truth.progress for truth in episode.truth])
            success.append([truth.success for truth in episode.truth])
    finally:
        twin.close()
    return StateDemos(
        states=np.stack(states),
        chunks=np.stack(chunks),
        scores=np.array(scores, dtype=np.int64),
        progress=np.array(progress, dtype=np.float32),
        success=np.array(success, dtype=np.bool_),
    )
