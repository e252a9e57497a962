# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a robot's machine and a reward host say to each other, inside packets.

Kinds are those of ``wire.py``; frames are named by their sha256, so that none crosses twice::

    asker: hello                              host: welcome (what it scores, and how)
    asker: push (a frame of a running episode)      step, if its value was asked for
    asker: score (names of all frames)              missing (places) | progress..., outcome
    asker: frames (those that were missing)         stored
    asker: cancel (nobody wants an episode's score) -
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.remote.packet import Packet
from roboreward_ros.rewards.live import LiveFrame
from roboreward_ros.rewards.wire import MessageKind
from roboreward_ros.types import RewardRequest, RewardSpec, ScoreScale
from roboreward_ros.types.codec import Fields, JsonObject, JsonValue

SERVICE = "rewards"
DIALECT = 1
MISSING, FRAMES, STORED = "missing", "frames", "stored"
PIECE = 4 << 20
"""Bytes of frames that go into one packet; a single larger frame goes alone."""
MAX_FRAMES = 20_000
"""Of one episode."""
_DIGEST = 64


def name_of(jpeg: bytes) -> str:
    """The name of a frame: sha256 of its bytes."""
    return hashlib.sha256(jpeg).hexdigest()


def hello(client: str) -> Packet:
    """Who asks; the same over all connections of one source."""
    return Packet("hello", {"dialect": DIALECT, "client": client})


def read_hello(packet: Packet) -> str:
    """The asker's name; raises FormatError or ConfigError."""
    fields = Fields(packet.fields, "hello")
    if packet.kind != "hello" or fields.integer("dialect") != DIALECT:
        raise ConfigError(
            "the asker speaks another version",
            got=f"{packet.kind} {fields.integer('dialect')}",
            allowed=f"hello {DIALECT}",
            next_step="Install the same release on both machines.",
        )
    client = fields.text("client")
    if not 1 <= len(client) <= 64:
        raise ConfigError("the asker's name is impossible", got=f"{len(client)} characters")
    return client


@dataclass(frozen=True, slots=True)
class Offer:
    """What a host serves.

    Attributes:
        source: registry name there.
        scale: range of its scores.
        dense: gives a value for every step.
        follows: looks at frames while an episode runs.
    """

    source: str
    scale: ScoreScale
    dense: bool
    follows: bool

    @staticmethod
    def of(spec: RewardSpec, follows: bool) -> Offer:
        return Offer(spec.name, spec.scale, spec.dense, follows)


def welcome(offer: Offer) -> Packet:
    fields: JsonObject = {
        "dialect": DIALECT,
        "source": offer.source,
        "scale": offer.scale.value,
        "dense": offer.dense,
        "follows": offer.follows,
    }
    return Packet("welcome", fields)


def read_welcome(packet: Packet) -> Offer:
    """Inverse of :func:`welcome`; raises FormatError."""
    fields = Fields(packet.fields, "welcome")
    if packet.kind != "welcome" or fields.integer("dialect") != DIALECT:
        raise FormatError("the host speaks another version", got=packet.kind)
    return Offer(
        fields.text("source"),
        fields.enum("scale", ScoreScale),
        fields.flag("dense"),
        fields.flag("follows"),
    )


def push(frame: LiveFrame) -> Packet:
    fields: JsonObject = {
        "episode_id": frame.episode_id,
        "task": frame.task,
        "control_hz": frame.control_hz,
        "step": frame.step,
    }
    return Packet(MessageKind.PUSH.value, fields, frame.jpeg)


def read_push(packet: Packet) -> LiveFrame:
    """Inverse of :func:`push`; raises FormatError."""
    fields = Fields(packet.fields, "push")
    return LiveFrame(
        fields.text("episode_id"),
        fields.text("task"),
        fields.number("control_hz"),
        fields.integer("step"),
        packet.body,
    )


def score(request: RewardRequest, names: Sequence[str]) -> Packet:
    """A question; its frames are named only. Truth never leaves the robot's machine."""
    fields: JsonObject = {
        "episode_id": request.episode_id,
        "task": request.task,
        "frames": list[JsonValue](names),
        "stamps_ns": list[JsonValue](request.stamps_ns),
        "control_hz": request.control_hz,
        "seed": request.seed,
    }
    return Packet(MessageKind.SCORE.value, fields)


@dataclass(frozen=True, slots=True)
class Question:
    """A score that is asked for; ``frames`` are names."""

    episode_id: str
    task: str
    frames: tuple[str, ...]
    stamps_ns: tuple[int, ...]
    control_hz: float
    seed: int

    def request(self, frames: Sequence[bytes]) -> RewardRequest:
        """With the frames themselves, in the order of their names."""
        return RewardRequest(
            self.episode_id, self.task, frames, self.stamps_ns, self.control_hz, None, self.seed
        )


def read_score(packet: Packet) -> Question:
    """Inverse of :func:`score`; raises FormatError."""
    fields = Fields(packet.fields, "score")
    names = fields.texts("frames")
    stamps = fields.integers("stamps_ns")
    if not 1 <= len(names) <= MAX_FRAMES or len(stamps) != len(names):
        raise FormatError(
            "score: frames and stamps do not fit",
            got=f"{len(names)} and {len(stamps)}",
            allowed=f"equally many, 1..{MAX_FRAMES}",
        )
    if any(len(name) != _DIGEST for name in names):
        raise FormatError("score: a frame's name is no sha256")
    return Question(
        fields.text("episode_id"),
        fields.text("task"),
        names,
        stamps,
        fields.number("control_hz"),
        fields.integer("seed"),
    )


def pieces(frames: Sequence[bytes]) -> list[Packet]:
    """Frames in packets of about ``PIECE`` bytes."""
    packets: list[Packet] = []
    batch: list[bytes] = []
    size = 0
    for frame in frames:
        if batch and size + len(frame) > PIECE:
            packets.append(_frames(batch))
            batch, size = [], 0
        batch.append(frame)
        size += len(frame)
    return [*packets, _frames(batch)] if batch else packets


def _frames(batch: Sequence[bytes]) -> Packet:
    fields: JsonObject = {"lengths": [len(frame) for frame in batch]}
    return Packet(FRAMES, fields, b"".join(batch))
