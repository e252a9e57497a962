# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The copy of one run on the learner's host: byte for byte, written by one process, read as a run.

``episodes/<id>/``            whole episodes
``episodes/.incoming/``       bytes of episodes on their way; a cut goes on where it stopped
``ledger/ ...``               lines and small files as the run has them
``mirror.json``               which run this is a copy of

Lines, small files and whole episodes are synced before they are acknowledged: after a power cut
they are there. Pieces of an episode on its way are not: its sums tell, and it is sent again.
Everything may be sent twice.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from roboreward_ros.episodes.codec import label_from_json
from roboreward_ros.episodes.header import NAME
from roboreward_ros.episodes.ledger import LEDGER_FORMAT, LEDGER_KIND
from roboreward_ros.episodes.lines import check_header, cut_tail, decode_line
from roboreward_ros.episodes.locks import WriterLock, sync_directory, sync_tree
from roboreward_ros.episodes.marks import MARKS_FORMAT, MARKS_KIND, mark_from_json
from roboreward_ros.episodes.parcel import Offer, unpack
from roboreward_ros.episodes.promoted import parse_promoted
from roboreward_ros.errors import FormatError, StoreError
from roboreward_ros.files import make_folder, write_atomic
from roboreward_ros.types.codec import Fields, from_text, to_text

_LOG = logging.getLogger(__name__)
MARKS = "episodes/marks.jsonl"
LINES = {
    MARKS: (MARKS_KIND, MARKS_FORMAT),
    "ledger/ledger.jsonl": (LEDGER_KIND, LEDGER_FORMAT),
    "ledger/operator.jsonl": (LEDGER_KIND, LEDGER_FORMAT),
}
"""Files that only grow: name -> what their first line says, and the newest format."""
PROMOTED = "ledger/promoted.json"
WHOLE = ("run.json", PROMOTED)
"""Files that are replaced."""
COMMITTED = -1
"""Answer to an offer of an episode that is there."""
MIRROR_FORMAT = 1
_RUN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Held:
    """What a mirror has of its run.

    Attributes:
        episodes: ids of whole ones.
        lines: name -> bytes and their sha256, of each file of ``LINES``.
        whole: name -> sha256, of each file of ``WHOLE``; "" where it is not there.
    """

    episodes: frozenset[str]
    lines: Mapping[str, tuple[int, str]]
    whole: Mapping[str, str]


class MirrorPort(Protocol):
    """What a run asks of its mirror; answers are durable, but for the size of a part of an episode.

    All raise StoreError (full disk), FormatError (bytes that are not what they should be).
    """

    def held(self) -> Held:
        """What is there."""

    def append(self, name: str, offset: int, data: bytes) -> int:
        """Whole lines that follow the first ``offset`` bytes of a file; returns its new size."""

    def replace(self, name: str, data: bytes) -> None:
        """A small file."""

    def offer(self, offer: Offer) -> int:
        """Announce an episode; returns how many of its bytes are there, or COMMITTED."""

    def put(self, offer: Offer, offset: int, data: bytes) -> int:
        """Bytes of an offered episode; returns as ``offer``: COMMITTED with the last of them."""


