# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What happened in a rehearsal and when (``run_dir/rehearsal.jsonl``): for its table."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from roboreward_ros.clock import Clock
from roboreward_ros.errors import FormatError

NOTES_FILE = "rehearsal.jsonl"
LOOK_S = 0.01


class NoteKind(StrEnum):
    """What a note is about."""

    FAULT = "fault"  # `text` begins; `number` is its place in the fault file
    HIT = "hit"  # a process is to be hit; likewise
    STRUCK = "struck"  # and was, or is not there; likewise
    VERB = "verb"  # the script pressed a key
    REFUSED = "refused"  # and the session did not take it
    PHASE = "phase"  # of the session
    PART = "part"  # a part's health is not well any more
    BEGUN = "begun"  # an episode
    OVER = "over"  # an episode is on disk; `number` is its place in the recording


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that happened.

    Attributes:
        kind: what.
        stamp_ns: when, ns since the epoch.
        episode: number in the rehearsal that was played then; -1 before the first.
        step: control step; -1 outside of episodes.
        text: for people.
        number: see ``NoteKind``.
    """

    kind: NoteKind
    stamp_ns: int
    episode: int
    step: int
    text: str
    number: int = -1


class NoteBook:
    """Writes notes; every line is whole or not there for readers, also of two writers."""

    def __init__(self, run_dir: Path) -> None:
        run_dir.mkdir(parents=True, exist_ok=True)
        self._file = (run_dir / NOTES_FILE).open("a", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()

    def add(self, note: Note) -> None:
        """Append one; from any thread."""
        with self._lock:
            self._file.write(json.dumps(asdict(note)) + "\n")

    def close(self) -> None:
        self._file.close()


class NoteReader:
    """Follows the notes of a rehearsal.

    Args:
        run_dir: of the rehearsal; the file may come later.
    """

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / NOTES_FILE
        self._place = 0

    def new(self) -> list[Note]:
        """Notes since the last call; raises FormatError for a line that is none."""
        if not self._path.is_file():
            return []
        with self._path.open("rb") as file:
            file.seek(self._place)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._place += len(whole)
        try:
            rows = [json.loads(line) for line in whole.splitlines()]
            return [Note(**{**row, "kind": NoteKind(row["kind"])}) for row in rows]
        except (ValueError, OverflowError, RecursionError, TypeError, KeyError) as error:
            raise FormatError(
                "a rehearsal's notes are damaged", got=f"{self._path}: {error}"
            ) from None


def await_struck(reader: NoteReader, number: int, clock: Clock, within_s: float) -> bool:
    """Wait until the process of a fault was hit; False where nobody hit it in time.

    Args:
        reader: of the rehearsal's notes.
        number: place of the fault in its file.
        clock: of the wait.
        within_s: longest wait, s.
    """
    end_ns = clock.steady_ns() + round(within_s * 1e9)
    while not any(n.kind is NoteKind.STRUCK and n.number == number for n in reader.new()):
        if clock.steady_ns() >= end_ns:
            return False
        clock.sleep(LOOK_S)
    return True
