# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a run and a learner on another host say to each other, as packets of ``remote``.

Everything may be asked twice: an interrupted question is asked again on the next connection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from roboreward_ros.dsrl.figures import Bulletin, Figure
from roboreward_ros.episodes.mirror import Held
from roboreward_ros.episodes.parcel import Offer
from roboreward_ros.errors import FormatError, RefusedError
from roboreward_ros.remote.link import Link
from roboreward_ros.remote.packet import Packet
from roboreward_ros.types.codec import Fields, JsonObject, JsonValue

SERVICE = "learner"
PROTOCOL = 1
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


@dataclass(frozen=True, slots=True)
class Arm:
    """Who says hello.

    Attributes:
        name: of the arm at this learner.
        run: identity of its run, 32 hexadecimal digits.
        seed: of its run; two arms with one seed would explore alike.
    """

    name: str
    run: str
    seed: int

    def hello(self) -> Packet:
        values: JsonObject = {"name": self.name, "run": self.run, "seed": self.seed}
        return Packet("arm", values | {"protocol": PROTOCOL})

    @classmethod
    def of_hello(cls, packet: Packet) -> Arm:
        """Raises FormatError for another protocol."""
        fields = Fields(packet.fields, "hello of an arm")
        if packet.kind != "arm" or fields.integer("protocol") != PROTOCOL:
            raise FormatError(
                "the robot and the learner speak different versions",
                got=f"{packet.kind} {packet.fields.get('protocol')}",
                allowed=f"arm {PROTOCOL}",
                next_step="Install the same roboreward_ros on both hosts.",
            )
        return cls(fields.text("name"), fields.text("run"), fields.integer("seed"))


@dataclass(frozen=True, slots=True)
class ActorNews:
    """An actor that the learner published.

    Attributes:
        version, sha256, policy_id, grad_steps: see ``PublishedActor``.
        size: of its file, bytes.
    """

    version: int
    sha256: str
    policy_id: str
    grad_steps: int
    size: int


@dataclass(frozen=True, slots=True)
class News:
    """What the learner tells an arm; without the actor's place, which differs between hosts.

    Attributes:
        serial: counts changes; 0 before the first.
        bulletin: its ``actor`` is None.
        actor: newest version.
        saved: episodes of the arm that the learner's checkpoint holds.
    """

    serial: int = 0
    bulletin: Bulletin = field(default_factory=Bulletin)
    actor: ActorNews | None = None
    saved: int = 0


def news_to_json(news: News) -> JsonObject:
    values: JsonObject = {
        "serial": news.serial,
        "figures": {name: _plain(value) for name, value in news.bulletin.figures.items()},
        "vitals": {name: _plain(value) for name, value in news.bulletin.vitals.items()},
        "trouble": news.bulletin.trouble,
        "warning": news.bulletin.warning,
        "saved": news.saved,
    }
    actor = news.actor
    if actor is not None:
        values["actor"] = {
            "version": actor.version,
            "sha256": actor.sha256,
            "policy_id": actor.policy_id,
            "grad_steps": actor.grad_steps,
            "size": actor.size,
        }
    return values


def news_from_json(values: JsonObject) -> News:
    """Raises FormatError."""
    fields = Fields(values, "news of the learner")
    actor: ActorNews | None = None
    if not fields.missing("actor"):
        of = fields.fields("actor")
        actor = ActorNews(
            of.integer("version"),
            of.text("sha256"),
            of.text("policy_id"),
            of.integer("grad_steps"),
            of.integer("size"),
        )
    figures = {name: _figure(name, v) for name, v in fields.object("figures").items()}
    vitals: dict[str, str | float | int] = {}
    for name, value in fields.object("vitals").items():
        read = _figure(name, value)
        vitals[name] = ", ".join(read) if isinstance(read, list) else read
    told = Bulletin(figures, vitals, None, fields.text("trouble"), fields.text("warning"))
    return News(fields.integer("serial"), told, actor, fields.integer("saved"))


def _plain(value: Figure) -> JsonValue:
    """JSON has no NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return list(value) if isinstance(value, list) else value


def _figure(name: str, value: JsonValue) -> Figure:
    if isinstance(value, dict) and str(value.get("float")) in _NOT_FINITE:
        return _NOT_FINITE[str(value["float"])]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return [str(item) for item in value]
    if isinstance(value, bool | int | float | str):
        return value
    raise FormatError(f"figure '{name}' of the learner is none", got=type(value).__name__)


def held_to_json(held: Held) -> JsonObject:
    return {
        "episodes": [*sorted(held.episodes)],
        "lines": {name: [size, sha256] for name, (size, sha256) in held.lines.items()},
        "whole": dict(held.whole),
    }


def held_from_json(values: JsonObject) -> Held:
    """Raises FormatError."""
    fields = Fields(values, "what the learner holds")
    lines: dict[str, tuple[int, str]] = {}
    for name, value in fields.object("lines").items():
        match value:
            case [int(size), str(sha256)]:
                lines[name] = (size, sha256)
            case _:
                raise FormatError("what the learner holds is not told", got=name)
    whole = fields.fields("whole")
    return Held(
        frozenset(fields.texts("episodes")),
        lines,
        {name: whole.text(name) for name in fields.object("whole")},
    )


class RemoteMirror:
    """The mirror of a run over a link (protocol ``MirrorPort``).

    Args:
        link: to the learner's host.
        deadline_s: for each question.
    """

    def __init__(self, link: Link, deadline_s: float) -> None:
        self._link = link
        self._deadline_s = deadline_s

    def held(self) -> Held:
        return held_from_json(self._ask(Packet("held")).fields)

    def append(self, name: str, offset: int, data: bytes) -> int:
        return self._size(Packet("append", {"name": name, "offset": offset}, data))

    def replace(self, name: str, data: bytes) -> None:
        self._ask(Packet("replace", {"name": name}, data))

    def offer(self, offer: Offer) -> int:
        return self._size(Packet("offer", {"offer": offer.to_json()}))

    def put(self, offer: Offer, offset: int, data: bytes) -> int:
        values: JsonObject = {"offer": offer.to_json(), "offset": offset}
        return self._size(Packet("put", values, data))

    def _size(self, packet: Packet) -> int:
        return Fields(self._ask(packet).fields, "answer of the learner").integer("size")

    def _ask(self, packet: Packet) -> Packet:
        answer = self._link.ask(packet, self._deadline_s)
        if answer.kind == "damaged":
            raise FormatError(Fields(answer.fields, "answer of the learner").text("message"))
        if answer.kind != packet.kind:
            raise RefusedError("the learner answers something else", got=answer.kind)
        return answer