class Mirror:
    """See the module's text; one thread at a time.

    Args:
        root: of the copy.
        run: identity of the run, 32 hexadecimal digits.

    Raises:
        StoreError: another process writes it, or it is a copy of another run.
    """

    def __init__(self, root: Path, run: str) -> None:
        if not _RUN.fullmatch(run):
            raise FormatError("no identity of a run", got=run, allowed="32 hexadecimal digits")
        self.root = root
        self._episodes = root / "episodes"
        self._incoming = self._episodes / ".incoming"
        make_folder(self._incoming)
        make_folder(root / "ledger")
        self._counted: dict[str, tuple[int, int]] = {}  # name -> bytes, and the lines in them
        self._lock = WriterLock(root / ".mirror.lock", f"the mirror {root}")
        try:
            self.claim(run)
            for name in LINES:
                cut_tail(root / name)
        except BaseException:
            self.close()
            raise

    def claim(self, run: str) -> None:
        """Make sure that this is the copy of ``run``; raises StoreError, or FormatError."""
        file = self.root / "mirror.json"
        if not file.exists():
            write_atomic(file, to_text({"format": MIRROR_FORMAT, "run": run}))
            return
        fields = Fields(from_text(file.read_bytes(), str(file)), str(file))
        if fields.integer("format") > MIRROR_FORMAT:
            raise FormatError(
                f"{file} was written by a newer version",
                got=fields.integer("format"),
                allowed=f"format <= {MIRROR_FORMAT}",
                next_step="Upgrade roboreward_ros on the learner's host.",
            )
        if fields.text("run") != run:
            raise StoreError(
                f"the learner knows another run as '{self.root.name}'",
                got=run,
                allowed=fields.text("run"),
                next_step="Give this run an arm's name of its own, or its old run_dir back.",
            )

    def held(self) -> Held:
        lines, whole = {}, {}
        for name in LINES:
            data = _read(self.root / name)
            lines[name] = (len(data), hashlib.sha256(data).hexdigest())
        for name in WHOLE:
            data = _read(self.root / name)
            whole[name] = hashlib.sha256(data).hexdigest() if data else ""
        folders = (p for p in self._episodes.iterdir() if p.is_dir() and p.name[0] != ".")
        return Held(frozenset(p.name for p in folders), lines, whole)

    def append(self, name: str, offset: int, data: bytes) -> int:
        if name not in LINES or not data.endswith(b"\n"):
            raise FormatError(
                "no lines of a run", got=name, allowed=f"whole lines of {', '.join(LINES)}"
            )
        path = self.root / name
        try:
            with path.open("ab") as file:
                size = file.tell()
                skip = size - offset
                if not 0 <= skip <= len(data):
                    return size  # a gap, or all of it is there
                if skip and _read(path, offset) != data[:skip]:
                    raise StoreError(
                        f"the learner's {name} goes on otherwise than the run's",
                        got=f"other bytes after {offset}",
                        next_step="Somebody wrote into one of the two run folders; restore it.",
                    )
                counted, lines = self._counted.get(name, (0, 0))
                lines += _read(path, counted).count(b"\n")
                self._check_lines(name, lines, data[skip:])
                try:
                    file.write(data[skip:])
                    file.flush()
                    os.fdatasync(file.fileno())
                except OSError:
                    os.ftruncate(file.fileno(), size)
                    raise
            if size == 0:
                sync_directory(path.parent)
        except OSError as error:
            raise _unwritten(path, error) from None
        self._counted[name] = (size, lines)
        return size + len(data) - skip

    def _check_lines(self, name: str, number: int, data: bytes) -> None:
        """Refuse what a reader of the run could not read: it would stop the learner of all arms."""
        for number, line in enumerate(data.split(b"\n")[:-1], start=number):  # noqa: B020
            where = f"{self.root.name}'s {name}, line {number + 1},"
            values = decode_line(line, where, "It is sent again.")
            if number == 0:
                check_header(values, where, *LINES[name])
            elif name == MARKS:
                mark_from_json(values, where)
            else:
                record = label_from_json(values, where)
                if record.seq != number - 1 or not -1 <= record.retracts < record.seq:
                    raise FormatError(
                        f"{where} is out of order",
                        got=f"seq {record.seq}, retracts {record.retracts}",
                        allowed=f"seq {number - 1}, retracts an earlier one",
                    )

    def replace(self, name: str, data: bytes) -> None:
        if name not in WHOLE:
            raise FormatError("no file of a run", got=name, allowed=WHOLE)
        if name == PROMOTED:
            parse_promoted(data, self.root / name)
        else:
            from_text(data, name)
        try:
            write_atomic(self.root / name, data)
        except OSError as error:
            raise _unwritten(self.root / name, error) from None

    def offer(self, offer: Offer) -> int:
        target = self._episodes / offer.episode_id
        if target.exists():
            have = hashlib.sha256(_read(target / NAME)).hexdigest()
            if have != offer.header_sha256:
                raise StoreError(
                    f"the learner has another episode {offer.episode_id} of this run",
                    got=offer.header_sha256,
                    allowed=have,
                    next_step="Somebody wrote into one of the two run folders; restore a backup.",
                )
            return COMMITTED
        part = self._part(offer)
        for older in self._incoming.glob(f"{offer.episode_id}@*"):
            if older != part:
                _remove(older)
        size = part.stat().st_size if part.exists() else 0
        if size > offer.total:
            _remove(part)
            size = 0
        return self._commit(offer) if size == offer.total else size

    def put(self, offer: Offer, offset: int, data: bytes) -> int:
        size = self.offer(offer)
        skip = size - offset
        if size == COMMITTED or not 0 <= skip < len(data) or offset + len(data) > offer.total:
            return size
        part = self._part(offer)
        try:
            with part.open("ab") as file:
                file.write(data[skip:])
        except OSError as error:
            raise _unwritten(part, error) from None
        size = offset + len(data)
        return self._commit(offer) if size == offer.total else size

    def _part(self, offer: Offer) -> Path:
        return self._incoming / f"{offer.episode_id}@{offer.digest[:16]}"

    def _commit(self, offer: Offer) -> int:
        """Unpack, check, sync, and make it visible by rename."""
        part, target = self._part(offer), self._episodes / offer.episode_id
        scratch = part.with_name(f"{part.name}.new")
        _remove(scratch)
        try:
            unpack(part, offer, scratch)
            sync_tree(scratch)
            scratch.rename(target)
            sync_directory(self._episodes)
        except FormatError:
            _remove(part)  # after a power cut a part may be as long as it was and hold zeros
            _remove(scratch)
            raise
        except OSError as error:
            _remove(scratch)
            raise _unwritten(target, error) from None
        except StoreError:
            _remove(scratch)
            raise
        _remove(part)
        return COMMITTED

    def close(self) -> None:
        """Unlock; idempotent."""
        self._lock.release()


def _read(path: Path, offset: int = 0) -> bytes:
    """From a place on; nothing where there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read()
    except FileNotFoundError:
        return b""


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _unwritten(path: Path, error: OSError) -> StoreError:
    return StoreError(
        "the learner's host could not store what a robot sent",
        got=f"{path.name}: {error.strerror or error}",
        next_step="Free disk space there; the robot keeps its own and sends it again.",
    )


def arm_folders(root: Path) -> Sequence[Path]:
    """The mirrors below the learner's folder, by name."""
    arms = root / "arms"
    return sorted(p for p in arms.iterdir() if p.is_dir()) if arms.is_dir() else []
