# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Many twins in lock-step: states in, chunks of actions out, no pictures.

Layouts, physics, servos and judgement are the twin's own. Two things differ, for speed: the cup and
the cube beside the drawer do not collide, and an episode's physics ends once the drawer is open,
since an open drawer stays open; its states and signals keep their last value until the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from roboreward_ros.errors import SimulationError
from roboreward_ros.sim.tasks import DRAWER
from roboreward_ros.studies.lowdim.view import ViewTwin, view_dim
from roboreward_ros.studies.lrm.control import ArmBatch
from roboreward_ros.types import Float32Array, FloatArray

TASK = DRAWER
STATE_DIM = view_dim(TASK)

Decide = Callable[[Float32Array, FloatArray], Float32Array]
"""States ``[N, STATE_DIM]`` and the share of time left ``[N]`` to chunks ``[N, P, 7]``."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Episodes of T decisions, all of the same length.

    Attributes:
        states: ``[T + 1, N, STATE_DIM]`` float32 before each decision and after the last.
        progress: the simulator's, ``[T + 1, N]``, 0..1.
        success: ``[T + 1, N]``.
        live: whether the decision was simulated ``[T, N]``.
    """

    states: Float32Array
    progress: FloatArray
    success: npt.NDArray[np.bool_]
    live: npt.NDArray[np.bool_]

    @property
    def rate(self) -> float:
        """Share of successes at the end."""
        return float(self.success[-1].mean())


class Lanes:
    """N twins.

    Args:
        lanes: N.
        chunk_size: actions executed per decision.
        max_steps: time limit in control steps, a multiple of ``chunk_size``.
    """

    def __init__(self, lanes: int, chunk_size: int, max_steps: int) -> None:
        self._twins = [ViewTwin() for _ in range(lanes)]
        twin = self._twins[0]
        self._arms = ArmBatch(twin.profile, twin.config.control_hz, lanes)
        self._chunk_size = chunk_size
        self._decisions = max_steps // chunk_size

    def run(self, seeds: Sequence[int], decide: Decide) -> Batch:
        """One episode per layout seed, in waves of N.

        Args:
            seeds: layouts; a multiple of N is cheapest.
            decide: called once a wave and decision with the states of all its lanes, also of
                those that are done.
        """
        waves = [self._wave(seeds[i : i + len(self._twins)], decide)
                 for i in range(0, len(seeds), len(self._twins))]  # fmt: skip
        return Batch(
            states=np.concatenate([w.states for w in waves], axis=1),
            progress=np.concatenate([w.progress for w in waves], axis=1),
            success=np.concatenate([w.success for w in waves], axis=1),
            live=np.concatenate([w.live for w in waves], axis=1),
        )

    def close(self) -> None:
        """Free the twins; idempotent."""
        for twin in self._twins:
            twin.close()

    def _wave(self, seeds: Sequence[int], decide: Decide) -> Batch:
        twins, T = self._twins[: len(seeds)], self._decisions
        for lane, (twin, seed) in enumerate(zip(twins, seeds, strict=True)):
            self._arms.latch(lane, twin.reset(TASK.sentence, seed).q)
        states = np.zeros((T + 1, len(twins), STATE_DIM), dtype=np.float32)
        progress = np.zeros((T + 1, len(twins)))
        success = np.zeros((T + 1, len(twins)), dtype=np.bool_)
        live = np.zeros((T, len(twins)), dtype=np.bool_)
        running = np.ones(len(twins), dtype=np.bool_)
        self._look(twins, running, states[0], progress[0], success[0])
        for t in range(T):
            live[t] = running
            left = np.full(len(twins), 1.0 - t / T)
            chunks = decide(states[t], left)
            for k in range(self._chunk_size):
                self._step(twins, running, chunks[:, k])
            states[t + 1], progress[t + 1] = states[t], progress[t]
            success[t + 1] = success[t]
            self._look(twins, running, states[t + 1], progress[t + 1], success[t + 1])
            running &= ~success[t + 1]
        return Batch(states, progress, success, live)

    def _step(
        self, twins: Sequence[ViewTwin], running: npt.NDArray[np.bool_], actions: Float32Array
    ) -> None:
        padded = np.zeros((len(self._twins), actions.shape[1]))
        padded[: len(twins)] = actions
        measured = np.stack([twin.joints() for twin in twins])
        spare = np.zeros((len(self._twins) - len(twins), measured.shape[1]))
        q = self._arms.plan(padded, np.concatenate([measured, spare]))
        for lane in np.flatnonzero(running).tolist():
            gripper = float(np.clip(actions[lane, 6], 0.0, 1.0))
            try:
                twins[lane].drive(q[lane], gripper)
            except SimulationError:
                running[lane] = False  # diverged: what it had reached stays, nothing more

    @staticmethod
    def _look(
        twins: Sequence[ViewTwin],
        running: npt.NDArray[np.bool_],
        states: Float32Array,
        progress: FloatArray,
        success: npt.NDArray[np.bool_],
    ) -> None:
        for lane in np.flatnonzero(running).tolist():
            truth = twins[lane].truth()
            states[lane] = twins[lane].look()
            progress[lane], success[lane] = truth.progress, truth.success
