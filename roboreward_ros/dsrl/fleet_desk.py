# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where arms and the learner meet on the learner's host: mirrors in, bulletins and actors out.

``arms/<name>/``   the mirror of each arm's run, and the learner's own notes on it
Connections come in threads of their own; the learner is in another.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from roboreward_ros.dsrl.actor_files import actor_path
from roboreward_ros.dsrl.figures import Bulletin
from roboreward_ros.dsrl.fleet_wire import (
    PROTOCOL,
    SERVICE,
    ActorNews,
    Arm,
    News,
    held_to_json,
    news_to_json,
)
from roboreward_ros.episodes.mirror import COMMITTED, Mirror, arm_folders
from roboreward_ros.episodes.parcel import Offer
from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.files import write_atomic
from roboreward_ros.remote.door import Peer
from roboreward_ros.remote.packet import Packet
from roboreward_ros.types.codec import Fields, from_text

_LOG = logging.getLogger(__name__)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
ACTOR_PIECE = 1 << 18
"""Of an actor in one answer, bytes: what a bad wire carries within a question's deadline."""
LONGEST_WAIT_S = 2.0


class FleetDesk:
    """See the module's text; thread-safe.

    Args:
        root: the learner's folder.
        wake: called when something came that may be learnt from.
        require_room: raises StoreError while episodes are not taken in.
    """

    def __init__(
        self,
        root: Path,
        wake: Callable[[], None],
        require_room: Callable[[], None] = lambda: None,
    ) -> None:
        self.require_room = require_room
        self.root = root
        self._wake = wake
        self._changed = threading.Condition()
        self._admitting = threading.Lock()
        self._mirrors: dict[str, tuple[Mirror, threading.Lock]] = {}
        self._news: dict[str, News] = {}
        self._wanted: set[str] = set()
        self._saved: dict[str, tuple[str, ...]] = {}

    def arms(self) -> dict[str, Path]:
        """Mirrors that lie there: name -> folder."""
        return {path.name: path for path in arm_folders(self.root)}

    def admit(self, arm: Arm) -> tuple[Mirror, threading.Lock]:
        """The mirror of an arm, made at its first hello.

        Raises:
            ConfigError: no name of an arm, or a seed that another arm has.
            StoreError: the name belongs to another run, or the run to another name.
        """
        if not _NAME.fullmatch(arm.name):
            raise ConfigError(
                "an arm's name becomes a folder's name",
                got=arm.name,
                allowed="small letters, digits, _ and -",
                next_step="Give learner_node another arm, or the launch another namespace:=.",
            )
        with self._admitting:  # files are read and written: nobody who only listens waits for that
            self._refuse_double(arm)
            if arm.name not in self._mirrors:
                folder = self.root / "arms" / arm.name
                self._mirrors[arm.name] = (Mirror(folder, arm.run), threading.Lock())
                write_atomic(folder / "arm.json", json.dumps({"run": arm.run, "seed": arm.seed}))
                self._wake()
            mirror, lock = self._mirrors[arm.name]
            mirror.claim(arm.run)
            return mirror, lock

    def _refuse_double(self, arm: Arm) -> None:
        for name, folder in self.arms().items():
            file = folder / "arm.json"
            if name == arm.name or not file.exists():
                continue
            other = Fields(from_text(file.read_bytes(), str(file)), str(file))
            if other.text("run") == arm.run:
                raise StoreError(
                    f"the learner knows this run as '{name}'",
                    got=arm.name,
                    allowed=name,
                    next_step="Keep the arm's name, or start a new run_dir.",
                )
            if other.integer("seed") == arm.seed:
                raise ConfigError(
                    f"{arm.name} would explore exactly as {name} does",
                    got=f"seed {arm.seed}",
                    allowed="a seed of its own for each arm",
                    next_step="Launch one of them into a new run_dir with another seed:=.",
                )

    def post(self, arm: str, bulletin: Bulletin, saved: Sequence[str] = ()) -> None:
        """What the learner tells an arm from now on.

        Args:
            arm: its name.
            bulletin: its actor lies in the learner's folder.
            saved: ids of the arm's episodes that the checkpoint holds.
        """
        actor = bulletin.actor
        news: ActorNews | None = None
        if actor is not None:
            size = actor.path.stat().st_size
            news = ActorNews(actor.version, actor.sha256, actor.policy_id, actor.grad_steps, size)
        plain = Bulletin(
            bulletin.figures, bulletin.vitals, None, bulletin.trouble, bulletin.warning
        )
        with self._changed:
            before = self._news.get(arm, News())
            after = News(before.serial, plain, news, len(saved))
            if after != before:
                self._saved[arm] = tuple(saved)
                self._news[arm] = dataclasses.replace(after, serial=before.serial + 1)
                self._changed.notify_all()

    def news(self, arm: str, serial: int, wait_s: float) -> News:
        """The newest, or after ``wait_s`` the same again."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._news.get(arm, News()).serial != serial,
                min(max(wait_s, 0.0), LONGEST_WAIT_S),
            )
            return self._news.get(arm, News())

    def saved(self, arm: str) -> tuple[str, ...]:
        """Episodes of an arm that the learner's checkpoint holds."""
        with self._changed:
            return self._saved.get(arm, ())

    def actor(self, version: int, offset: int) -> bytes:
        """A piece of an actor's file; raises StoreError where it is gone."""
        try:
            with actor_path(self.root, version).open("rb") as file:
                file.seek(max(offset, 0))
                return file.read(ACTOR_PIECE)
        except OSError:
            raise StoreError("the learner no longer has this actor", got=version) from None

    def ask_for(self, what: str) -> None:
        """``save`` or ``release``: the learner finds it in ``wanted``."""
        with self._changed:
            self._wanted.add(what)
        self._wake()

    def wanted(self) -> set[str]:
        """What was asked for since this was called last."""
        with self._changed:
            wanted, self._wanted = self._wanted, set()
            return wanted

    def arrived(self) -> None:
        """Something may be learnt from."""
        self._wake()

    def close(self) -> None:
        """Unlock the mirrors."""
        with self._admitting:
            for mirror, _ in self._mirrors.values():
                mirror.close()
            self._mirrors.clear()


