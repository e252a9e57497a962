# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The child process that holds a model: ``python -m roboreward_ros.rewards.child FD``.

Speaks ``wire.py`` on the socket FD. What the source prints goes to stderr. A reader thread watches
the socket, so that the process ends with its parent even while the source computes.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import sys
import threading
from typing import cast

from roboreward_ros import memory
from roboreward_ros.clock import SystemClock
from roboreward_ros.errors import FormatError
from roboreward_ros.protocols import RewardSource
from roboreward_ros.rewards.config import options_from_json
from roboreward_ros.rewards.guard import checked
from roboreward_ros.rewards.live import BatchSource, LiveDesk
from roboreward_ros.rewards.progress import ScoreCancelledError, listening
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.wire import (
    WIRE_FORMAT,
    Message,
    MessageKind,
    decode_batch,
    decode_frame,
    decode_request,
    receive,
    send,
)
from roboreward_ros.types import RewardOutcome, RewardRequest
from roboreward_ros.types.codec import Fields, outcome_to_json

PROGRESS_S = 0.1
"""Shortest distance of two progress messages."""


def main(argv: list[str]) -> int:
    """Serve one source until the parent closes; the exit code is 1 when it could not be built."""
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches all; the parent decides
    sock = socket.socket(fileno=int(argv[0]))
    inbox = _Inbox(sock)
    try:
        source = _build(inbox.get())
        source.warm_up()
    except BaseException as error:
        _reply_error(sock, error)
        return 1
    send(sock, Message(MessageKind.READY))
    desk = _Desk(sock, source, inbox)
    while (message := inbox.get()).kind is not MessageKind.CLOSE:
        try:
            desk.answer(message)
        except OSError:
            return 0
        except BaseException as error:
            _reply_error(sock, error)
    source.close()
    return 0


class _Inbox:
    """Messages of the parent, read in a thread of its own; a cancel overtakes the others."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.cancelled = -1
        threading.Thread(target=self._read, daemon=True).start()

    def get(self) -> Message:
        return self._messages.get()

    def _read(self) -> None:
        try:
            while (message := receive(self._sock)) is not None:
                if message.kind is MessageKind.CANCEL:
                    self.cancelled = Fields(message.fields, "cancel").integer("ticket")
                else:
                    self._messages.put(message)
        except (OSError, FormatError):
            pass
        os._exit(0)


class _Desk:
    """Answers one message after the other."""

    def __init__(self, sock: socket.socket, source: RewardSource, inbox: _Inbox) -> None:
        self._sock = sock
        self._source = source
        self._inbox = inbox
        self._live = LiveDesk(source)
        self._ticket = -1
        self._spoke_ns = 0
        self._clock = SystemClock()

    def answer(self, message: Message) -> None:
        match message.kind:
            case MessageKind.SCORE:
                self._score(message)
            case MessageKind.PUSH:
                value = self._live.push(decode_frame(message))
                send(self._sock, Message(MessageKind.STEP, {"value": value}))
            case MessageKind.DROP:
                self._live.drop(Fields(message.fields, "drop").text("episode_id"))
            case MessageKind.BATCH:
                self._score_batch(message)
            case _:
                raise FormatError("the parent said what only a child says", got=message.kind)

    def _score(self, message: Message) -> None:
        request = decode_request(message)
        self._ticket = Fields(message.fields, "score").integer("ticket")
        with listening(self._progress):
            outcome, live = self._scored(request)
        fields = outcome_to_json(checked(outcome, self._source.spec, request))
        send(self._sock, Message(MessageKind.OUTCOME, {**fields, "live": live}))

    def _scored(self, request: RewardRequest) -> tuple[RewardOutcome, bool]:
        """Where there is no room, once more with nothing kept of running episodes."""
        try:
            return self._live.score(request)
        except Exception as error:
            if not memory.ran_out(error):
                raise
        self._live = LiveDesk(self._source)
        memory.release()
        return self._source.score(request), False

    def _score_batch(self, message: Message) -> None:
        requests = decode_batch(message)
        for request in requests:  # one forward over stored frames: nothing to go on from
            self._live.drop(request.episode_id)
        source = cast("BatchSource", self._source)
        outcomes = [
            outcome_to_json(checked(outcome, source.spec, request))
            for outcome, request in zip(source.score_batch(requests), requests, strict=True)
        ]
        send(self._sock, Message(MessageKind.OUTCOMES, {"outcomes": [*outcomes]}))

    def _progress(self, done: int, total: int) -> None:
        if self._inbox.cancelled == self._ticket:
            raise ScoreCancelledError("nobody waits for this score any more")
        now_ns = self._clock.steady_ns()
        if now_ns - self._spoke_ns > PROGRESS_S * 1e9:
            self._spoke_ns = now_ns
            send(self._sock, Message(MessageKind.PROGRESS, {"done": done, "total": total}))


def _build(message: Message) -> RewardSource:
    fields = Fields(message.fields, "reward message")
    if message.kind is not MessageKind.BUILD or fields.integer("format") != WIRE_FORMAT:
        raise FormatError(
            "the parent speaks another reward protocol",
            got=message.kind,
            allowed=f"build with format {WIRE_FORMAT}",
        )
    return build(fields.text("name"), options_from_json(fields.text("options")))


def _reply_error(sock: socket.socket, error: BaseException) -> None:
    try:
        send(sock, Message(MessageKind.ERROR, {"message": memory.explained(error)}))
    except OSError:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
