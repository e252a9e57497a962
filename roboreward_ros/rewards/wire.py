# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Length-prefixed messages between a reward host and the process that holds a model.

The bytes are those of ``remote/packet.py``: a peer of another protocol is refused at its first
byte. Another host speaks the same, inside an encrypted connection (``rewards/remote``).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from roboreward_ros.errors import FormatError
from roboreward_ros.remote.packet import HEAD_SIZE, Packet, front, lengths, parse
from roboreward_ros.rewards.live import LiveFrame
from roboreward_ros.types import GroundTruth, RewardRequest
from roboreward_ros.types.codec import Fields, JsonObject

WIRE_FORMAT = 2


class MessageKind(StrEnum):
    BUILD = "build"  # parent: name, options, format -> READY
    READY = "ready"  # child: warm and waiting
    SCORE = "score"  # parent: one request and its ticket -> PROGRESS..., OUTCOME
    PROGRESS = "progress"  # child: frames done and total of what is being scored
    OUTCOME = "outcome"  # with "live": whether frames that were pushed could be used
    CANCEL = "cancel"  # parent: a ticket whose answer nobody wants; it ends with ERROR
    BATCH = "batch"  # parent: several requests -> OUTCOMES
    OUTCOMES = "outcomes"
    PUSH = "push"  # parent: the next frame of an episode that still runs -> STEP
    STEP = "step"  # child: the value of that step, null of an episodic source
    DROP = "drop"  # parent: forget a running episode; no answer
    ERROR = "error"  # child: message; after BUILD it ends, else it goes on
    CLOSE = "close"  # parent: end now


@dataclass(frozen=True, slots=True)
class Message:
    """One message: a kind, JSON fields and raw bytes."""

    kind: MessageKind
    fields: JsonObject = field(default_factory=dict)
    body: bytes = b""


def send(sock: socket.socket, message: Message) -> None:
    """Raises OSError when the peer is gone or, with a timeout on ``sock``, does not read."""
    sock.sendall(front(Packet(message.kind.value, message.fields, message.body)))
    if message.body:
        sock.sendall(message.body)


def receive(sock: socket.socket, remaining_s: Callable[[], float] | None = None) -> Message | None:
    """The next message; None when the peer closed between two messages.

    Args:
        sock: connected stream socket.
        remaining_s: seconds left for the whole message; None waits for ever.

    Raises:
        FormatError: another protocol, impossible lengths, or an end inside a message.
        TimeoutError: no time remained.
    """
    head = _exactly(sock, HEAD_SIZE, remaining_s, may_end=True)
    if head is None:
        return None
    n_header, n_body = lengths(head)
    header = _exactly(sock, n_header, remaining_s) or b""
    body = (_exactly(sock, n_body, remaining_s) or b"") if n_body else b""
    return of_packet(parse(header, body))


def of_packet(packet: Packet) -> Message:
    """A message of the protocol; raises FormatError for a kind that it does not have."""
    kind = Fields({"kind": packet.kind}, "reward message").enum("kind", MessageKind)
    return Message(kind, packet.fields, packet.body)


def _exactly(
    sock: socket.socket,
    size: int,
    remaining_s: Callable[[], float] | None,
    may_end: bool = False,
) -> bytes | None:
    data = bytearray(size)
    view = memoryview(data)
    done = 0
    while done < size:
        if remaining_s is not None:
            left = remaining_s()
            if left <= 0:
                raise TimeoutError
            sock.settimeout(left)
        count = sock.recv_into(view[done:])
        if count == 0:
            if may_end and done == 0:
                return None
            raise FormatError("the peer ended inside a message", got=f"{done} of {size} bytes")
        done += count
    return bytes(data)


def encode_request(request: RewardRequest) -> Message:
    fields: JsonObject = {
        "episode_id": request.episode_id,
        "task": request.task,
        "lengths": [len(frame) for frame in request.frames],
        "stamps_ns": list(request.stamps_ns),
        "control_hz": request.control_hz,
        "seed": request.seed,
        "truth": None,
    }
    if request.truth is not None:
        fields["truth"] = [
            {"progress": t.progress, "success": t.success, "score": t.score, "stage": t.stage}
            for t in request.truth
        ]
    return Message(MessageKind.SCORE, fields, b"".join(request.frames))


def decode_request(message: Message) -> RewardRequest:
    """Inverse of :func:`encode_request`; raises FormatError."""
    return _request(Fields(message.fields, "reward request"), message.body)


def _request(fields: Fields, body: bytes) -> RewardRequest:
    return RewardRequest(
        episode_id=fields.text("episode_id"),
        task=fields.text("task"),
        frames=_cut(body, fields.integers("lengths"), "frames"),
        stamps_ns=fields.integers("stamps_ns"),
        control_hz=fields.number("control_hz"),
        truth=_truth(fields),
        seed=fields.integer("seed"),
    )


def _cut(body: bytes, lengths: Sequence[int], what: str) -> list[bytes]:
    if any(n < 0 for n in lengths) or sum(lengths) != len(body):
        raise FormatError(
            f"reward request: {what} and lengths differ", got=len(body), allowed=sum(lengths)
        )
    pieces = []
    start = 0
    for length in lengths:
        pieces.append(body[start : start + length])
        start += length
    return pieces


def encode_batch(requests: Sequence[RewardRequest]) -> Message:
    parts = [encode_request(request) for request in requests]
    fields: JsonObject = {
        "sizes": [len(part.body) for part in parts],
        "requests": [part.fields for part in parts],
    }
    return Message(MessageKind.BATCH, fields, b"".join(part.body for part in parts))


def decode_batch(message: Message) -> list[RewardRequest]:
    """Inverse of :func:`encode_batch`; raises FormatError."""
    fields = Fields(message.fields, "reward batch")
    requests = fields.objects("requests")
    bodies = _cut(message.body, fields.integers("sizes"), "requests")
    if len(bodies) != len(requests):
        raise FormatError("reward batch: requests and sizes differ", got=len(bodies))
    return [_request(item, body) for item, body in zip(requests, bodies, strict=True)]


def encode_frame(frame: LiveFrame) -> Message:
    fields: JsonObject = {
        "episode_id": frame.episode_id,
        "task": frame.task,
        "control_hz": frame.control_hz,
        "step": frame.step,
    }
    return Message(MessageKind.PUSH, fields, frame.jpeg)


def decode_frame(message: Message) -> LiveFrame:
    """Inverse of :func:`encode_frame`; raises FormatError."""
    fields = Fields(message.fields, "reward frame")
    return LiveFrame(
        fields.text("episode_id"),
        fields.text("task"),
        fields.number("control_hz"),
        fields.integer("step"),
        message.body,
    )


def _truth(fields: Fields) -> Sequence[GroundTruth] | None:
    if fields.missing("truth"):
        return None
    return [
        GroundTruth(
            progress=item.number("progress"),
            success=item.flag("success"),
            score=item.integer("score"),
            stage=item.text("stage"),
        )
        for item in fields.objects("truth")
    ]
