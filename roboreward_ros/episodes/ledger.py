# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ledger: every label ever given, in order, never changed (``run_dir/ledger/*.jsonl``).

One file a producer, each with one locked writer: ``ledger.jsonl`` belongs to the process that
scores, ``operator.jsonl`` to the one that takes the operator's keys. Views read both.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from roboreward_ros.episodes.codec import label_from_json, label_to_json
from roboreward_ros.episodes.lines import LineReader, LineWriter
from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.types import LabelRecord

LEDGER_FORMAT = 1
LEDGER_KIND = "roboreward ledger"
SCORES = "ledger"
OPERATOR = "operator"


def ledger_path(run_dir: Path | str, name: str = SCORES) -> Path:
    return Path(run_dir) / "ledger" / f"{name}.jsonl"


class Ledger:
    """Labels of one producer, following the protocol ``roboreward_ros.protocols.Ledger``.

    Args:
        run_dir: the run.
        mode: "r" follows the file, "w" is its one writer.
        name: ``SCORES`` or ``OPERATOR``.

    Raises:
        StoreError: another process writes it (its pid is named).
        FormatError: a line in the middle is damaged, or the file is newer than this code.
    """

    def __init__(
        self, run_dir: Path | str, mode: Literal["r", "w"] = "r", name: str = SCORES
    ) -> None:
        if mode not in ("r", "w"):
            raise ConfigError("unknown mode of a ledger", got=mode, allowed=("r", "w"))
        self.path = ledger_path(run_dir, name)
        self.name = name
        self._mutex = threading.Lock()
        self._records: list[LabelRecord] = []
        self._writer: LineWriter | None = None
        self._reader = LineReader(self.path, LEDGER_KIND, LEDGER_FORMAT)
        if mode == "w":
            self._writer = LineWriter(self.path, LEDGER_KIND, LEDGER_FORMAT)
        try:
            self._catch_up()
        except BaseException:
            self.close()
            raise

    @property
    def cut_bytes(self) -> int:
        """Bytes of a torn tail that opening for writing cut off."""
        return self._writer.cut_bytes if self._writer else 0

    def append(self, record: LabelRecord) -> LabelRecord:
        """Write and sync ``record``; its ``seq`` is given here, whatever it was.

        Raises:
            StoreError: opened for reading, disk full, or retracting what is not there.
        """
        with self._mutex:
            if self._writer is None:
                raise StoreError(
                    f"{self.path} is open for reading", next_step='Open it with mode "w".'
                )
            stored = dataclasses.replace(record, seq=len(self._records))
            if not -1 <= stored.retracts < stored.seq:
                raise StoreError(
                    "a record can only retract an earlier one",
                    got=stored.retracts,
                    allowed=f"-1..{stored.seq - 1}",
                )
            self._writer.append(label_to_json(stored))
            self._catch_up()
            return stored

    def records(self, since: int = 0) -> Sequence[LabelRecord]:
        """All records with ``seq >= since``, those of other processes included."""
        with self._mutex:
            self._catch_up()
            return tuple(self._records[max(since, 0) :])

    def _catch_up(self) -> None:
        for values in self._reader.poll():
            where = f"{self.path} record {len(self._records)}"
            record = label_from_json(values, where)
            if record.seq != len(self._records):
                raise FormatError(
                    f"{where} is out of order: a line was removed or added by hand",
                    got=f"seq {record.seq}",
                    allowed=str(len(self._records)),
                    next_step="Restore the file from a backup.",
                )
            self._records.append(record)

    def close(self) -> None:
        """Unlock; idempotent."""
        if self._writer is not None:
            self._writer.close()
