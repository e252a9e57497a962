# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several arms' stores as one learner sees them: ``ep_000003`` of arm1 is ``arm1/ep_000003``.

Each arm's run stays whole and its own: its ids, its ledger, its source. The arms' episodes come as
they come; in which order the learner took them in is a fact that no store holds, so it is written
down before each (``intake.jsonl``): a learner that resumes from its checkpoint goes on by it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from roboreward_ros.dsrl.stores import RunStores
from roboreward_ros.episodes.lines import LineWriter
from roboreward_ros.errors import StoreError
from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.types import Chunk, EpisodeSummary, FloatArray, GroundTruth, Score
from roboreward_ros.types.codec import Fields

__all__ = ["ArmEpisode", "ArmPool", "arm_of"]

INTAKE_FORMAT = 1


def arm_of(name: str) -> tuple[str, str]:
    """Arm and id of ``arm1/ep_000003``."""
    arm, _, episode_id = name.partition("/")
    return arm, episode_id


class ArmEpisode:
    """An episode under its name in the pool (protocol ``EpisodeReader``)."""

    def __init__(self, episode: EpisodeReader, name: str) -> None:
        self._episode = episode
        self._name = name

    @property
    def summary(self) -> EpisodeSummary:
        summary = self._episode.summary
        meta = dataclasses.replace(summary.meta, episode_id=self._name)
        return dataclasses.replace(summary, meta=meta)

    def frames(self) -> Sequence[bytes]:
        return self._episode.frames()

    def stamps_ns(self) -> Sequence[int]:
        return self._episode.stamps_ns()

    def proprio(self) -> FloatArray:
        return self._episode.proprio()

    def actions(self) -> FloatArray:
        return self._episode.actions()

    def flags(self) -> Sequence[int]:
        return self._episode.flags()

    def chunks(self) -> Sequence[Chunk]:
        return self._episode.chunks()

    def truth(self) -> Sequence[GroundTruth]:
        return self._episode.truth()


class ArmPool:
    """See the module's text (protocol ``Stores``); one thread.

    Args:
        root: the learner's folder; holds the order of intake.
        source: reward source to learn from; "" follows each run's promoted one.

    Raises:
        StoreError: another process learns here.
    """

    def __init__(self, root: Path, source: str = "") -> None:
        self._source = source
        self._arms: dict[str, RunStores] = {}
        path = root / "intake.jsonl"
        self._journal = LineWriter(path, "roboreward intake", INTAKE_FORMAT)
        self._order = [Fields(v, str(path)).text("episode") for v in self._journal.initial]

    def add(self, arm: str, run_dir: Path) -> None:
        """Read one more arm's run."""
        self._arms[arm] = RunStores(run_dir, self._source)

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(self._arms)

    def refresh(self) -> bool:
        ready = [stores.refresh() for stores in self._arms.values()]
        return any(ready)

    def ids(self) -> Sequence[str]:
        """What was taken in comes first, in that order."""
        there = [f"{arm}/{e}" for arm, stores in self._arms.items() for e in stores.ids()]
        place = {name: k for k, name in enumerate(self._order)}
        return sorted(there, key=lambda name: place.get(name, len(place)))

    def open(self, episode_id: str) -> EpisodeReader:
        arm, own = arm_of(episode_id)
        return ArmEpisode(self._of(arm).open(own), episode_id)

    def label(self, episode_id: str) -> Score | None:
        arm, own = arm_of(episode_id)
        return self._of(arm).label(own)

    def changes(self) -> Sequence[str]:
        return [f"{arm}/{e}" for arm, stores in self._arms.items() for e in stores.changes()]

    def discarded(self, episode_ids: Iterable[str]) -> set[str]:
        return {e for e in episode_ids if self._of(arm_of(e)[0]).discarded([arm_of(e)[1]])}

    def next(self, taken: Collection[str]) -> str | None:
        """As it was taken in before; else of the arm that has given the fewest."""
        known = {*taken}
        for name in self._order:
            if name not in known:
                return name
        of_arm: dict[str, list[str]] = {arm: [] for arm in self._arms}
        for name in self._order:
            arm, own = arm_of(name)
            of_arm.setdefault(arm, []).append(own)
        for arm in sorted(of_arm, key=lambda name: (len(of_arm[name]), name)):
            if found := self._of(arm).next(of_arm[arm]):
                name = f"{arm}/{found}"
                self._journal.append({"episode": name})
                self._order.append(name)
                return name
        return None

    def _of(self, arm: str) -> RunStores:
        if arm not in self._arms:
            raise StoreError(
                "the learner has learnt from an arm whose episodes are not here",
                got=arm,
                allowed=tuple(self._arms),
                next_step="Restore the folder arms/, or begin with a new one.",
            )
        return self._arms[arm]

    def close(self) -> None:
        """Unlock; idempotent."""
        self._journal.close()
