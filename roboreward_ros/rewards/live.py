# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scoring an episode while it runs, without ever scoring anything but the stored episode.

Frames that come early only warm a source up for the episode: at its end their hashes are compared
with the stored frames, and where they differ everything is computed from the stored bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.protocols import RewardSource
from roboreward_ros.types import RewardOutcome, RewardRequest

MAX_LIVE = 4
"""Episodes that may grow at a time: one a robot; the one that heard nothing longest goes first."""


@dataclass(frozen=True, slots=True)
class LiveFrame:
    """One frame of an episode that is still running.

    Attributes:
        episode_id: which.
        task: the sentence.
        control_hz: nominal rate of the frames.
        step: position of the frame, from 0, without gaps.
        jpeg: the bytes that the recorder stores too.
    """

    episode_id: str
    task: str
    control_hz: float
    step: int
    jpeg: bytes


class LiveEpisode(Protocol):
    """A source's knowledge of one growing episode."""

    def push(self, jpeg: bytes) -> float | None:
        """Look at the next frame; the value of this step, None of an episodic source."""

    def finish(self, request: RewardRequest) -> RewardOutcome:
        """Score the whole episode, whose first frames are those that were pushed."""


class LiveSource(RewardSource, Protocol):
    """A source that can follow an episode; ``begin`` is what tells it from others.

    One that must know the episode's id has ``begin_episode(episode_id, task, control_hz)`` too.
    """

    def begin(self, task: str, control_hz: float) -> LiveEpisode | None:
        """Start to follow; None where this configuration cannot."""


class BatchSource(RewardSource, Protocol):
    """A source that answers several episodes in one forward pass."""

    @property
    def batch(self) -> int:
        """How many at most; 1 where this configuration cannot."""

    def score_batch(self, requests: list[RewardRequest]) -> list[RewardOutcome]:
        """Outcomes of episodes, in order. May raise; each is then asked about alone."""


def batch_of(source: RewardSource) -> int:
    """How many episodes ``source`` answers at once."""
    size = getattr(source, "batch", 1)
    return size if isinstance(size, int) and callable(getattr(source, "score_batch", None)) else 1


def can_follow(source: RewardSource) -> bool:
    """Whether ``source`` may follow running episodes."""
    return callable(getattr(source, "begin", None))


@dataclass(slots=True)
class _Growing:
    task: str
    control_hz: float
    episode: LiveEpisode
    hashes: list[bytes] = field(default_factory=list)


class LiveDesk:
    """What one source knows of running episodes. Used from one thread.

    Args:
        source: warm.
        limit: episodes at a time.
    """

    def __init__(self, source: RewardSource, limit: int = MAX_LIVE) -> None:
        self._source = source
        begin = getattr(source, "begin", None)
        self._begin: Callable[[str, float], LiveEpisode | None] | None = begin
        self._limit = limit
        self._growing: dict[str, _Growing] = {}

    def push(self, frame: LiveFrame) -> float | None:
        """Show the source a frame; the value of this step where it has one.

        Raises:
            RewardSourceError: a gap, or what the source raises; the episode is followed no more.
        """
        growing = self._growing.pop(frame.episode_id, None)
        if frame.step == 0:
            growing = self._open(frame)
        if growing is None:
            return None
        if frame.step != len(growing.hashes):
            raise RewardSourceError(
                "frames of a running episode have a gap",
                got=f"step {frame.step}",
                allowed=str(len(growing.hashes)),
            )
        value = growing.episode.push(frame.jpeg)
        growing.hashes.append(_digest(frame.jpeg))
        self._growing[frame.episode_id] = growing  # now the newest
        while len(self._growing) > self._limit:
            del self._growing[next(iter(self._growing))]
        return value

    def _open(self, frame: LiveFrame) -> _Growing | None:
        named = getattr(self._source, "begin_episode", None)
        episode: LiveEpisode | None = None
        if named is not None:
            episode = named(frame.episode_id, frame.task, frame.control_hz)
        elif self._begin is not None:
            episode = self._begin(frame.task, frame.control_hz)
        return None if episode is None else _Growing(frame.task, frame.control_hz, episode)

    def drop(self, episode_id: str) -> None:
        """Forget an episode; idempotent."""
        self._growing.pop(episode_id, None)

    def score(self, request: RewardRequest) -> tuple[RewardOutcome, bool]:
        """The outcome of the stored episode, and whether what was known of it could be used."""
        growing = self._growing.pop(request.episode_id, None)
        if growing is not None and _begins_with(request, growing):
            return growing.episode.finish(request), True
        return self._source.score(request), False


def _begins_with(request: RewardRequest, growing: _Growing) -> bool:
    same = (request.task, request.control_hz) == (growing.task, growing.control_hz)
    count = len(growing.hashes)
    stored = request.frames[:count]
    return same and count > 0 and [_digest(frame) for frame in stored] == growing.hashes


def _digest(jpeg: bytes) -> bytes:
    return hashlib.sha256(jpeg).digest()
