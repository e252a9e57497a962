# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What became of the pictures of committed episodes (``episodes/pictures.jsonl``).

Pictures are exported (a copy is elsewhere) and may be removed to keep a disk budget. Only they are:
header, states, actions, noise, features and all labels stay, so a learner that learns the run anew
gets the same weights; what needs pictures (another reward source, an export) says that they are
gone, when and why. The note is on disk before the first byte goes.
"""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.episodes.lines import LineReader, append_record
from roboreward_ros.errors import PicturesGoneError
from roboreward_ros.files import sync_directory
from roboreward_ros.types.codec import Fields, JsonObject

PICTURES_FORMAT = 1
PICTURES = "frames"
"""Folder of an episode that holds its pictures, and nothing else does."""
_KIND = "roboreward pictures"
_GOING = ".going"


class Fate(StrEnum):
    EXPORTED = "exported"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class PictureNote:
    """One line.

    Attributes:
        episode_id: of a committed episode.
        fate: what happened.
        stamp_ns: when, wall time.
        detail: where to, or why.
        size: bytes on disk that went; 0 for an export.
    """

    episode_id: str
    fate: Fate
    stamp_ns: int
    detail: str
    size: int = 0


class PictureBook:
    """Notes of one run; follows what other processes add. Safe to use from threads.

    Args:
        run_dir: the run.
        clock: stamps the notes.
    """

    def __init__(self, run_dir: Path | str, clock: Clock | None = None) -> None:
        self._root = Path(run_dir) / "episodes"
        self.path = self._root / "pictures.jsonl"
        self._clock = clock or SystemClock()
        self._mutex = threading.Lock()
        self._notes: dict[tuple[str, Fate], PictureNote] = {}
        self._reader = LineReader(self.path, _KIND, PICTURES_FORMAT)

    def note(self, episode_id: str, fate: Fate) -> PictureNote | None:
        """The newest note of a kind about an episode."""
        with self._mutex:
            for values in self._reader.poll():
                fields = Fields(values, str(self.path))
                it = PictureNote(
                    fields.text("episode_id"),
                    fields.enum("fate", Fate),
                    fields.integer("stamp_ns"),
                    fields.text("detail"),
                    fields.integer("size"),
                )
                self._notes[it.episode_id, it.fate] = it
            return self._notes.get((episode_id, fate))

    def removed(self, episode_id: str) -> PictureNote | None:
        """Why an episode has no pictures any more; None where it has, or never should lack them."""
        return self.note(episode_id, Fate.REMOVED)

    def gone_error(self, it: PictureNote) -> PicturesGoneError:
        """For whoever wanted to see them."""
        day = datetime.fromtimestamp(it.stamp_ns / 1e9).astimezone()
        return PicturesGoneError(
            f"the pictures of {it.episode_id} were removed on {day:%Y-%m-%d %H:%M}",
            got=it.detail,
            next_step="Labels, states and actions are there; pictures only in what was exported.",
        )

    def add(self, episode_id: str, fate: Fate, detail: str, size: int = 0) -> PictureNote:
        """Write and sync one note.

        Raises:
            StoreError: another process kept the file locked for two seconds, or the disk is full.
        """
        it = PictureNote(episode_id, fate, self._clock.now_ns(), detail, size)
        record: JsonObject = {
            "episode_id": it.episode_id,
            "fate": it.fate.value,
            "stamp_ns": it.stamp_ns,
            "detail": it.detail,
            "size": it.size,
        }
        append_record(self.path, _KIND, PICTURES_FORMAT, record, self._clock)
        return it

    def remove(self, episode_id: str, why: str, size: int) -> None:
        """Note it, then take the pictures away; for the one writer of the store.

        Whole or not at all for readers: the folder leaves by one rename. A death in between is
        made good by :meth:`finish`.

        Raises:
            StoreError: the note could not be written; nothing was removed.
        """
        self.add(episode_id, Fate.REMOVED, why, size)
        self._take(episode_id)

    def finish(self, episode_ids: list[str]) -> int:
        """Take away what was noted and is still there; returns of how many episodes."""
        left = [
            name
            for name in episode_ids
            if self.removed(name) is not None and (self._root / name / PICTURES).exists()
        ]
        for name in left:
            self._take(name)
        shutil.rmtree(self._root / _GOING, ignore_errors=True)
        return len(left)

    def _take(self, episode_id: str) -> None:
        folder = self._root / episode_id
        going = self._root / _GOING
        going.mkdir(exist_ok=True)
        target = going / episode_id
        shutil.rmtree(target, ignore_errors=True)
        (folder / PICTURES).rename(target)
        sync_directory(folder)
        shutil.rmtree(going, ignore_errors=True)
