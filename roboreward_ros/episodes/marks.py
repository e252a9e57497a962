# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Marks on committed episodes (``episodes/marks.jsonl``): discarding never rewrites an episode.

Any process of the stack may mark: the file is locked for the length of one append.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.episodes.codec import Fields, JsonObject
from roboreward_ros.episodes.lines import LineReader, append_record

MARKS_FORMAT = 1
MARKS_KIND = "roboreward marks"


class MarkKind(StrEnum):
    DISCARD = "discard"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class Mark:
    """What somebody said about an episode; the last mark of an episode holds."""

    episode_id: str
    kind: MarkKind
    stamp_ns: int
    reason: str = ""
    operator: str = ""


def mark_from_json(values: JsonObject, where: str) -> Mark:
    """One line of the file; raises FormatError."""
    fields = Fields(values, where)
    return Mark(
        episode_id=fields.text("episode_id"),
        kind=fields.enum("kind", MarkKind),
        stamp_ns=fields.integer("stamp_ns"),
        reason=fields.text("reason"),
        operator=fields.text("operator"),
    )


class Marks:
    """The marks of one run; follows what other processes add."""

    def __init__(self, run_dir: Path | str, clock: Clock | None = None) -> None:
        self.path = Path(run_dir) / "episodes" / "marks.jsonl"
        self._clock = clock or SystemClock()
        self._mutex = threading.Lock()
        self._last: dict[str, Mark] = {}
        self._reader = LineReader(self.path, MARKS_KIND, MARKS_FORMAT)

    def add(self, episode_id: str, kind: MarkKind, reason: str = "", operator: str = "") -> Mark:
        """Write and sync one mark.

        Raises:
            StoreError: another process kept the file locked for two seconds, or the disk is full.
        """
        mark = Mark(episode_id, kind, self._clock.now_ns(), reason, operator)
        record: JsonObject = {
            "episode_id": mark.episode_id,
            "kind": mark.kind.value,
            "stamp_ns": mark.stamp_ns,
            "reason": mark.reason,
            "operator": mark.operator,
        }
        append_record(self.path, MARKS_KIND, MARKS_FORMAT, record, self._clock)
        return mark

    def last(self, episode_id: str) -> Mark | None:
        """The mark that holds for an episode."""
        with self._mutex:
            for values in self._reader.poll():
                mark = mark_from_json(values, str(self.path))
                self._last[mark.episode_id] = mark
            return self._last.get(episode_id)

    def discarded(self, episode_id: str) -> bool:
        mark = self.last(episode_id)
        return mark is not None and mark.kind is MarkKind.DISCARD
