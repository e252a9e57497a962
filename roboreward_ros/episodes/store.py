# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The episode store of one run: ``run_dir/episodes/``.

``<id>/``                  committed episodes: a zarr v3 group and ``meta.json``
``.journal/<id>/``         the episode being recorded; invisible to readers
``.interrupted/``          journals of episodes whose writer died, the newest few, for diagnosis
``marks.jsonl .lock``      discard marks; the writer's lock
``pictures.jsonl``         whose pictures were exported, or removed to keep a disk budget
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlparse

from roboreward_ros.episodes.arrays import warm_up
from roboreward_ros.episodes.header import read_header
from roboreward_ros.episodes.journal import Kind, read_journal
from roboreward_ros.episodes.locks import WriterLock
from roboreward_ros.episodes.marks import MarkKind, Marks
from roboreward_ros.episodes.reader import StoredEpisode
from roboreward_ros.episodes.writer import StoredEpisodeWriter
from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.types import EpisodeMeta

_LOG = logging.getLogger(__name__)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_KEPT_JOURNALS = 8


class EpisodeStore:
    """Episodes of one run (protocol ``EpisodeStore``).

    Args:
        run_dir: the run's folder; made by a writer, must exist for a reader.
        mode: "r" any number of processes; "w" one, which also puts interrupted journals aside.

    Raises:
        StoreError: another process writes the store (its pid is named), or no such run.
    """

    def __init__(self, run_dir: Path | str, mode: Literal["r", "w"] = "r") -> None:
        if mode not in ("r", "w"):
            raise ConfigError("unknown mode of an episode store", got=mode, allowed=("r", "w"))
        self.run_dir = Path(run_dir)
        self.root = self.run_dir / "episodes"
        self.marks = Marks(self.run_dir)
        self._indices: dict[str, int] = {}
        self._writers: dict[str, StoredEpisodeWriter] = {}
        self._lock: WriterLock | None = None
        if mode == "w":
            self._lock = WriterLock(self.root / ".lock", f"episode store {self.root}")
            self._put_interrupted_aside()
            warm_up()
        elif not self.run_dir.is_dir():
            raise StoreError(
                "there is no such run",
                got=str(self.run_dir),
                next_step="Check the path; a run_dir holds run.json and episodes/.",
            )

    def _put_interrupted_aside(self) -> None:
        journals = self.root / ".journal"
        journals.mkdir(exist_ok=True)
        aside = self.root / ".interrupted"
        for workspace in sorted(journals.iterdir()):
            if not (self.root / workspace.name).exists() and (workspace / "journal").exists():
                try:
                    kinds = [record.kind for record in read_journal(workspace / "journal")]
                    steps = f"{kinds.count(Kind.STEP)} steps"
                except FormatError as error:
                    steps = str(error)
                aside.mkdir(exist_ok=True)
                written_ns = (workspace / "journal").stat().st_mtime_ns
                kept = aside / f"{workspace.name}.{written_ns}.journal"
                (workspace / "journal").replace(kept)
                _LOG.warning(
                    "episode %s was interrupted (%s); it is not in the store, its journal is %s",
                    workspace.name,
                    steps,
                    kept,
                )
            shutil.rmtree(workspace)
        if aside.exists():
            oldest_first = sorted(aside.iterdir(), key=lambda path: path.stat().st_mtime_ns)
            for path in oldest_first[:-_KEPT_JOURNALS]:
                path.unlink()
                _LOG.warning("journal %s is removed: %d newer ones are kept", path, _KEPT_JOURNALS)

    def create(self, meta: EpisodeMeta) -> StoredEpisodeWriter:
        if self._lock is None:
            raise StoreError("the episode store is open for reading", got=str(self.root))
        if not _ID.fullmatch(meta.episode_id):
            raise ConfigError(
                "an episode's id becomes a folder's name",
                got=meta.episode_id,
                allowed="letters, digits, _ and -, such as ep_000042",
            )
        target = self.root / meta.episode_id
        workspace = self.root / ".journal" / meta.episode_id
        writer = self._writers.get(meta.episode_id)
        if target.exists() or (writer is not None and not writer.closed):
            raise StoreError(
                "this episode exists already" if target.exists() else "it is being recorded",
                got=meta.episode_id,
                next_step="Use the next index.",
            )
        if workspace.exists():  # of a try that was dropped on a disk that let nothing be removed
            shutil.rmtree(workspace)
        self._writers = {name: it for name, it in self._writers.items() if not it.closed}
        self._writers[meta.episode_id] = writer = StoredEpisodeWriter(workspace, target, meta)
        return writer

    def ids(self) -> Sequence[str]:
        """Committed episodes by index; one whose header is damaged comes last, by name."""
        try:
            names = [p.name for p in self.root.iterdir() if p.is_dir() and p.name[0] != "."]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(
                "the episode store cannot be read",
                got=f"{self.root}: {error.strerror}",
                next_step="Check the folder's owner and mode.",
            ) from None
        for name in names:
            if name not in self._indices:
                try:
                    self._indices[name] = read_header(self.root / name).summary.meta.index
                except FormatError as error:
                    _LOG.debug("%s", error)
        return sorted(names, key=lambda name: (self._indices.get(name, 2**63), name))

    def open(self, episode_id: str) -> StoredEpisode:
        folder = self.root / episode_id
        if not _ID.fullmatch(episode_id) or not folder.is_dir():
            known = self.ids()
            raise StoreError(
                "there is no such episode",
                got=episode_id,
                allowed=f"{len(known)} episodes, {known[0]} .. {known[-1]}" if known else "none",
            )
        return StoredEpisode(folder, self.marks)

    def __iter__(self) -> Iterator[StoredEpisode]:
        return (self.open(episode_id) for episode_id in self.ids())

    def __len__(self) -> int:
        return len(self.ids())

    def discard(self, episode_id: str, reason: str = "", operator: str = "") -> None:
        """Mark an episode so that it never trains; its data stays. Any process may."""
        self.open(episode_id)
        self.marks.add(episode_id, MarkKind.DISCARD, reason, operator)

    def restore(self, episode_id: str, reason: str = "", operator: str = "") -> None:
        """Take a discard back."""
        self.open(episode_id)
        self.marks.add(episode_id, MarkKind.RESTORE, reason, operator)

    def close(self) -> None:
        """Give the writer's lock back; idempotent."""
        if self._lock is not None:
            self._lock.release()


def open_uri(uri: str) -> StoredEpisode:
    """The episode behind a claim check.

    Raises:
        StoreError: not a ``file://`` uri of an episode.
        FormatError: damaged.
    """
    try:
        parts = urlparse(uri)
        folder = Path(unquote(parts.path))
        there = folder.parent.name == "episodes" and folder.is_dir()
    except ValueError:  # brackets that do not close, NUL, half a character
        there = False
    if not there or parts.scheme != "file":
        raise StoreError(
            "not the uri of a stored episode",
            got=uri,
            allowed="file:///.../RUN/episodes/ep_000000",
        )
    return EpisodeStore(folder.parent.parent).open(folder.name)
