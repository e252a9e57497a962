# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Journals of episodes that were being recorded, in hostile forms."""

import functools
import struct
import tempfile
import zlib
from pathlib import Path

from fuzz_edits import Target, edited
from fuzz_stores import of_run
from hypothesis import strategies as st

from roboreward_ros.episodes.journal import Kind, read_journal
from roboreward_ros.episodes.layout import Recording

NAMES = ("journal: bytes", "journal: records")
END = b'{"end_cause":"time","gap":false,"taint":["takeover"]}'


def read_recording(data: bytes, folder: Path) -> object:
    path = folder / "journal"
    path.write_bytes(data)
    return Recording.of(read_journal(path)).summary()


@functools.cache
def journal() -> bytes:
    """Of an episode whose end is recorded: what is on the disk just before it is committed."""
    return of_run("episodes/.journal/ep_000001/journal") + framed(Kind.END, END)


@functools.cache
def records() -> list[tuple[int, bytes]]:
    path = Path(tempfile.mkdtemp(prefix="fuzz-journal-")) / "journal"
    path.write_bytes(journal())
    return [(int(record.kind), bytes(record.payload)) for record in read_journal(path)]


def framed(kind: int, payload: bytes) -> bytes:
    crc = zlib.crc32(payload, zlib.crc32(bytes([kind])))
    return struct.pack("<IIB", len(payload), crc, kind) + payload


@st.composite
def forged_journals(draw: st.DrawFn) -> bytes:
    """A journal some of whose records say anything, with checksums that fit."""
    forged = list(records())
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(forged)))
        kind, payload = draw(st.sampled_from(records()))
        if draw(st.booleans()):
            kind = int(draw(st.sampled_from(list(Kind))))
        width = draw(st.integers(0, 2))
        forged[place : place + width] = [(kind, draw(edited(payload)))]
    return struct.pack("<6sH", b"RRJRNL", 1) + b"".join(framed(*record) for record in forged)


def targets() -> list[Target]:
    return [
        Target(NAMES[0], edited(journal()), read_recording),
        Target(NAMES[1], forged_journals(), read_recording),
    ]
