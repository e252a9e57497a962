# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a run's sources said, on disk before anybody hears of it. Safe to use from threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.episodes.ledger import OPERATOR, SCORES, Ledger
from roboreward_ros.episodes.pictures import PictureBook
from roboreward_ros.episodes.promoted import Asked, promote
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import RewardView
from roboreward_ros.types import LabelRecord, RewardFailure, RewardOutcome, ScoreScale

OnRecord = Callable[[LabelRecord], None]


class Scorebook:
    """The writer of a run's scores.

    Args:
        run_dir: the run.
        on_record: told of each record after it is on disk.
        clock: stamps the records.

    Raises:
        StoreError: another process scores this run.
    """

    def __init__(
        self, run_dir: Path | str, on_record: OnRecord, clock: Clock | None = None
    ) -> None:
        self._run_dir = Path(run_dir)
        self._run_dir.mkdir(parents=True, exist_ok=True)
        self._on_record = on_record
        self._clock = clock or SystemClock()
        self.store = EpisodeStore(self._run_dir, "r")
        self._pictures = PictureBook(self._run_dir)
        self._ledger = Ledger(self._run_dir, "w", SCORES)
        self._view: RewardView | None = None
        self._mutex = threading.Lock()
        self._seen = 0
        self._answers: dict[tuple[str, str], LabelRecord] = {}  # by episode and source
        self._failed: set[tuple[str, str]] = set()

    def promote(
        self, source: str, scale: ScoreScale, why: str = "", asked: Asked | None = None
    ) -> None:
        """The run goes by ``source`` from now on; the change stays in the run's history."""
        config = promote(self._run_dir, source, scale, why, self._clock.now_ns(), asked)
        ledgers = [self._ledger, Ledger(self._run_dir, "r", OPERATOR)]
        self._view = RewardView(ledgers, config)

    def unanswered(self, source: str) -> list[str]:
        """Episodes that ``source`` still has to score and can, by index."""
        assert self._view is not None, "promote a source first"
        there = [name for name in self.store.ids() if self._pictures.removed(name) is None]
        return self._view.unanswered(there, source)

    def add(self, episode_id: str, outcome: RewardOutcome, *, shadow: bool = False) -> LabelRecord:
        """Write and announce one outcome.

        Raises:
            StoreError: the ledger cannot be written.
        """
        stamp_ns = self._clock.now_ns()
        record = self._ledger.append(LabelRecord(-1, episode_id, outcome, stamp_ns, shadow=shadow))
        self._on_record(record)
        return record

    def known(self, episode_id: str, source: str) -> LabelRecord | None:
        """The newest answer of ``source`` about an episode; None while it has none."""
        with self._mutex:
            self._catch_up()
            return self._answers.get((episode_id, source))

    def has_failed(self, episode_id: str, source: str) -> bool:
        """Whether a failure of ``source`` about an episode is on disk."""
        with self._mutex:
            self._catch_up()
            return (episode_id, source) in self._failed

    def _catch_up(self) -> None:
        """Index what the ledger has got since, so that no question reads all of it again."""
        for record in self._ledger.records(self._seen):
            self._seen = record.seq + 1
            if record.shadow:
                continue
            key = (record.episode_id, record.outcome.provenance.source)
            if isinstance(record.outcome, RewardFailure):
                self._failed.add(key)
            else:
                self._answers[key] = record

    def close(self) -> None:
        """Unlock the ledger; idempotent."""
        self._ledger.close()
