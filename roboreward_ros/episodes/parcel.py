# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A committed episode as one run of bytes, so that its way to another host can stop anywhere.

The bytes are those of its files in the order of :class:`Offer`; ``meta.json`` holds the sha256 of
every other one, and the offer that of ``meta.json``. Nothing is trusted on arrival: names are
confined, and an episode is unpacked only if every sum fits.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from roboreward_ros.episodes.header import NAME, read_header
from roboreward_ros.errors import FormatError, StoreError
from roboreward_ros.types.codec import Fields, JsonObject, to_text

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
MOST_FILES = 1000
MOST_BYTES = 4 << 30
_COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Offer:
    """What is about to be sent of one episode.

    Attributes:
        episode_id: its name.
        header_sha256: of ``meta.json``.
        files: path below the episode -> bytes, in the order in which they are sent.

    Raises:
        FormatError: a path that leads out of the episode, no sha256, or more than an episode can
            be.
    """

    episode_id: str
    header_sha256: str
    files: Mapping[str, int]

    def __post_init__(self) -> None:
        names = [self.episode_id, *self.files]
        bad = [n for n in names if not all(_PART.fullmatch(part) for part in n.split("/"))]
        if bad or "/" in self.episode_id or NAME not in self.files:
            raise FormatError(
                f"the offer of an episode names files that it cannot have, or lacks {NAME}",
                got=(bad or [self.episode_id])[0],
                allowed="plain names below the episode",
            )
        if not _SHA256.fullmatch(self.header_sha256):
            raise FormatError(
                f"the offer of {self.episode_id} does not name its header",
                got=repr(self.header_sha256),
                allowed="a sha256 of 64 hexadecimal digits",
            )
        if len(self.files) > MOST_FILES or not 0 <= self.total <= MOST_BYTES or self.negative:
            raise FormatError(
                f"the offer of {self.episode_id} is no episode",
                got=f"{len(self.files)} files, {self.total} bytes",
                allowed=f"at most {MOST_FILES} files and {MOST_BYTES} bytes",
            )

    @property
    def negative(self) -> bool:
        """Whether a size is below 0."""
        return any(size < 0 for size in self.files.values())

    @property
    def total(self) -> int:
        """Bytes in all."""
        return sum(self.files.values())

    @property
    def digest(self) -> str:
        """Names this very offer: bytes of another one do not continue it."""
        return hashlib.sha256(to_text(self.to_json()).encode()).hexdigest()

    def to_json(self) -> JsonObject:
        return {
            "episode_id": self.episode_id,
            "header_sha256": self.header_sha256,
            "files": dict(self.files),
        }

    @classmethod
    def from_json(cls, fields: Fields) -> Offer:
        files = fields.fields("files")
        return cls(
            fields.text("episode_id"),
            fields.text("header_sha256"),
            {name: files.integer(name) for name in fields.object("files")},
        )


class Parcel:
    """A committed episode, to be read piece by piece.

    Args:
        folder: ``episodes/<id>``.

    Raises:
        FormatError: its header is damaged, or a file is gone.
    """

    def __init__(self, folder: Path) -> None:
        header = read_header(folder)
        self._folder = folder
        try:
            sizes = {name: (folder / name).stat().st_size for name in (NAME, *sorted(header.files))}
            sha256 = hashlib.sha256((folder / NAME).read_bytes()).hexdigest()
        except OSError as error:
            raise _gone(folder, error) from None
        self.offer = Offer(folder.name, sha256, sizes)

    def read(self, offset: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``offset`` on; fewer at the end.

        Raises:
            FormatError: a file went away or changed its size.
        """
        data, start = bytearray(), 0
        for name, size in self.offer.files.items():
            begin, end = max(offset, start), min(offset + count, start + size)
            if begin < end:
                data += self._read_file(name, begin - start, end - begin)
            start += size
        return bytes(data)

    def _read_file(self, name: str, offset: int, count: int) -> bytes:
        try:
            with (self._folder / name).open("rb") as file:
                file.seek(offset)
                data = file.read(count)
        except OSError as error:
            raise _gone(self._folder, error) from None
        if len(data) != count:
            raise _gone(self._folder, OSError(f"{name} became shorter"))
        return data


def _gone(folder: Path, error: OSError) -> FormatError:
    return FormatError(
        f"episode {folder.name} cannot be sent: a file of it cannot be read",
        got=error.strerror or str(error),
        next_step="Run `roboreward episodes verify` on the run.",
    )


def unpack(part: Path, offer: Offer, target: Path) -> None:
    """Write the files of a whole parcel below ``target`` and check every sum.

    Args:
        part: the bytes.
        offer: what they are said to be.
        target: a folder that does not exist yet.

    Raises:
        FormatError: they are something else.
        StoreError: no space or no right to write.
    """
    sums: dict[str, str] = {}
    try:
        with part.open("rb") as file:
            for name, size in offer.files.items():
                path = target / name
                path.parent.mkdir(parents=True, exist_ok=True)
                sums[name] = _copy(file, size, path)
    except OSError as error:
        raise StoreError(
            f"episode {offer.episode_id} cannot be unpacked",
            got=error.strerror,
            next_step="Free disk space on the learner's host; the robot sends it again.",
        ) from None
    wrong = [NAME]
    if sums.pop(NAME) == offer.header_sha256:
        header = read_header(target)
        known = header.files
        wrong = sorted(n for n in sums.keys() | known.keys() if sums.get(n) != known.get(n))
        if header.summary.meta.episode_id != offer.episode_id:
            wrong.append(f"the name {header.summary.meta.episode_id}")
    if wrong:
        raise FormatError(
            f"episode {offer.episode_id} arrived damaged",
            got=", ".join(wrong[:3]),
            next_step="It is sent again.",
        )


def _copy(source: IO[bytes], size: int, path: Path) -> str:
    """The next ``size`` bytes into a file; their sha256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        while size and (data := source.read(min(size, _COPY_BYTES))):
            file.write(data)
            digest.update(data)
            size -= len(data)
    return digest.hexdigest()
