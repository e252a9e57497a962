# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which episode comes next: id, seed, task and canary from nothing but its index.

A pure function of the configuration, so a resumed run meets the episodes it would have met. Knows
nothing about ROS, the store or what happened in the episodes before.
"""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.errors import ConfigError

SEEDS_PER_RUN = 100_000
"""Run seed r uses the episode seeds r * SEEDS_PER_RUN + index; no two runs share one."""
TRAINING_SEED_LIMIT = 2**31
"""Training seeds lie below, held-out evaluation at and above: disjoint by construction."""
MAX_RUN_SEED = (TRAINING_SEED_LIMIT - SEEDS_PER_RUN) // SEEDS_PER_RUN


def episode_id(index: int) -> str:
    """Id and folder name of the episode with ``index``."""
    return f"ep_{index:06d}"


def training_seed(run_seed: int, index: int) -> int:
    """Seed of scene and noise of training episode ``index``.

    Raises:
        ConfigError: the seed would collide with another run's or with held-out evaluation.
    """
    if not 0 <= run_seed <= MAX_RUN_SEED:
        raise ConfigError("run seed is out of range", got=run_seed, allowed=f"0..{MAX_RUN_SEED}")
    if not 0 <= index < SEEDS_PER_RUN:
        raise ConfigError(
            "episode index is out of range",
            got=index,
            allowed=f"0..{SEEDS_PER_RUN - 1}",
            next_step="Start a new run_dir with another seed.",
        )
    return run_seed * SEEDS_PER_RUN + index


@dataclass(frozen=True, slots=True)
class PlannedEpisode:
    """One episode before it has happened.

    Attributes:
        index: number in the run, from 0.
        episode_id: unique name.
        seed: of the scene's layout and of the decision noise.
        task: the sentence given to policy and reward.
        canary: run with plain prior noise for comparison with the steered episodes.
    """

    index: int
    episode_id: str
    seed: int
    task: str
    canary: bool


@dataclass(frozen=True, slots=True)
class PlanConfig:
    """The run's plan.

    Attributes:
        task: sentence of every episode, until the operator changes it.
        seed: of the run.
        episodes: committed episodes to reach; 0 for no end.
        canary_every: every n-th episode is a canary (the n-th, 2n-th, ...); 0 for none.
        more_tasks: sentences that take turns with ``task``.
        rotate_every: episodes of one task before the next has its turn.
    """

    task: str
    seed: int = 0
    episodes: int = 100
    canary_every: int = 0
    more_tasks: tuple[str, ...] = ()
    rotate_every: int = 1

    def __post_init__(self) -> None:
        if not self.task.strip():
            raise ConfigError(
                "the session's task is empty",
                got=self.task,
                allowed="a sentence such as 'put the mushroom on the cloth'",
                next_step="Give task:=<sentence>.",
            )
        if not 0 <= self.episodes <= SEEDS_PER_RUN:
            raise ConfigError("episodes", got=self.episodes, allowed=f"0..{SEEDS_PER_RUN}")
        if self.canary_every < 0:
            raise ConfigError("canary_every", got=self.canary_every, allowed="0 (never) or more")
        if self.rotate_every < 1 or not all(task.strip() for task in self.more_tasks):
            raise ConfigError(
                "rotation of the tasks",
                got=f"rotate_every={self.rotate_every}, tasks {self.more_tasks}",
                allowed="rotate_every >= 1 and no empty sentence",
            )
        training_seed(self.seed, max(self.episodes - 1, 0))

    @property
    def rotates(self) -> bool:
        """Whether several tasks take turns."""
        return bool(self.more_tasks)

    def task_of(self, index: int) -> str:
        """The sentence whose turn it is in episode ``index``."""
        turns = (self.task, *self.more_tasks)
        return turns[index // self.rotate_every % len(turns)]

    def reached(self, committed: int) -> bool:
        """Whether the target count is on disk."""
        return 0 < self.episodes <= committed

    def episode(self, index: int, task: str = "") -> PlannedEpisode:
        """The episode with ``index``; ``task`` overrides the run's."""
        return PlannedEpisode(
            index=index,
            episode_id=episode_id(index),
            seed=training_seed(self.seed, index),
            task=task or self.task_of(index),
            canary=self.canary_every > 0 and (index + 1) % self.canary_every == 0,
        )
