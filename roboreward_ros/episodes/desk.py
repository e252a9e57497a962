# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a person's judgements of committed episodes are written down."""

from __future__ import annotations

from pathlib import Path

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.episodes.labels import key_record, undo_record
from roboreward_ros.episodes.ledger import OPERATOR, Ledger
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.types import EpisodeSummary, LabelRecord

UNDO = "u"


class OperatorDesk:
    """The one writer of the operator's ledger; episodes stay as they are.

    Args:
        run_dir: the run.
        clock: stamps the records.

    Raises:
        StoreError: another process takes the operator's keys, or there is no such run.
    """

    def __init__(self, run_dir: Path | str, clock: Clock | None = None) -> None:
        self.store = EpisodeStore(run_dir, "r")
        self._clock = clock or SystemClock()
        self._ledger = Ledger(run_dir, "w", OPERATOR)

    def label(self, episode_id: str, key: str, operator: str) -> LabelRecord:
        """What a key says, on disk.

        Args:
            episode_id: a committed episode; when taking back, "" for whichever was last.
            key: ``s``, ``f``, ``1``..``5``, or ``u``: take the last one back.
            operator: who; "" for anybody.

        Raises:
            ConfigError: another key.
            SessionError: nothing to take back.
            StoreError: no such episode, or the disk.
        """
        now_ns = self._clock.now_ns()
        if key == UNDO:
            record = undo_record(self._ledger.records(), now_ns, operator, episode_id)
        else:
            record = key_record(key, episode_id, now_ns, operator)
            self.store.open(episode_id)
        return self._ledger.append(record)

    def discard(self, episode_id: str, reason: str) -> EpisodeSummary:
        """Mark an episode so that it never trains; raises StoreError."""
        self.store.discard(episode_id, reason, "operator")
        return self.store.open(episode_id).summary

    def close(self) -> None:
        """Unlock the ledger; idempotent."""
        self._ledger.close()
