# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reward source whose model runs on another host (``roboreward serve rewards``)."""

from __future__ import annotations

import dataclasses
import logging
import uuid
from collections.abc import Sequence

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import ConfigError, FormatError, LinkError, RewardSourceError
from roboreward_ros.remote.link import Link
from roboreward_ros.remote.packet import Packet
from roboreward_ros.rewards.live import LiveFrame
from roboreward_ros.rewards.progress import ScoreCancelledError, report
from roboreward_ros.rewards.remote import dialect
from roboreward_ros.rewards.remote.config import RemoteConfig
from roboreward_ros.rewards.wire import MessageKind
from roboreward_ros.types import RewardOutcome, RewardRequest, RewardSpec
from roboreward_ros.types.codec import Fields, outcome_from_json

_LOG = logging.getLogger(__name__)
_GRACE_S = 5.0
"""The process around it is killed this much after the source itself should have given up."""
_ROUNDS = 4
_PAUSE_S = 2.0


class RemoteSource:
    """Scores on another host (protocol ``LiveSource``).

    A cut costs time and nothing else: what the host has is not sent again, and a score that it
    finished meanwhile is fetched. Without an answer the episode stays unlabelled and is asked
    about again. Runs in a process of its own, so that a hanging network holds nobody up.
    """

    config_class = RemoteConfig

    def __init__(self, config: RemoteConfig | None = None, clock: Clock | None = None) -> None:
        self._config = config or RemoteConfig()
        self._spec = RewardSpec(
            "remote",
            self._config.scale,
            dense=self._config.dense,
            needs_child_process=True,
            timeout_s=self._config.timeout_s + _GRACE_S,
        )
        self._clock = clock or SystemClock()
        self._link: Link | None = None
        self._offer: dialect.Offer | None = None
        self._tried_ns = 0

    @property
    def spec(self) -> RewardSpec:
        return self._spec

    @property
    def link(self) -> Link:
        """The connection; raises RewardSourceError before ``warm_up``."""
        if self._link is None:
            raise RewardSourceError("reward source 'remote' is not warm", next_step="Call warm_up.")
        return self._link

    def warm_up(self) -> None:
        """Connect, and check that the host serves what is expected.

        Raises:
            RewardSourceError: with the remedy.
        """
        if self._link is not None:
            return
        if not self._config.url:
            raise RewardSourceError(
                "no reward host is configured: 'url' is empty",
                next_step='Give reward_options:=\'{"url": "wss://HOST:8650", ...}\'; see '
                "docs/how-to/gpu-on-another-host.md.",
            )
        try:
            link = Link(
                self._config.endpoint(),
                dialect.SERVICE,
                dialect.hello(uuid.uuid4().hex),
                self._welcome,
                self._clock,
            )
        except ConfigError as error:
            raise RewardSourceError(str(error)) from None
        try:
            link.connect(self._config.connect_s)
        except LinkError as error:
            link.close()
            raise RewardSourceError(str(error)) from None
        except BaseException:
            link.close()
            raise
        self._link = link

    def require_host(self, limit_s: float = 10.0) -> None:
        """Raise unless the host is there and serves what is expected; nothing stays open."""
        config = dataclasses.replace(self._config, connect_s=min(limit_s, self._config.connect_s))
        looking = RemoteSource(config, self._clock)
        try:
            looking.warm_up()
        finally:
            looking.close()

    def _welcome(self, packet: Packet) -> None:
        config = self._config
        try:
            offer = dialect.read_welcome(packet)
        except FormatError as error:
            raise RewardSourceError(str(error)) from None
        found = (offer.scale, offer.dense)
        if found != (config.scale, config.dense) or config.source not in ("", offer.source):
            raise RewardSourceError(
                f"the host at {config.url} serves something else",
                got=f"source {offer.source}, scale {offer.scale}, dense {offer.dense}",
                allowed=f"source {config.source or 'any'}, scale {config.scale}, "
                f"dense {config.dense}",
                next_step="Set source, scale and dense as the host says, or start another there.",
            )
        if self._offer is None:
            _LOG.info("rewards come from %s: %s", config.url, offer.source)
        self._offer = offer

    def begin(self, task: str, control_hz: float) -> RemoteEpisode:
        """Follow an episode of no name."""
        return self.begin_episode("", task, control_hz)

    def begin_episode(self, episode_id: str, task: str, control_hz: float) -> RemoteEpisode:
        """Follow an episode: its frames go out as they come."""
        return RemoteEpisode(self, episode_id, task, control_hz)

    def send_frame(self, frame: LiveFrame) -> float | None:
        """Send a frame; the value of its step where the host has one in time.

        A bad network raises nothing: what does not arrive is sent with the question.
        """
        link, offer = self.link, self._offer
        if not link.connected and not self._reconnect(link):
            return None
        packet = dialect.push(frame)
        if offer is None or not (offer.dense and offer.follows):
            link.tell(packet)
            return None
        try:
            reply = link.ask(packet, self._config.live_s)
        except LinkError:
            return None
        fields = Fields(reply.fields, "step")
        return None if fields.missing("value") else fields.number("value")

    def _reconnect(self, link: Link) -> bool:
        now_ns = self._clock.steady_ns()
        if now_ns - self._tried_ns < _PAUSE_S * 1e9:
            return False
        self._tried_ns = now_ns
        try:
            link.connect(self._config.live_s)
        except LinkError:
            return False
        return True

    def score(self, request: RewardRequest) -> RewardOutcome:
        """The host's outcome, under the name of this source.

        Raises:
            RewardSourceError: it refused, or did not answer in time.
            ScoreCancelledError: nobody wants it any more.
        """
        frames = request.frames
        if not frames:
            raise RewardSourceError("the episode has no frames")
        question = dialect.score(request, [dialect.name_of(frame) for frame in frames])
        end_ns = self._clock.steady_ns() + round(self._config.timeout_s * 1e9)
        try:
            for _ in range(_ROUNDS):
                reply = self.link.ask(question, self._left_s(end_ns), _pass_on)
                if reply.kind != dialect.MISSING:
                    return self._outcome(reply)
                self._send_missing(frames, reply, end_ns)
        except LinkError as error:
            raise RewardSourceError(str(error)) from None
        except ScoreCancelledError:
            self.link.tell(Packet(MessageKind.CANCEL.value, {"episode_id": request.episode_id}))
            raise
        raise RewardSourceError(
            f"{self._config.url} forgets frames as fast as they come",
            next_step="Give it more memory: roboreward serve rewards --frames-mb N.",
        )

    def _send_missing(self, frames: Sequence[bytes], reply: Packet, end_ns: int) -> None:
        places = Fields(reply.fields, "missing").integers("places")
        if not all(0 <= place < len(frames) for place in places):
            raise RewardSourceError("the host misses frames that there are not")
        distinct = dict.fromkeys(frames[place] for place in places)
        for packet in dialect.pieces(list(distinct)):
            self.link.ask(packet, self._left_s(end_ns))

    def _outcome(self, reply: Packet) -> RewardOutcome:
        try:
            if reply.kind != MessageKind.OUTCOME:
                raise FormatError("not an outcome", got=reply.kind)
            outcome = outcome_from_json(reply.fields)
        except FormatError as error:
            raise RewardSourceError("the host answered nonsense", got=str(error)) from None
        there = outcome.provenance
        model = f"{there.source} {there.model}".strip()
        here = dataclasses.replace(there, source=self._spec.name, model=model)
        return dataclasses.replace(outcome, provenance=here)

    def _left_s(self, end_ns: int) -> float:
        return (end_ns - self._clock.steady_ns()) / 1e9

    def close(self) -> None:
        """Drop the connection; idempotent."""
        if self._link is not None:
            self._link.close()
        self._link = None


class RemoteEpisode:
    """A running episode whose frames go out as they come."""

    def __init__(self, source: RemoteSource, episode_id: str, task: str, control_hz: float) -> None:
        self._source = source
        self._episode_id = episode_id
        self._task = task
        self._control_hz = control_hz
        self._count = 0

    def push(self, jpeg: bytes) -> float | None:
        """Send the next frame; the value of its step, None of an episodic source."""
        frame = LiveFrame(self._episode_id, self._task, self._control_hz, self._count, jpeg)
        self._count += 1
        return self._source.send_frame(frame)

    def finish(self, request: RewardRequest) -> RewardOutcome:
        """Score the stored episode; frames that arrived are not sent again."""
        return self._source.score(request)


def _pass_on(packet: Packet) -> None:
    fields = Fields(packet.fields, "progress")
    report(fields.integer("done"), fields.integer("total"))
