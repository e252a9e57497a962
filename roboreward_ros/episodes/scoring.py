# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scores stored episodes into the ledger, each exactly once a source. Safe to use from threads.

Knows nothing about sources: ``ask`` gives an outcome for an episode and never raises.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.episodes.ledger import OPERATOR, SCORES, Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import RewardView
from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.types import LabelRecord, RewardFailure, RewardOutcome, ScoreScale

Ask = Callable[[EpisodeReader], RewardOutcome]
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
        self._one_at_a_time = threading.Lock()
        self.store = EpisodeStore(self._run_dir, "r")
        self._ledger = Ledger(self._run_dir, "w", SCORES)
        self._view: RewardView | None = None

    def promote(self, source: str, scale: ScoreScale) -> None:
        """The run goes by ``source`` from now on."""
        config = promote(self._run_dir, source, scale)
        ledgers = [self._ledger, Ledger(self._run_dir, "r", OPERATOR)]
        self._view = RewardView(ledgers, config)

    def unanswered(self, source: str) -> list[str]:
        """Episodes that ``source`` still has to score, by index."""
        assert self._view is not None, "promote a source first"
        return self._view.unanswered(self.store.ids(), source)

    def score(
        self,
        episode: EpisodeReader,
        source: str,
        ask: Ask,
        force: bool = False,
        wanted: Callable[[], bool] = lambda: True,
    ) -> LabelRecord | None:
        """The record of ``source`` for an episode; asks only if there is none yet.

        Args:
            episode: a committed episode.
            source: registry name of the source behind ``ask``.
            ask: gives the outcome; bounded in time.
            force: ask again although the source has answered.
            wanted: looked at once the outcome is there; False throws it away.

        Returns:
            The record on disk; None if nobody wants it any more.

        Raises:
            StoreError: the ledger cannot be written.
        """
        episode_id = episode.summary.meta.episode_id
        with self._one_at_a_time:
            if not force and (known := self._known(episode_id, source)) is not None:
                return known
            outcome = ask(episode)
            if not wanted():
                return None
            return self.add(episode_id, outcome)

    def add(self, episode_id: str, outcome: RewardOutcome, *, shadow: bool = False) -> LabelRecord:
        """Write and announce one outcome.

        Raises:
            StoreError: the ledger cannot be written.
        """
        stamp_ns = self._clock.now_ns()
        record = self._ledger.append(LabelRecord(-1, episode_id, outcome, stamp_ns, shadow=shadow))
        self._on_record(record)
        return record

    def _known(self, episode_id: str, source: str) -> LabelRecord | None:
        answers = [
            record
            for record in self._ledger.records()
            if record.episode_id == episode_id
            and record.outcome.provenance.source == source
            and not record.shadow
            and not isinstance(record.outcome, RewardFailure)
        ]
        return answers[-1] if answers else None

    def close(self) -> None:
        """Unlock the ledger; idempotent."""
        self._ledger.close()
