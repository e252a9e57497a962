# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which control steps are decisions, and which action of a chunk belongs to a step.

A policy predicts P actions at a decision and executes the first C of them; every C-th step is
a decision. Steps and chunks are numbered from 0 within an episode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.types import ACTION_DIM, Float32Array, FloatArray, PolicySpec, require_shape


@dataclass(frozen=True, slots=True)
class ChunkSchedule:
    """The fixed beat of decisions.

    Attributes:
        chunk_size: C, executed actions per decision.
    """

    chunk_size: int

    def __post_init__(self) -> None:
        if self.chunk_size < 1:
            raise ConfigError("chunk_size is empty", got=self.chunk_size, allowed="1 or more")

    def is_decision(self, step: int) -> bool:
        """Whether the policy decides anew at ``step``."""
        return step % self.chunk_size == 0

    def index(self, step: int) -> int:
        """Number of the chunk that ``step`` belongs to."""
        return step // self.chunk_size

    def decisions(self, max_steps: int) -> int:
        """How many decisions an episode of ``max_steps`` steps has; the last may be cut."""
        return -(-max_steps // self.chunk_size)


class ChunkPlayer:
    """Answers each step of one episode from the chunk that was decided last.

    Args:
        spec: the policy's spec.
    """

    def __init__(self, spec: PolicySpec) -> None:
        self.schedule = ChunkSchedule(spec.chunk_size)
        self._horizon = spec.prediction_horizon
        self._index = -1
        self._actions: FloatArray = np.zeros((0, ACTION_DIM))

    def needs_decision(self, step: int) -> bool:
        """Whether ``load`` must come before ``action(step)``."""
        return self.schedule.index(step) != self._index

    def load(self, step: int, actions: Float32Array) -> None:
        """Take the chunk ``[P, 7]`` that was decided at ``step``.

        Raises:
            ConfigError: ``step`` is not a decision step, or the chunk has the wrong shape.
        """
        if not self.schedule.is_decision(step):
            raise ConfigError(
                "a chunk begins at a decision step",
                got=step,
                allowed=f"multiples of {self.schedule.chunk_size}",
            )
        require_shape("chunk", actions, (self._horizon, ACTION_DIM))
        self._index = self.schedule.index(step)
        self._actions = actions.astype(np.float64)

    def action(self, step: int) -> FloatArray:
        """The action ``[7]`` float64 of ``step``, physical units, unclipped.

        Raises:
            ConfigError: the chunk of ``step`` was not loaded.
        """
        if self.needs_decision(step):
            raise ConfigError(
                "no chunk is loaded for this step",
                got=f"step {step} of chunk {self.schedule.index(step)}",
                allowed=f"steps of chunk {self._index}",
                next_step="Decide and load the chunk first.",
            )
        action: FloatArray = self._actions[step % self.schedule.chunk_size].copy()
        return action