class ArmSession:
    """One connection of an arm (protocol ``remote.door.Session``)."""

    def __init__(self, desk: FleetDesk, arm: Arm) -> None:
        self._desk = desk
        self._arm = arm
        self._mirror, self._lock = desk.admit(arm)

    def welcome(self) -> Packet:
        return Packet("welcome", {"protocol": PROTOCOL})

    def take(self, packet: Packet) -> Packet | None:
        fields = Fields(packet.fields, f"'{packet.kind}' of {self._arm.name}")
        match packet.kind:
            case "news":
                wait_s = fields.number("wait_s")
                news = self._desk.news(self._arm.name, fields.integer("serial"), wait_s)
                return Packet("news", news_to_json(news))
            case "saved":
                return Packet("saved", {"episodes": [*self._desk.saved(self._arm.name)]})
            case "actor":
                version, offset = fields.integer("version"), fields.integer("offset")
                return Packet("actor", {}, self._desk.actor(version, offset))
            case "save" | "release":
                self._desk.ask_for(packet.kind)
                return Packet(packet.kind)
        try:
            with self._lock:
                return self._store(packet, fields)
        except FormatError as error:
            return Packet("damaged", {"message": str(error)})

    def _store(self, packet: Packet, fields: Fields) -> Packet:
        mirror = self._mirror
        match packet.kind:
            case "held":
                return Packet("held", held_to_json(mirror.held()))
            case "append":
                size = mirror.append(fields.text("name"), fields.integer("offset"), packet.body)
            case "replace":
                mirror.replace(fields.text("name"), packet.body)
                size = len(packet.body)
            case "offer":
                size = mirror.offer(Offer.from_json(fields.fields("offer")))
            case "put":
                self._desk.require_room()
                offer = Offer.from_json(fields.fields("offer"))
                size = mirror.put(offer, fields.integer("offset"), packet.body)
            case _:
                raise FormatError("the learner does not know this question", got=packet.kind)
        if size == COMMITTED or packet.kind in ("append", "replace"):
            self._desk.arrived()
        return Packet(packet.kind, {"size": size})

    def close(self) -> None:
        """The mirror stays open for the arm's next connection."""


class FleetService:
    """Lets arms in (protocol ``remote.door.Service``)."""

    name = SERVICE

    def __init__(self, desk: FleetDesk) -> None:
        self._desk = desk

    def join(self, peer: Peer, hello: Packet) -> ArmSession:
        arm = Arm.of_hello(hello)
        session = ArmSession(self._desk, arm)
        _LOG.info("%s: arm '%s', run %s", peer.name, arm.name, arm.run[:8])
        return session
