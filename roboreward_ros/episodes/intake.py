# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Carries what other threads hear about an episode to the one that assembles it, until its end."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.episodes.assembly import EpisodeAssembler

Job = Callable[[EpisodeAssembler], None]
_POLL_S = 0.05


class Ending(StrEnum):
    """How listening to an episode ended."""

    OVER = "over"  # the last state came; commit
    DROPPED = "dropped"  # somebody asked for it
    UNMATCHED = "unmatched"  # its sources never appeared
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, steady seconds.

    Attributes:
        match_s: for the sources.
        start_s: for the first message once the sources are there.
        stall_s: for the next message of a running episode.
        settle_s: after the last state, for what is still on its way.
        closing_s: of an episode that is whole, for the policy's closing decision.
    """

    match_s: float = 20.0
    start_s: float = 150.0
    stall_s: float = 25.0
    settle_s: float = 3.0
    closing_s: float = 0.3


@dataclass(slots=True)
class Intake:
    """The inbox of one episode.

    Attributes:
        episode_id: which.
        patience: limits of the waits.
        clock: its steady clock times them.
    """

    episode_id: str
    patience: Patience = field(default_factory=Patience)
    clock: Clock = field(default_factory=SystemClock)
    _inbox: queue.SimpleQueue[Job] = field(default_factory=queue.SimpleQueue)

    def put(self, job: Job) -> None:
        """Leave a message for the assembling thread; returns at once."""
        self._inbox.put(job)

    @property
    def waiting(self) -> int:
        """Messages not yet assembled."""
        return self._inbox.qsize()

    def follow(
        self,
        assembler: EpisodeAssembler,
        matched: Callable[[], bool],
        dropped: Callable[[], object],
        tick: Callable[[bool], None],
    ) -> Ending:
        """Feed ``assembler`` until the episode is whole, dropped, or nothing comes any more.

        A whole episode waits ``closing_s`` for what closes it, and is as good without.

        Args:
            assembler: gets the messages in the order in which they came.
            matched: whether all sources are there.
            dropped: true when the episode should be thrown away; looked at before each message.
            tick: told between messages whether the episode may begin.

        Raises:
            StoreError: the disk.
        """
        ready = False
        heard_ns, whole_ns = self.clock.steady_ns(), 0
        while not dropped():
            if not ready and matched():
                ready, heard_ns = True, self.clock.steady_ns()
            tick(ready)
            try:
                self._inbox.get(timeout=_POLL_S)(assembler)
                heard_ns = self.clock.steady_ns()
            except queue.Empty:
                silent_s = (self.clock.steady_ns() - heard_ns) / 1e9
                if (ending := self._judge(silent_s, ready, assembler)) is not None:
                    return ending
            if assembler.whole:
                whole_ns = whole_ns or self.clock.steady_ns()
                waited_s = (self.clock.steady_ns() - whole_ns) / 1e9
                if assembler.closed or waited_s >= self.patience.closing_s:
                    return Ending.DROPPED if dropped() else Ending.OVER
        return Ending.DROPPED

    def _judge(self, silent_s: float, ready: bool, assembler: EpisodeAssembler) -> Ending | None:
        patience = self.patience
        if assembler.last is not None and silent_s > patience.settle_s:
            return Ending.OVER
        if not ready and silent_s > patience.match_s:
            return Ending.UNMATCHED
        limit_s = patience.stall_s if assembler.heard else patience.start_s
        return Ending.SILENT if ready and silent_s > limit_s else None
