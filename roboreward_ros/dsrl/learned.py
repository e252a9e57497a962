# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which episodes a run's learner has taken in, as far as its checkpoint on disk says. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from safetensors import SafetensorError, safe_open

from roboreward_ros.episodes.housekeeping import Housekeeper
from roboreward_ros.episodes.retention import Need, RetentionConfig
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import FormatError
from roboreward_ros.files import write_atomic
from roboreward_ros.types.codec import Fields, JsonObject, from_text, to_text

CHECKPOINT = Path("checkpoints", "learner.safetensors")
REMOTE = Path("checkpoints", "remote_learned.json")
"""What the checkpoint of a learner on another host holds of this run (``dsrl.remote_duty``)."""
REMOTE_FORMAT = 1


def learned_episodes(run_dir: Path) -> frozenset[str]:
    """Ids whose decisions are in the replay of the newest checkpoint; none without one.

    An episode that was taken in after it was written does not count: a learner that resumes there
    reads it again. Where the learner is on another host, its checkpoint counts.
    """
    try:
        with safe_open(run_dir / CHECKPOINT, framework="np") as file:
            header = json.loads((file.metadata() or {})["learner"])
            return frozenset(header["seen"])
    except (SafetensorError, KeyError, ValueError, OSError):
        return frozenset(read_remote(run_dir).episodes)


@dataclass(frozen=True, slots=True)
class RemoteLearned:
    """What a learner on another host has said of this run.

    Attributes:
        episodes: ids that its checkpoint there holds.
        episodes_done: of this run, their updates done.
        grad_steps: its updates in all, those for other arms included.
    """

    episodes: tuple[str, ...] = ()
    episodes_done: int = 0
    grad_steps: int = 0


def read_remote(run_dir: Path) -> RemoteLearned:
    """What was noted last; nothing where there is no note that can be read."""
    path = run_dir / REMOTE
    try:
        fields = Fields(from_text(path.read_bytes(), str(path)), str(path))
        if fields.integer("format") != REMOTE_FORMAT:
            return RemoteLearned()
        episodes = fields.texts("episodes")
        if fields.missing("grad_steps"):  # of an older version
            return RemoteLearned(episodes)
        counts = (fields.integer(name) for name in ("episodes_done", "grad_steps"))
        return RemoteLearned(episodes, *counts)
    except (OSError, FormatError):
        return RemoteLearned()


def write_remote(run_dir: Path, said: RemoteLearned) -> None:
    """Note it; raises OSError."""
    values: JsonObject = {
        "format": REMOTE_FORMAT,
        "episodes": [*said.episodes],
        "episodes_done": said.episodes_done,
        "grad_steps": said.grad_steps,
    }
    write_atomic(run_dir / REMOTE, to_text(values))


class Budget(Protocol):
    """What a node's parameters say about the disk."""

    @property
    def budget_bytes(self) -> int: ...

    @property
    def keep_pictures(self) -> int: ...

    @property
    def pictures_need(self) -> str: ...


def housekeeper(store: EpisodeStore, budget: Budget) -> Housekeeper:
    """A started housekeeper that knows what the run's learner has taken in; close it."""
    need = Need(budget.pictures_need)
    config = RetentionConfig(budget.budget_bytes, budget.keep_pictures, need)
    keeper = Housekeeper(store, config, lambda: learned_episodes(store.run_dir))
    keeper.start()
    return keeper
