# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reward source served to other hosts: any registered one but those that read the truth."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import OrderedDict

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError, FormatError, LinkError
from roboreward_ros.remote.door import Peer
from roboreward_ros.remote.packet import Packet
from roboreward_ros.rewards.config import Options
from roboreward_ros.rewards.host import RewardHost
from roboreward_ros.rewards.live import LiveFrame
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.remote import dialect
from roboreward_ros.rewards.remote.desk import Listener, ScoreDesk
from roboreward_ros.rewards.remote.shelf import FrameShelf
from roboreward_ros.rewards.wire import MessageKind
from roboreward_ros.types import RewardOutcome
from roboreward_ros.types.codec import Fields, JsonObject, JsonValue, outcome_to_json, to_text

SHELF = 512 << 20
_FOLLOWED = 64


class RewardService:
    """Scores for several askers with one model (protocol ``remote.door.Service``).

    Args:
        name: the source's registry name.
        options: over its configuration file.
        deadline_s: of one score; None takes the source's.
        start_s: of loading and warming it.
        shelf: bytes of frames that are kept.
        clock: measures latencies.

    Raises:
        ConfigError: unknown, or a source that reads the twin's truth.
        RewardSourceError: it could not be warmed up.
    """

    name = dialect.SERVICE

    def __init__(
        self,
        name: str,
        options: Options | None = None,
        deadline_s: float | None = None,
        start_s: float = 600.0,
        shelf: int = SHELF,
        clock: Clock | None = None,
    ) -> None:
        source = build(name, options)
        source.close()
        if source.spec.needs_truth:
            raise ConfigError(
                f"source '{name}' reads the twin's truth, which stays on its machine",
                next_step="Serve a source that looks at frames.",
            )
        self.shelf = FrameShelf(shelf)
        self._lock = threading.Lock()
        self._followed: OrderedDict[str, str] = OrderedDict()  # episode -> whose it is
        self._waiting: dict[str, tuple[int, Peer, int]] = {}  # episode -> step, who, ticket
        self.host = RewardHost(
            name, options, deadline_s, start_s, on_looked=self._looked, clock=clock
        )
        self.desk = ScoreDesk(self.host, clock)
        self.offer = dialect.Offer.of(self.host.active, self.host.follows)

    def join(self, peer: Peer, hello: Packet) -> RewardSession:
        return RewardSession(self, peer, dialect.read_hello(hello))

    def follow(self, client: str, peer: Peer, frame: LiveFrame, ticket: int) -> bool:
        """Show the source a frame of a running episode; False: it has nothing to say of it.

        Two arms may count their episodes alike: the one that began last is followed.
        """
        if not self.host.follows:
            return False
        name = frame.episode_id
        with self._lock:
            if frame.step == 0:
                self._followed[name] = client
                while len(self._followed) > _FOLLOWED:
                    self._followed.popitem(last=False)
            if self._followed.get(name) != client:
                return False
            if ticket:
                self._waiting[name] = (frame.step, peer, ticket)
        if self.host.push(frame):
            return True
        with self._lock:
            self._waiting.pop(name, None)
        return False

    def forget(self, episode_id: str) -> None:
        """An episode is over."""
        with self._lock:
            self._followed.pop(episode_id, None)
            self._waiting.pop(episode_id, None)

    def _looked(self, frame: LiveFrame, value: float | None) -> None:
        with self._lock:
            step, peer, ticket = self._waiting.get(frame.episode_id, (-1, None, 0))
            if step != frame.step or peer is None:
                return
            del self._waiting[frame.episode_id]
        tell(peer, Packet(MessageKind.STEP.value, {"value": value}, ticket=ticket))

    def close(self) -> None:
        """End all work and the source; idempotent."""
        self.desk.close()
        self.host.close()


class RewardSession:
    """One connection (protocol ``remote.door.Session``)."""

    def __init__(self, service: RewardService, peer: Peer, client: str) -> None:
        self._service = service
        self._peer = peer
        self._client = client

    def welcome(self) -> Packet:
        return dialect.welcome(self._service.offer)

    def take(self, packet: Packet) -> Packet | None:
        match packet.kind:
            case MessageKind.PUSH:
                return self._push(packet)
            case dialect.FRAMES:
                return self._keep(packet)
            case MessageKind.SCORE:
                return self._score(packet)
            case MessageKind.CANCEL:
                episode_id = Fields(packet.fields, "cancel").text("episode_id")
                self._service.desk.cancel(self._client, episode_id)
                return None
        raise FormatError("an asker does not say this", got=packet.kind)

    def _push(self, packet: Packet) -> Packet | None:
        frame = dialect.read_push(packet)
        self._service.shelf.put(frame.jpeg)
        if self._service.follow(self._client, self._peer, frame, packet.ticket):
            return None
        return Packet(MessageKind.STEP.value, {"value": None})

    def _keep(self, packet: Packet) -> Packet:
        lengths = Fields(packet.fields, "frames").integers("lengths")
        if any(n < 0 for n in lengths) or sum(lengths) != len(packet.body):
            raise FormatError("frames and lengths differ", got=len(packet.body))
        start = 0
        for length in lengths:
            self._service.shelf.put(packet.body[start : start + length])
            start += length
        return Packet(dialect.STORED, {"count": len(lengths)})

    def _score(self, packet: Packet) -> Packet | None:
        question = dialect.read_score(packet)
        key = hashlib.sha256(to_text(packet.fields).encode()).hexdigest()
        peer, ticket = self._peer, packet.ticket

        def told(outcome: RewardOutcome) -> None:
            tell(peer, Packet(MessageKind.OUTCOME.value, outcome_to_json(outcome), ticket=ticket))

        def heard(done: int, total: int) -> None:
            fields: JsonObject = {"done": done, "total": total}
            tell(peer, Packet(MessageKind.PROGRESS.value, fields, ticket=ticket))

        listener = Listener(self._client, told, heard)
        if self._service.desk.known(key, listener):
            return None
        found = self._service.shelf.take(question.frames)
        frames = [item for item in found if isinstance(item, bytes)]
        if len(frames) < len(question.frames):
            places = [item for item in found if isinstance(item, int)]
            return Packet(dialect.MISSING, {"places": list[JsonValue](places)})
        self._service.forget(question.episode_id)
        self._service.desk.ask(key, question.request(frames), listener)
        return None

    def close(self) -> None:
        """What is being scored for this asker goes on: it may come back for it."""


def tell(peer: Peer, packet: Packet) -> None:
    """Send to a peer that may be gone."""
    with contextlib.suppress(LinkError):
        peer.send(packet)
