# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The bytes of one message: ``RRW1``, uint32 header length, uint32 body length, JSON, raw bytes.

Little endian. Nothing is ever unpickled, and lengths are bounded before anything is allocated.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from roboreward_ros.errors import FormatError
from roboreward_ros.types.codec import Fields, JsonObject, from_text, to_text

MAGIC = b"RRW1"
MAX_HEADER = 16 << 20
MAX_BODY = 1 << 30
_HEAD = struct.Struct("<4sII")
HEAD_SIZE = _HEAD.size


@dataclass(frozen=True, slots=True)
class Packet:
    """One message.

    Attributes:
        kind: what it is.
        fields: JSON.
        body: raw bytes.
        ticket: the question that it asks or answers; 0 for neither.
    """

    kind: str
    fields: JsonObject = field(default_factory=dict)
    body: bytes = b""
    ticket: int = 0


def front(packet: Packet) -> bytes:
    """Everything before the body; raises ConfigError for fields that JSON cannot hold."""
    values: JsonObject = {"kind": packet.kind, "fields": packet.fields}
    if packet.ticket:
        values["ticket"] = packet.ticket
    header = to_text(values).encode()
    return _HEAD.pack(MAGIC, len(header), len(packet.body)) + header


def lengths(head: bytes) -> tuple[int, int]:
    """Lengths of header and body out of the first ``HEAD_SIZE`` bytes.

    Raises:
        FormatError: another protocol, or lengths that cannot be.
    """
    magic, n_header, n_body = _HEAD.unpack(head)
    if magic != MAGIC or n_header > MAX_HEADER or n_body > MAX_BODY:
        raise FormatError("the peer does not speak the reward protocol", got=f"{head!r}")
    return n_header, n_body


def parse(header: bytes, body: bytes) -> Packet:
    """A packet of its two parts; raises FormatError."""
    values = from_text(header, "message")
    fields = Fields(values, "message")
    ticket = fields.integer("ticket") if "ticket" in fields else 0
    return Packet(fields.text("kind"), fields.object("fields"), body, ticket)


def pack(packet: Packet) -> bytes:
    """All of it in one piece."""
    return front(packet) + packet.body


def unpack(data: bytes) -> Packet:
    """Inverse of :func:`pack`; raises FormatError for anything else."""
    if len(data) < HEAD_SIZE:
        raise FormatError("a message is too short", got=f"{len(data)} bytes")
    n_header, n_body = lengths(data[:HEAD_SIZE])
    end = HEAD_SIZE + n_header
    if len(data) != end + n_body:
        raise FormatError(
            "a message and its lengths differ", got=f"{len(data)} bytes", allowed=end + n_body
        )
    return parse(data[HEAD_SIZE:end], data[end:])
