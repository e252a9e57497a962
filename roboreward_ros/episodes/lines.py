# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Append-only files of checksummed JSON lines.

Each line is ``{"crc32":"1a2b3c4d","record":{...}}``, the sum taken over the record's own bytes; the
first line's record is the header ``{"file": kind, "format": n}``. A line exists once its newline
does, so a reader never sees half a record, and a crash can only leave a tail without a newline
(or with zeros after a power cut), which the next writer cuts off and keeps beside the file.
"""

from __future__ import annotations

import contextlib
import logging
import os
import zlib
from pathlib import Path

from roboreward_ros.clock import Clock
from roboreward_ros.episodes.codec import Fields, JsonObject, from_text, to_text
from roboreward_ros.episodes.locks import WriterLock, cannot_write, sync_directory
from roboreward_ros.errors import FormatError, LockedError, StoreError

_LOG = logging.getLogger(__name__)
_PREFIX = b'{"crc32":"'
_MIDDLE = b'","record":'
_BODY = len(_PREFIX) + 8 + len(_MIDDLE)
_TRIES, _PAUSE_S = 100, 0.02


def encode_line(record: JsonObject) -> bytes:
    body = to_text(record).encode()
    return b"%s%08x%s%s}\n" % (_PREFIX, zlib.crc32(body), _MIDDLE, body)


def decode_line(line: bytes, where: str, remedy: str) -> JsonObject:
    """The record of one line (without its newline); raises FormatError with ``remedy``."""
    body = line[_BODY:-1]
    if line != b"%s%08x%s%s}" % (_PREFIX, zlib.crc32(body), _MIDDLE, body):
        raise FormatError(
            f"{where} is damaged: its checksum does not fit", got=f"{line[:60]!r}", next_step=remedy
        )
    return from_text(body, where)


class LineReader:
    """Follows one file; ``poll`` returns what was added since the last call.

    Args:
        path: the file; it may appear later.
        kind: what the header must say.
        newest: highest readable format.

    Attributes:
        format: the file's format; 0 until its header was read.
    """

    def __init__(self, path: Path, kind: str, newest: int) -> None:
        self.path = path
        self.format = 0
        self._kind = kind
        self._newest = newest
        self._offset = 0
        self._line = 0

    @property
    def offset(self) -> int:
        """Bytes of whole lines read so far."""
        return self._offset

    def poll(self) -> list[JsonObject]:
        """New records in order.

        Raises:
            FormatError: damaged line (named by number), foreign or newer file, or a file that
                became shorter.
            StoreError: no right to read it.
        """
        try:
            size = self.path.stat().st_size
            data = b""
            if size > self._offset:
                with self.path.open("rb") as file:
                    file.seek(self._offset)
                    data = file.read()
        except FileNotFoundError:
            size, data = 0, b""
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be read",
                got=error.strerror,
                next_step="Check the file's owner and mode.",
            ) from None
        if size < self._offset:
            raise FormatError(
                f"{self.path} became shorter while it was being read",
                got=f"{size} bytes",
                allowed=f"at least {self._offset}",
                next_step="Something else than roboreward_ros changed it; restore a backup.",
            )
        records = []
        *lines, _tail = data.split(b"\n")
        for line in lines:
            where = f"{self.path} line {self._line + 1}"
            remedy = (
                f"Restore it from a backup, or keep a copy and cut it off before that line "
                f"(head -n {self._line}); what followed can be labelled again by "
                "`roboreward rescore`."
            )
            record = decode_line(line, where, remedy)
            if self._line == 0:
                self.format = check_header(record, where, self._kind, self._newest)
            else:
                records.append(record)
            self._line += 1
            self._offset += len(line) + 1
        return records


def check_header(header: JsonObject, where: str, kind: str, newest: int) -> int:
    """The format that a file's first line names.

    Raises:
        FormatError: another kind of file, or a newer format.
    """
    fields = Fields(header, where)
    if fields.text("file") != kind:
        raise FormatError(
            f"{where} is of another kind of file", got=fields.text("file"), allowed=kind
        )
    version = fields.integer("format")
    if version > newest:
        raise FormatError(
            f"{where} was written by a newer roboreward_ros",
            got=f"format {version}",
            allowed=f"format <= {newest}",
            next_step="Upgrade roboreward_ros to read it.",
        )
    return version


def cut_tail(path: Path) -> int:
    """Cut off what a crash left of an unfinished line; returns its length (0: none).

    For the one writer of ``path`` only; what was cut is kept beside the file.
    """
    if not path.exists():
        return 0
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    # A power cut can leave the file's length without all of its last bytes: zeros in them.
    while end and b"\0" in data[data.rfind(b"\n", 0, end - 1) + 1 : end]:
        end = data.rfind(b"\n", 0, end - 1) + 1
    torn = data[end:]
    if torn:
        aside = path.with_name(f"{path.name}.torn-{end}")
        aside.write_bytes(torn)
        os.truncate(path, end)
        _LOG.warning(
            "%s ended in an unfinished line of %d bytes (a crash); cut, kept as %s",
            path,
            len(torn),
            aside.name,
        )
    return len(torn)


class LineWriter:
    """The one writer of a file of lines; cuts a torn tail when it opens.

    Attributes:
        reader: has read the whole file; its records are in ``initial``.
        initial: records that were there at the start.
        cut_bytes: length of the torn tail that was cut (0: none).
    """

    def __init__(self, path: Path, kind: str, file_format: int) -> None:
        self.path = path
        self._lock = WriterLock(path.with_name(f".{path.name}.lock"), str(path))
        self._fd = -1
        try:
            self.cut_bytes = cut_tail(path)
            self.reader = LineReader(path, kind, file_format)
            self.initial = self.reader.poll()
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            if self.reader.offset == 0:
                self.append({"file": kind, "format": file_format})
                sync_directory(path.parent)
        except OSError as error:
            self.close()
            raise cannot_write(str(path), path, error) from None
        except BaseException:
            self.close()
            raise

    def append(self, record: JsonObject) -> None:
        """Write and sync one line; on failure the file ends where it ended before.

        Raises:
            StoreError: disk full or gone, or the writer is closed.
        """
        if self._fd < 0:
            raise StoreError(f"{self.path} is closed", next_step="Open it for writing again.")
        line = encode_line(record)
        start = os.fstat(self._fd).st_size
        try:
            written = os.write(self._fd, line)
            if written != len(line):
                raise OSError(28, f"only {written} of {len(line)} bytes fitted")
            os.fdatasync(self._fd)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, start)
            raise StoreError(
                f"{self.path} could not be written",
                got=str(error),
                next_step="Free disk space; the record was not stored.",
            ) from None

    def close(self) -> None:
        """Close and unlock; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._lock.release()


def append_record(
    path: Path, kind: str, file_format: int, record: JsonObject, clock: Clock
) -> None:
    """Write and sync one line of a file that every process locks for the length of one append.

    Raises:
        LockedError: another process kept the file locked for two seconds.
        StoreError: the disk is full or the folder cannot be written; at once.
    """
    writer = _patiently(path, kind, file_format, clock)
    try:
        writer.append(record)
    finally:
        writer.close()


def _patiently(path: Path, kind: str, file_format: int, clock: Clock) -> LineWriter:
    for _ in range(_TRIES):
        try:
            return LineWriter(path, kind, file_format)
        except LockedError:
            clock.sleep(_PAUSE_S)
    return LineWriter(path, kind, file_format)
