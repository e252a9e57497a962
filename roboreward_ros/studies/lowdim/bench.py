# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a study over states happens: a task's frozen policy, and episodes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from roboreward_ros.sim.tasks import TaskSpec
from roboreward_ros.studies.lowdim.lanes import Episode, LaneResult, Lanes
from roboreward_ros.studies.lowdim.policy import StatePolicy
from roboreward_ros.studies.lowdim.setup import OnLine, Setup, SetupConfig, prepare


class EpisodeLanes(Protocol):
    """Runs episodes of one policy, several side by side."""

    @property
    def policy(self) -> StatePolicy:
        """Whose episodes."""

    def run(self, episodes: Sequence[Episode]) -> list[LaneResult]:
        """Run all of them, in their order."""

    def close(self) -> None:
        """Free what is behind it; idempotent."""


class Bench(Protocol):
    """A task somewhere."""

    @property
    def key(self) -> str:
        """For files and tables."""

    def prepare(self, folder: Path, say: OnLine) -> Setup:
        """Policy and judged demonstrations: load what lies in ``folder``, make what is missing."""

    def lanes(self, policy: StatePolicy, count: int, *, to_the_end: bool = False) -> EpisodeLanes:
        """For ``count`` runs side by side; ``to_the_end``: also where nothing changes any more."""


@dataclass(frozen=True, slots=True)
class TwinBench:
    """A task of the twin.

    Attributes:
        task: with a low-dimensional view.
        config: how the policy is made; None for the task's recipe.
    """

    task: TaskSpec
    config: SetupConfig | None = None

    @property
    def key(self) -> str:
        """See ``Bench``."""
        return self.task.key

    def prepare(self, folder: Path, say: OnLine) -> Setup:
        """See ``Bench``."""
        return prepare(self.task, folder, self.config, say)

    def lanes(self, policy: StatePolicy, count: int, *, to_the_end: bool = False) -> Lanes:
        """See ``Bench``."""
        return Lanes(policy, max(count, 1), to_the_end=to_the_end)
