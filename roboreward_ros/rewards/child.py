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

from roboreward_ros.errors import FormatError
from roboreward_ros.protocols import RewardSource
from roboreward_ros.rewards.config import options_from_json
from roboreward_ros.rewards.guard import checked
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.wire import (
    WIRE_FORMAT,
    Message,
    MessageKind,
    decode_request,
    receive,
    send,
)
from roboreward_ros.types.codec import Fields, outcome_to_json


def main(argv: list[str]) -> int:
    """Serve one source until the parent closes; the exit code is 1 when it could not be built."""
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches all; the parent decides
    sock = socket.socket(fileno=int(argv[0]))
    inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sock, inbox), daemon=True).start()
    try:
        source = _build(inbox.get())
        source.warm_up()
    except BaseException as error:
        _reply_error(sock, error)
        return 1
    send(sock, Message(MessageKind.READY))
    while (message := inbox.get()).kind is MessageKind.SCORE:
        try:
            request = decode_request(message)
            outcome = checked(source.score(request), source.spec, request)
            send(sock, Message(MessageKind.OUTCOME, outcome_to_json(outcome)))
        except OSError:
            return 0
        except BaseException as error:
            _reply_error(sock, error)
    source.close()
    return 0


def _read(sock: socket.socket, inbox: queue.SimpleQueue[Message]) -> None:
    try:
        while (message := receive(sock)) is not None:
            inbox.put(message)
    except (OSError, FormatError):
        pass
    os._exit(0)


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
    name = "" if type(error).__module__.startswith("roboreward_ros") else type(error).__name__
    text = ": ".join(part for part in (name, str(error)) if part)
    try:
        send(sock, Message(MessageKind.ERROR, {"message": text}))
    except OSError:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
