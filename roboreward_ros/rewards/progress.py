# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far a source has come with an episode, said from inside of it to whoever listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

from roboreward_ros.errors import RewardSourceError

OnFrames: TypeAlias = Callable[[int, int], None]
"""Told of frames done and in all; raises ScoreCancelledError when nobody wants the answer."""

_LISTENER: ContextVar[OnFrames | None] = ContextVar("listener", default=None)


class ScoreCancelledError(RewardSourceError):
    """Nobody waits for the score that is being computed."""


def report(done: int, total: int) -> None:
    """A source has looked at ``done`` of ``total`` frames; cheap where nobody listens.

    Raises:
        ScoreCancelledError: nobody waits for the score any more; let it pass.
    """
    listener = _LISTENER.get()
    if listener is not None:
        listener(done, total)


@contextmanager
def listening(listener: OnFrames) -> Iterator[None]:
    """Hear what sources report in this thread."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)
