# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Records one episode into its journal and turns that into a stored episode at commit."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from roboreward_ros.episodes.arrays import GroupWriter
from roboreward_ros.episodes.codec import meta_to_json, to_text
from roboreward_ros.episodes.header import EPISODE_FORMAT, NAME, Header, encode_header, file_digests
from roboreward_ros.episodes.journal import JournalWriter, Kind, read_journal
from roboreward_ros.episodes.layout import Recording, write_arrays
from roboreward_ros.episodes.locks import sync_directory, sync_tree
from roboreward_ros.episodes.records import (
    pack_chunk,
    pack_observation,
    pack_step,
    pack_truth,
)
from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.types import Chunk, EndCause, EpisodeMeta, FloatArray, GroundTruth, StepReport


class StoredEpisodeWriter:
    """Writer of one episode (protocol ``EpisodeWriter``); safe to call from several threads.

    A refused gap marks the episode incomplete; what came before it can still be committed.

    Args:
        workspace: folder below ``episodes/.journal``; must not exist.
        target: where the episode becomes visible.
        meta: its header.
    """

    def __init__(self, workspace: Path, target: Path, meta: EpisodeMeta) -> None:
        self._workspace = workspace
        self._target = target
        self._meta = meta
        self._mutex = threading.Lock()
        self._next = dict.fromkeys(("observation", "step", "truth"), 0)
        self._chunk_shapes: tuple[tuple[int, ...], ...] | None = None
        self._last_chunk = (-1, -1)
        self._gap = False
        self._open = True
        workspace.mkdir()
        self._journal = JournalWriter(workspace / "journal")
        self._journal.append(Kind.META, to_text(meta_to_json(meta)).encode())

    @property
    def closed(self) -> bool:
        """Whether it was committed or aborted."""
        return not self._open

    def add_observation(
        self, step: int, stamp_ns: int, jpeg: bytes, proprio: FloatArray, q: FloatArray
    ) -> None:
        if not jpeg.startswith(b"\xff\xd8"):
            raise ConfigError("an observation's image is not a JPEG", got=f"{jpeg[:4]!r}")
        with self._mutex:
            self._in_order("observation", step)
            parts = pack_observation(step, stamp_ns, jpeg, proprio, q)
            self._journal.append(Kind.OBSERVATION, *parts)
            self._next["observation"] += 1

    def add_step(self, step: int, report: StepReport) -> None:
        with self._mutex:
            self._in_order("step", step)
            self._journal.append(Kind.STEP, pack_step(step, report))
            self._next["step"] += 1

    def add_chunk(self, chunk: Chunk) -> None:
        shapes = (chunk.noise.shape, chunk.actions.shape, chunk.features.shape)
        with self._mutex:
            self._require_open()
            index, step = self._last_chunk
            if chunk.index != index + 1 or chunk.step <= step:
                raise ConfigError(
                    "a decision is out of order",
                    got=f"index {chunk.index} at step {chunk.step}",
                    allowed=f"index {index + 1} after step {step}",
                )
            if shapes != (self._chunk_shapes or shapes):
                raise ConfigError(
                    "a decision has other sizes than the first of its episode",
                    got=shapes,
                    allowed=str(self._chunk_shapes),
                )
            self._journal.append(Kind.CHUNK, pack_chunk(chunk))
            self._chunk_shapes = shapes
            self._last_chunk = (chunk.index, chunk.step)

    def add_truth(self, step: int, truth: GroundTruth) -> None:
        with self._mutex:
            self._in_order("truth", step)
            self._journal.append(Kind.TRUTH, pack_truth(step, truth))
            self._next["truth"] += 1

    def _require_open(self) -> None:
        if not self._open:
            raise StoreError(
                f"episode {self._meta.episode_id} is already closed",
                next_step="Create the next episode.",
            )

    def _in_order(self, name: str, step: int) -> None:
        self._require_open()
        if step != self._next[name]:
            self._gap = True
            raise ConfigError(
                f"{name} of episode {self._meta.episode_id} is out of order",
                got=f"step {step}",
                allowed=f"step {self._next[name]}",
                next_step="The episode is marked incomplete.",
            )

    def commit(self, end_cause: EndCause, taint: tuple[str, ...] = ()) -> str:
        """Make the episode durable and visible; returns its uri (``file://``).

        Raises:
            StoreError: closed, empty, or the disk is full (it can then be tried again).
        """
        with self._mutex:
            self._require_open()
            end = to_text({"end_cause": end_cause.value, "taint": list(taint), "gap": self._gap})
            self._journal.append(Kind.END, end.encode())
            scratch = self._workspace / "zarr"
            try:
                _convert(self._workspace / "journal", scratch)
                scratch.rename(self._target)
                sync_directory(self._target.parent)
            except OSError as error:
                shutil.rmtree(scratch, ignore_errors=True)
                raise StoreError(
                    f"episode {self._meta.episode_id} could not be committed",
                    got=str(error),
                    next_step="Free disk space and commit again.",
                ) from None
            self._close()
            return self._target.resolve().as_uri()

    def abort(self) -> None:
        with self._mutex:
            if self._open:
                self._close()

    def _close(self) -> None:
        self._open = False
        self._journal.close()
        shutil.rmtree(self._workspace, ignore_errors=True)


def _convert(journal: Path, scratch: Path) -> None:
    try:
        recording = Recording.of(read_journal(journal))
    except (ConfigError, FormatError) as error:
        raise StoreError("the journal does not form an episode", got=str(error)) from error
    summary = recording.summary()
    write_arrays(GroupWriter(scratch, {"format": EPISODE_FORMAT}), recording)
    (scratch / NAME).write_bytes(encode_header(Header(summary, file_digests(scratch))))
    sync_tree(scratch)
