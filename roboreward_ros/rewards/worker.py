# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reward source in a process of its own: killed at its deadline, started again at once."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import socket
import subprocess
import sys

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import FormatError, RewardSourceError
from roboreward_ros.rewards.config import Options
from roboreward_ros.rewards.registry import build, merged_options
from roboreward_ros.rewards.wire import (
    WIRE_FORMAT,
    Message,
    MessageKind,
    encode_request,
    receive,
    send,
)
from roboreward_ros.types import RewardOutcome, RewardRequest, RewardSpec
from roboreward_ros.types.codec import Fields, JsonObject, outcome_from_json

_LOG = logging.getLogger(__name__)
_END_S = 2.0


class ChildSource:
    """Runs the source ``name`` in a child process (protocol ``RewardSource``).

    ``score`` raises RewardSourceError instead of hanging: at the deadline the child is killed and a
    new one is started; the next request waits for that one, but no longer than one deadline.
    Used from one thread.

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
        source.close()
        self._deadline_s = self._spec.timeout_s if deadline_s is None else deadline_s
        self._start_s = start_s
        self._clock = clock or SystemClock()
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._started_ns = 0
        self._ready = False

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
        if self._process is None:
            self._spawn()

    def score(self, request: RewardRequest) -> RewardOutcome:
        self._ensure_process()
        if not self._ready:
            self._require_news()
            self._await_ready()
        reply = self._exchange(encode_request(request))
        if reply.kind is MessageKind.ERROR:
            raise RewardSourceError(Fields(reply.fields, "reply").text("message"))
        if reply.kind is not MessageKind.OUTCOME:
            self._restart(f"it answered '{reply.kind}' to a request")
        try:
            return outcome_from_json(reply.fields)
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
        news = select.poll()
        if self._sock is not None:
            news.register(self._sock, select.POLLIN)
        if wait_s < left_s and not news.poll(wait_s * 1000):
            raise RewardSourceError(
                f"source '{self._spec.name}' is still starting",
                next_step="The episode stays unlabelled and is scored later.",
            )

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
            reply = receive(self._sock, remaining_s) if self._sock is not None else None
            if reply is not None:
                return reply
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
