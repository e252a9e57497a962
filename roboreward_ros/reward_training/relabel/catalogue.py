# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The videos of a run, in a database on disk: memory does not grow with their number."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from roboreward_ros.episodes.exchange.labelled_layout import (
    Fault,
    OnProblem,
    Problem,
    read_table,
    stop,
)
from roboreward_ros.errors import ConfigError
from roboreward_ros.reward_training.data.content import file_sha256
from roboreward_ros.reward_training.relabel.examples import SourceVideo

_SCHEMA = """
CREATE TABLE videos (id TEXT PRIMARY KEY, source TEXT, path TEXT, sha TEXT, task TEXT,
                     reward INTEGER) WITHOUT ROWID
"""
_PAGE = 256


@dataclass(frozen=True, slots=True)
class Shard:
    """Which part of the videos a worker takes: number ``index`` of ``count``, from 0."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ConfigError(
                "shard", got=f"{self.index} of {self.count}", allowed="0 .. count - 1"
            )

    def holds(self, video: str) -> bool:
        """Whether the video with this id is this worker's."""
        return int(hashlib.sha256(video.encode()).hexdigest()[:8], 16) % self.count == self.index


class Catalogue:
    """Videos by id; use as a context manager. It lives as long as this object.

    Args:
        videos: the first ones.

    Raises:
        ConfigError: two share an id.
    """

    def __init__(self, videos: Iterable[SourceVideo] = ()) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="roboreward_videos_")
        self._database = sqlite3.connect(Path(self._folder.name) / "videos.sqlite")
        self._database.execute("PRAGMA synchronous=OFF")  # a killed run makes it anew
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute(_SCHEMA)
        for video in videos:
            if not self.add(video):
                raise ConfigError("videos share an id", got=video.id, allowed="one id a row")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()
        self._folder.cleanup()

    def add(self, video: SourceVideo) -> bool:
        """Take a video up, its hash may be ""; False if its id is there already."""
        values = (video.id, video.source, str(video.path), video.sha256, video.task, video.reward)
        query = "INSERT OR IGNORE INTO videos VALUES (?, ?, ?, ?, ?, ?)"
        return self._database.execute(query, values).rowcount == 1

    def __len__(self) -> int:
        return int(self._database.execute("SELECT COUNT(*) FROM videos").fetchone()[0])

    def tasks(self) -> Iterator[str]:
        """Different sentences."""
        for (task,) in self._database.execute("SELECT DISTINCT task FROM videos"):
            yield task

    def rewards(self) -> dict[int, int]:
        """Videos by label."""
        query = "SELECT reward, COUNT(*) FROM videos GROUP BY reward"
        return dict(self._database.execute(query).fetchall())

    def count(self, shard: Shard) -> int:
        """Videos of a shard."""
        return sum(shard.holds(key) for (key,) in self._database.execute("SELECT id FROM videos"))

    def videos(self, shard: Shard) -> Iterator[SourceVideo]:
        """Videos of a shard by id, their content hashed when it is their turn.

        Raises:
            OSError: a file is gone.
        """
        last = ""
        while page := self._database.execute(
            "SELECT * FROM videos WHERE id > ? ORDER BY id LIMIT ?", (last, _PAGE)
        ).fetchall():
            for key, source, path, sha, task, reward in page:
                if not shard.holds(key):
                    continue
                if not sha:
                    sha = file_sha256(Path(path))
                    self._database.execute("UPDATE videos SET sha = ? WHERE id = ?", (sha, key))
                yield SourceVideo(key, source, Path(path), sha, task, reward)
            last = page[-1][0]


def fill(videos: Catalogue, table: Path, on_problem: OnProblem = stop) -> None:
    """Take up the rows of a ``metadata.jsonl``.

    Args:
        videos: where to.
        table: see ``find_table``.
        on_problem: told of every row that cannot be used, which is left out.
    """
    for row in read_table(table, on_problem):
        known = row.video_sha256  # a clip goes where its video goes; else hashed when it is due
        video = SourceVideo(row.id, row.subset, row.path, known, row.task, row.reward)
        if not videos.add(video):
            on_problem(Problem(Fault.DUPLICATE, row.place, row.id))
