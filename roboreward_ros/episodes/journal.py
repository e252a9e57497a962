# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The journal of the episode that is being recorded: framed, checksummed, append-only.

File: ``RRJRNL`` + uint16 format, then records of ``<IIB`` (payload length, crc32 of kind and
payload, kind) + payload. Every record reaches the kernel at once (it survives the process); the
commit syncs the episode that is made of it. Reading stops at the first record that is torn.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from roboreward_ros.errors import FormatError, StoreError

JOURNAL_FORMAT = 1
_MAGIC = b"RRJRNL"
_FILE = struct.Struct("<6sH")
_RECORD = struct.Struct("<IIB")


class Kind(IntEnum):
    """What a record holds; see ``records.py`` for the payloads."""

    META = 1
    OBSERVATION = 2
    STEP = 3
    CHUNK = 4
    TRUTH = 5
    END = 6


_KINDS = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class Record:
    kind: Kind
    payload: memoryview


class JournalWriter:
    """Appends records to a new file.

    Raises:
        StoreError: the disk is full or gone; the journal is unusable from then on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._broken = False
        self._write(_FILE.pack(_MAGIC, JOURNAL_FORMAT))

    def append(self, kind: Kind, *parts: bytes) -> None:
        check = zlib.crc32(bytes([kind]))
        length = 0
        for part in parts:
            check = zlib.crc32(part, check)
            length += len(part)
        self._write(_RECORD.pack(length, check, kind), *parts)

    def _write(self, *parts: bytes) -> None:
        if self._fd < 0 or self._broken:
            raise StoreError(f"journal {self.path} is closed or broken")
        try:
            written = os.writev(self._fd, parts)
        except OSError as error:
            self._broken = True
            raise StoreError(
                "an episode could not be recorded",
                got=f"{self.path}: {error.strerror}",
                next_step="Free disk space; the episode is dropped, committed ones are whole.",
            ) from None
        if written != sum(len(part) for part in parts):
            self._broken = True
            raise StoreError(
                "an episode could not be recorded: the disk is full",
                got=str(self.path),
                next_step="Free disk space; the episode is dropped, committed ones are whole.",
            )

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_journal(path: Path) -> Iterator[Record]:
    """The whole records of a journal, up to the first torn one.

    Raises:
        FormatError: not a journal, or of a newer format.
    """
    data = memoryview(path.read_bytes())
    if len(data) < _FILE.size:
        return
    magic, version = _FILE.unpack_from(data)
    if magic != _MAGIC:
        raise FormatError(f"{path} is not an episode journal")
    if version > JOURNAL_FORMAT:
        raise FormatError(
            f"{path} was written by a newer roboreward_ros",
            got=f"format {version}",
            allowed=f"format <= {JOURNAL_FORMAT}",
            next_step="Upgrade roboreward_ros.",
        )
    offset = _FILE.size
    while offset + _RECORD.size <= len(data):
        length, check, kind = _RECORD.unpack_from(data, offset)
        start = offset + _RECORD.size
        payload = data[start : start + length]
        if len(payload) != length or kind not in _KINDS:
            return
        if zlib.crc32(payload, zlib.crc32(bytes([kind]))) != check:
            return
        yield Record(Kind(kind), payload)
        offset = start + length
