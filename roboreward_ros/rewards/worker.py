# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reward source in a process of its own: killed at its deadline, started again at once."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import FormatError, RewardSourceError
from roboreward_ros.rewards.config import Options
from roboreward_ros.rewards.live import LiveFrame, batch_of, can_follow
from roboreward_ros.rewards.progress import OnFrames
from roboreward_ros.rewards.registry import build, merged_options
from roboreward_ros.rewards.wire import (
    WIRE_FORMAT,
    Message,
    MessageKind,
    encode_batch,
    encode_frame,
    encode_request,
    receive,
    send,
)
from roboreward_ros.types import RewardOutcome, RewardRequest, RewardSpec
from roboreward_ros.types.codec import Fields, JsonObject, outcome_from_json

_LOG = logging.getLogger(__name__)
_END_S = 2.0


@dataclass(frozen=True, slots=True)
class ChildStats:
    """What a child has gone through.

    Attributes:
        restarts: times that it had to be started again.
        scored: episodes that it answered.
        live_hits: those of them whose pushed frames were the stored ones and saved work.
    """

    restarts: int = 0
    scored: int = 0
    live_hits: int = 0


class ChildSource:
    """Runs the source ``name`` in a child process (protocol ``RewardSource``).

    ``score`` raises RewardSourceError instead of hanging: at the deadline the child is killed and a
    new one is started; the next request waits for that one, but no longer than one deadline.
    Used from one thread, but for ``cancel``.

    Attributes:
        stats: what it has gone through.
        on_frames: told of frames done and in all while an episode is scored.
        unwanted: asked before an episode is sent; ``cancel`` ends one that was.

    Args:
        name: registry name, or ``package.module:Class``.
        options: over ``config/rewards/<name>.yaml``.
        deadline_s: seconds for one score; None takes the spec's.
        start_s: seconds for loading and warming up.
        clock: measures deadlines.

    Raises:
        ConfigError: unknown name or options.
    """

    def __init__(
        self,
        name: str,
        options: Options | None = None,
        deadline_s: float | None = None,
        start_s: float = 300.0,
        clock: Clock | None = None,
    ) -> None:
        self._name = name
        self._options = json.dumps(merged_options(name, options))
        source = build(name, options)
        self._spec = source.spec
        self._batch = batch_of(source)
        self._follows = can_follow(source)
        source.close()
        self._deadline_s = self._spec.timeout_s if deadline_s is None else deadline_s
        self._start_s = start_s
        self._clock = clock or SystemClock()
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._started_ns = 0
        self._ready = False
        self._sending = threading.Lock()
        self._ticket = 0
        self.stats = ChildStats()
        self.on_frames: OnFrames = lambda done, total: None  # noqa: ARG005
        self.unwanted: Callable[[], bool] = lambda: False

    @property
    def spec(self) -> RewardSpec:
        return self._spec

    @property
    def pid(self) -> int | None:
        """The child's process id, None where none runs."""
        return self._process.pid if self._process else None

    def warm_up(self) -> None:
        """Start the child unless it runs, and wait until it is warm."""
        self._ensure_process()
        if not self._ready:
            self._await_ready()

    def _ensure_process(self) -> None:
        if self._process is not None and self._ready and self._process.poll() is not None:
            self._end(f"it ended by itself with code {self._process.returncode}")
            self.stats = dataclasses.replace(self.stats, restarts=self.stats.restarts + 1)
        if self._process is None:
            self._spawn()

    @property
    def batch(self) -> int:
        """Episodes that it answers in one forward pass."""
        return self._batch

    @property
    def follows(self) -> bool:
        """Whether frames may be pushed while an episode runs."""
        return self._follows

    def score(self, request: RewardRequest) -> RewardOutcome:
        message = encode_request(request)
        self._ticket += 1
        if self.unwanted():  # a cancel from now on names this ticket
            raise RewardSourceError("nobody waits for this score any more")
        fields: JsonObject = {**message.fields, "ticket": self._ticket}
        message = Message(MessageKind.SCORE, fields, message.body)
        reply = self._ask(message, MessageKind.OUTCOME)
        live = Fields(reply.fields, "reply").flag("live")
        self.stats = dataclasses.replace(
            self.stats, live_hits=self.stats.live_hits + live, scored=self.stats.scored + 1
        )
        return self._outcome(reply.fields)

    def score_batch(self, requests: list[RewardRequest]) -> list[RewardOutcome]:
        """Outcomes of several episodes within one deadline, in order; raises as ``score``."""
        reply = self._ask(encode_batch(requests), MessageKind.OUTCOMES)
        listed = reply.fields.get("outcomes")
        found = (
            [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
        )
        if len(found) != len(requests):
            self._restart(f"it answered {len(found)} of {len(requests)} requests")
        self.stats = dataclasses.replace(self.stats, scored=self.stats.scored + len(requests))
        return [self._outcome(fields) for fields in found]

    def push(self, frame: LiveFrame) -> float | None:
        """Show the next frame of a running episode; the value of its step where there is one.

        Raises:
            RewardSourceError: it is not warm, or could not take the frame; the episode is then
                scored from its stored frames alone.
        """
        self._ensure_process()
        if not self._ready and not self._has_news(0.0):
            raise RewardSourceError(f"source '{self._spec.name}' is still starting")
        reply = self._ask(encode_frame(frame), MessageKind.STEP)
        fields = Fields(reply.fields, "step")
        return None if fields.missing("value") else fields.number("value")

    def drop(self, episode_id: str) -> None:
        """Forget the pushed frames of an episode; idempotent, answers nothing."""
        self._tell(Message(MessageKind.DROP, {"episode_id": episode_id}))

    def cancel(self) -> None:
        """Nobody wants what is being scored: it ends at the next frame. From any thread."""
        self._tell(Message(MessageKind.CANCEL, {"ticket": self._ticket}))

    def _tell(self, message: Message) -> None:
        with self._sending, contextlib.suppress(OSError):
            if self._ready and self._sock is not None:
                send(self._sock, message)

    def _ask(self, message: Message, wanted: MessageKind) -> Message:
        """The one answer to a message; raises RewardSourceError for anything else."""
        self._ensure_process()
        if not self._ready:
            self._require_news()
            self._await_ready()
        reply = self._exchange(message)
        if reply.kind is MessageKind.ERROR:
            raise RewardSourceError(Fields(reply.fields, "reply").text("message"))
        if reply.kind is not wanted:
            self._restart(f"it answered '{reply.kind}' to '{message.kind}'")
        return reply

    def _outcome(self, fields: JsonObject) -> RewardOutcome:
        try:
            return outcome_from_json(fields)
        except FormatError as error:
            raise RewardSourceError(
                f"source '{self._spec.name}' answered nonsense", got=str(error)
            ) from None

    def close(self) -> None:
        """End the child: asked first, killed after two seconds; idempotent."""
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.settimeout(_END_S)
                send(self._sock, Message(MessageKind.CLOSE))
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
        self._end("")

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        command = [sys.executable, "-m", "roboreward_ros.rewards.child", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, env=environment
            )
        self._sock = ours
        self._started_ns = self._clock.steady_ns()
        self._ready = False
        fields: JsonObject = {"format": WIRE_FORMAT, "name": self._name, "options": self._options}
        with contextlib.suppress(OSError):  # a child that died already is noticed when read
            send(ours, Message(MessageKind.BUILD, fields))

    def _require_news(self) -> None:
        """Raise unless the starting child says something, or is overdue, within one deadline."""
        left_s = self._start_s - (self._clock.steady_ns() - self._started_ns) / 1e9
        wait_s = min(self._deadline_s, left_s)
        if wait_s < left_s and not self._has_news(wait_s):
            raise RewardSourceError(
                f"source '{self._spec.name}' is still starting",
                next_step="The episode stays unlabelled and is scored later.",
            )

    def _has_news(self, wait_s: float) -> bool:
        news = select.poll()
        if self._sock is not None:
            news.register(self._sock, select.POLLIN)
        return bool(news.poll(wait_s * 1000))

    def _await_ready(self) -> None:
        reply = self._read(self._started_ns, self._start_s, restart=False)
        if reply.kind is MessageKind.ERROR:
            self._end("")
            raise RewardSourceError(
                f"source '{self._spec.name}' cannot start",
                got=Fields(reply.fields, "reply").text("message"),
            )
        self._ready = True

    def _exchange(self, message: Message) -> Message:
        if self._sock is None:
            raise RewardSourceError(f"source '{self._spec.name}' is closed")
        start = self._clock.steady_ns()
        try:
            with self._sending:
                self._sock.settimeout(self._deadline_s)
                send(self._sock, message)
        except TimeoutError:
            self._restart(f"it did not take the request within {self._deadline_s:g} s")
        except OSError as error:
            self._restart(f"it is gone ({error.strerror})")
        return self._read(start, self._deadline_s, restart=True)

    def _read(self, start_ns: int, limit_s: float, restart: bool) -> Message:
        def remaining_s() -> float:
            return limit_s - (self._clock.steady_ns() - start_ns) / 1e9

        reason = "it ended without an answer"
        try:
            while self._sock is not None:
                reply = receive(self._sock, remaining_s)
                if reply is None:
                    break
                if reply.kind is not MessageKind.PROGRESS:
                    return reply
                fields = Fields(reply.fields, "progress")
                self.on_frames(fields.integer("done"), fields.integer("total"))
        except TimeoutError:
            reason = f"no answer within {limit_s:g} s"
        except (FormatError, OSError) as error:
            reason = str(error)
        if restart:
            self._restart(reason)
        self._end(reason)
        raise RewardSourceError(f"source '{self._spec.name}' did not get ready: {reason}")

    def _restart(self, reason: str) -> None:
        """Kill, start a new child without waiting for it, raise."""
        self._end(reason)
        self._spawn()
        self.stats = dataclasses.replace(self.stats, restarts=self.stats.restarts + 1)
        raise RewardSourceError(
            f"source '{self._spec.name}': {reason}",
            next_step="Its process was killed and started again.",
        )

    def _end(self, reason: str) -> None:
        if self._process is not None:
            if reason:
                _LOG.warning("reward process %d ends: %s", self._process.pid, reason)
            self._process.kill()
            self._process.wait()
        if self._sock is not None:
            self._sock.close()
        self._process = None
        self._sock = None
        self._ready = False
