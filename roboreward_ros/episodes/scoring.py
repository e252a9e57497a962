# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a run's sources said, on disk before anybody hears of it. Safe to use from threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.episodes.ledger import OPERATOR, SCORES, Ledger
from roboreward_ros.episodes.promoted import promote
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
        self._ledger = Ledger(self._run_dir, "w", SCORES)
        self._view: RewardView | None = None

    def promote(self, source: str, scale: ScoreScale, why: str = "") -> None:
        """The run goes by ``source`` from now on; the change stays in the run's history."""
        config = promote(self._run_dir, source, scale, why, self._clock.now_ns())
        ledgers = [self._ledger, Ledger(self._run_dir, "r", OPERATOR)]
        self._view = RewardView(ledgers, config)

    def unanswered(self, source: str) -> list[str]:
        """Episodes that ``source`` still has to score, by index."""
        assert self._view is not None, "promote a source first"
        return self._view.unanswered(self.store.ids(), source)

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
        records = self._of(episode_id, source)
        answers = [r for r in records if not isinstance(r.outcome, RewardFailure)]
        return answers[-1] if answers else None

    def has_failed(self, episode_id: str, source: str) -> bool:
        """Whether a failure of ``source`` about an episode is on disk."""
        return any(isinstance(r.outcome, RewardFailure) for r in self._of(episode_id, source))

    def _of(self, episode_id: str, source: str) -> list[LabelRecord]:
        return [
            record
            for record in self._ledger.records()
            if record.episode_id == episode_id
            and record.outcome.provenance.source == source
            and not record.shadow
        ]

    def close(self) -> None:
        """Unlock the ledger; idempotent."""
        self._ledger.close()
