# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps a mirror of a run up to date, one bounded request at a time.

Labels and marks go first, then episodes in order, so that a label is usually there when its episode
is. Only what a power cut here could not take back is sent. What the mirror has is asked for after
every failure; nothing about it is remembered on disk.
"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

from roboreward_ros.episodes.lines import decode_line
from roboreward_ros.episodes.locks import sync_directory
from roboreward_ros.episodes.mirror import COMMITTED, LINES, WHOLE, Held, MirrorPort
from roboreward_ros.episodes.parcel import Parcel
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import FormatError, StoreError

_LOG = logging.getLogger(__name__)
PIECE_BYTES = 1 << 18
_TRIES = 3


class Shipper:
    """See the module's text; one thread.

    Args:
        run_dir: the run; only read.
        port: its mirror.
        piece_bytes: most that one request carries.

    Attributes:
        shipped: ids of the episodes that the mirror has whole.
        left_out: id -> why an episode cannot be sent.
        sent_bytes: of episodes and lines, repetitions included.
    """

    def __init__(self, run_dir: Path, port: MirrorPort, piece_bytes: int = PIECE_BYTES) -> None:
        self._run_dir = run_dir
        self._port = port
        self._piece = piece_bytes
        self._store = EpisodeStore(run_dir, "r")
        self._held: Held | None = None
        self._sizes: dict[str, int] = {}  # acknowledged bytes of LINES
        self._sums: dict[str, str] = {}  # acknowledged sha256 of WHOLE
        self._parcel: tuple[Parcel, int] | None = None  # in hand, and its acknowledged bytes
        self._refused: dict[str, int] = {}
        self.shipped: set[str] = set()
        self.left_out: dict[str, str] = {}
        self.sent_bytes = 0

    def waiting(self) -> int:
        """Committed episodes that the mirror does not have yet."""
        return sum(e not in self.shipped and e not in self.left_out for e in self._store.ids())

    def step(self) -> bool:
        """At most one request; False when the mirror is up to date.

        Raises:
            StoreError, FormatError: the mirror refused; or the files here are not those that it
                has copied. Whatever the port raises; the next step asks the mirror again.
        """
        try:
            if self._held is None:
                self._greet()
                return True
            return self._send_whole() or self._send_lines() or self._send_episode()
        except BaseException:
            self._held = self._parcel = None
            raise

    def _greet(self) -> None:
        held = self._port.held()
        for name, (size, sha256) in held.lines.items():
            data = _read(self._run_dir / name)
            if len(data) < size or hashlib.sha256(data[:size]).hexdigest() != sha256:
                raise StoreError(
                    f"the learner's copy of {name} is not of this run",
                    got=f"{size} bytes there, {len(data)} here",
                    next_step="Restore the file from a backup, or start a new run_dir.",
                )
            self._sizes[name] = size
        self._sums = dict(held.whole)
        self.shipped = set(held.episodes)
        self._held = held

    def _send_whole(self) -> bool:
        for name in WHOLE:
            data = _read(self._run_dir / name)
            sha256 = hashlib.sha256(data).hexdigest()
            if data and sha256 != self._sums[name]:
                self._port.replace(name, data)
                self._sums[name] = sha256
                return True
        return False

    def _send_lines(self) -> bool:
        for name in LINES:
            path, offset = self._run_dir / name, self._sizes[name]
            data = _durable_lines(path, offset, self._piece)
            if not data:
                continue
            size = self._port.append(name, offset, data)
            self.sent_bytes += len(data)
            if size < offset + len(data):
                raise StoreError(
                    f"the learner lost a part of {name}",
                    got=f"{size} bytes there",
                    allowed=f"{offset + len(data)}",
                    next_step="It is sent again.",
                )
            self._sizes[name] = offset + len(data)
            return True
        return False

    def _send_episode(self) -> bool:
        if self._parcel is None and not self._take_next():
            return False
        assert self._parcel is not None
        parcel, offset = self._parcel
        offer = parcel.offer
        try:
            data = parcel.read(offset, self._piece)
        except FormatError as error:
            self._leave_out(offer.episode_id, error)
            return True
        try:
            have = self._port.put(offer, offset, data)
        except FormatError as error:
            tries = self._refused[offer.episode_id] = self._refused.get(offer.episode_id, 0) + 1
            if tries >= _TRIES:  # it is damaged here
                self._leave_out(offer.episode_id, error)
                return True
            raise
        self.sent_bytes += len(data)
        self._acknowledged(parcel, have)
        return True

    def _take_next(self) -> bool:
        """Offer the first episode that the mirror lacks; False when there is none."""
        for episode_id in self._store.ids():
            if episode_id in self.shipped or episode_id in self.left_out:
                continue
            sync_directory(self._store.root)
            try:
                parcel = Parcel(self._store.root / episode_id)
            except FormatError as error:
                self._leave_out(episode_id, error)
                continue
            self._acknowledged(parcel, self._port.offer(parcel.offer))
            if self._parcel is not None:
                return True
        return False

    def _acknowledged(self, parcel: Parcel, have: int) -> None:
        self._parcel = (parcel, have)
        if have == COMMITTED:
            self.shipped.add(parcel.offer.episode_id)
            self._parcel = None

    def _leave_out(self, episode_id: str, error: FormatError) -> None:
        _LOG.error("the learner does not get %s: %s", episode_id, error)
        self.left_out[episode_id] = str(error)
        self._parcel = None


def _durable_lines(path: Path, offset: int, most: int) -> bytes:
    """Whole, sound lines from ``offset`` on, synced; about ``most`` bytes, at least one line.

    Raises:
        FormatError: a damaged line.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
            if data:
                os.fdatasync(file.fileno())
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StoreError(f"{path} cannot be read", got=error.strerror) from None
    end = data.rfind(b"\n", 0, most) + 1 or data.find(b"\n") + 1
    for number, line in enumerate(data[:end].split(b"\n")[:-1]):
        decode_line(
            line,
            f"{path}, line {number + 1} after byte {offset},",
            "Run `roboreward episodes verify` on the run; nothing after it reaches the learner.",
        )
    return data[:end]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
