# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The published actors of a run on disk: ``run_dir/policies/actor_<version>.safetensors``."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.dsrl.actor import SteeringActor, load_actor
from roboreward_ros.errors import CheckpointError
from roboreward_ros.files import sync_directory, write_atomic

ARCHIVE_EVERY = 10
"""Of the versions that are pruned every tenth stays, for learning curves."""


@dataclass(frozen=True, slots=True)
class PublishedActor:
    """A version of the actor on disk.

    Attributes:
        version: counts from 1.
        path: safetensors file below ``run_dir/policies``.
        sha256: of the file.
        policy_id: frozen policy that it steers.
        grad_steps: updates behind it.
    """

    version: int
    path: Path
    sha256: str
    policy_id: str
    grad_steps: int


def actor_path(run_dir: Path, version: int) -> Path:
    """Where the actor of a version lies."""
    return run_dir / "policies" / f"actor_{version:06d}.safetensors"


class ActorFiles:
    """Writes and prunes them; a number never names two actors.

    Args:
        run_dir: the run.
        keep: newest files that stay; 0 keeps all. Nothing needs the pruned ones: an episode
            stores the noise of its decisions, not only the version that chose it.
    """

    def __init__(self, run_dir: Path, keep: int = 0) -> None:
        self._run_dir = run_dir
        self._keep = keep

    def find(self, version: int, policy_id: str, grad_steps: int) -> PublishedActor | None:
        """A version that lies there already; None if it does not."""
        path = actor_path(self._run_dir, version)
        if not version or not path.is_file():
            return None
        sync_directory(path.parent)  # whoever wrote it may have died before it did
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return PublishedActor(version, path, sha256, policy_id, grad_steps)

    def write(self, actor: SteeringActor, grad_steps: int) -> PublishedActor:
        """Put an actor on disk, under the next free number if its own names other weights.

        Those were published after the checkpoint that the learner resumed from, and episodes may
        have run with them.

        Args:
            actor: with its version.
            grad_steps: updates behind it.
        """
        while (path := actor_path(self._run_dir, actor.version)).is_file():
            if path.read_bytes() == actor.to_bytes():
                break
            actor = dataclasses.replace(actor, version=actor.version + 1)
        sha256 = actor.save(path)
        self._prune(actor.version)
        return PublishedActor(actor.version, path, sha256, actor.policy_id, grad_steps)

    def place(self, data: bytes, version: int, policy_id: str, grad_steps: int) -> PublishedActor:
        """Put an actor here that a learner elsewhere has published under its own number.

        Raises:
            CheckpointError: the number names another one here, or it is no actor that can act.
            OSError: no space.
        """
        path = actor_path(self._run_dir, version)
        sha256 = hashlib.sha256(data).hexdigest()
        if path.is_file():
            have = hashlib.sha256(path.read_bytes()).hexdigest()
            if have != sha256:
                raise CheckpointError(
                    f"actor {version} of this run is another one than the learner's",
                    got=sha256,
                    allowed=have,
                    next_step="The learner began anew: start a new run_dir, or give it its "
                    "folder back.",
                )
            sync_directory(path.parent)  # as in ``find``
        else:
            write_atomic(path, data)
        try:
            load_actor(path, sha256, policy_id)
        except CheckpointError:
            path.unlink()  # nobody has heard of it yet
            raise
        self._prune(version)
        return PublishedActor(version, path, sha256, policy_id, grad_steps)

    def _prune(self, newest: int) -> None:
        gone = newest - self._keep
        if self._keep and gone > 0 and gone % ARCHIVE_EVERY:
            actor_path(self._run_dir, gone).unlink(missing_ok=True)
