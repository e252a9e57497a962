# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a follower reads: the episodes and labels of one run, or of anything that looks like one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import LabelStatus, RewardView, ViewConfig
from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.types import Score


class Stores(Protocol):
    """Episodes in the order in which a learner takes them in, and their labels."""

    def refresh(self) -> bool:
        """Catch up with the source that the run goes by; False while there is none."""

    def ids(self) -> Sequence[str]:
        """Episodes that are there."""

    def open(self, episode_id: str) -> EpisodeReader:
        """One of them; raises StoreError or FormatError."""

    def label(self, episode_id: str) -> Score | None:
        """Its reward; None while it is unlabelled."""

    def changes(self) -> Sequence[str]:
        """Episodes whose label changed since this was asked last, all of them at first."""

    def discarded(self, episode_ids: Iterable[str]) -> set[str]:
        """Those that a person took out."""

    def next(self, taken: Collection[str]) -> str | None:
        """The episode to take in after ``taken``; None while it must be waited for."""


class RunStores:
    """The stores of one run; an episode is next once its outcome, or a later one's, is known.

    Args:
        run_dir: the run; only read.
        source: reward source to go by; "" follows the run's promoted one.
    """

    def __init__(self, run_dir: Path | str, source: str = "") -> None:
        self._run_dir = Path(run_dir)
        self._source = source
        self._store = EpisodeStore(run_dir, "r")
        self._view: RewardView | None = None
        self._cursor = 0

    def refresh(self) -> bool:
        promoted = read_promoted(self._run_dir)
        config = ViewConfig(self._source) if self._source else promoted
        if promoted is not None and self._source == promoted.source:
            config = promoted
        if config is not None and (self._view is None or config != self._view.config):
            self._view = RewardView.of_run(self._run_dir, config)
            self._cursor = 0
        return self._view is not None

    def ids(self) -> Sequence[str]:
        return self._store.ids()

    def open(self, episode_id: str) -> EpisodeReader:
        return self._store.open(episode_id)

    def label(self, episode_id: str) -> Score | None:
        return None if self._view is None else self._view.label(episode_id)

    def changes(self) -> Sequence[str]:
        if self._view is None:
            return ()
        self._cursor, changed = self._view.changes(self._cursor)
        return changed

    def discarded(self, episode_ids: Iterable[str]) -> set[str]:
        return {e for e in episode_ids if self._store.marks.discarded(e)}

    def next(self, taken: Collection[str]) -> str | None:
        view, ids = self._view, self._store.ids()
        if view is None or len(ids) <= len(taken):
            return None
        known = {*taken}
        waiting = [e for e in ids if e not in known]
        return waiting[0] if any(_settled(view, e) for e in waiting) else None


def _settled(view: RewardView, episode_id: str) -> bool:
    label = view.status(episode_id)
    return label.status is not LabelStatus.UNSCORED or bool(label.detail)
