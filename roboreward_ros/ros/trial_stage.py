# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Single episodes on the graph for whoever asks and waits: reset, record, run, look at what came.

Blocks the asking thread; everything else happens on the loop of the episode driver.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from roboreward_ros.errors import FormatError, StoreError
from roboreward_ros.ros.driver_seams import DriverConfig, Stored
from roboreward_ros.ros.episode_driver import EpisodeDriver
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.loop import Loop
from roboreward_ros.types import Chunk, EndCause

POLL_S = 0.1
ABORT_S = 1.0


@dataclass(frozen=True, slots=True)
class StageOrder:
    """One episode to run; see ``EpisodeMeta``. ``canary``: plain noise."""

    episode_id: str
    index: int
    task: str
    seed: int
    canary: bool


class Judged(Stored, Protocol):
    """What is looked at in a stored episode."""

    def chunks(self) -> Sequence[Chunk]: ...


class TrialStage:
    """See the module's text.

    Args:
        node: makes the clients.
        loop: of the driver; started by its owner.
        stored: a committed episode by id; raises StoreError, FormatError.
        max_steps: time limit of every episode, control steps.
        version: steering actor of the episodes that are no canaries.
        leaving: whether the process is to end.
        config: limits of the waits.
    """

    def __init__(
        self,
        node: HostNode,  # type: ignore[type-arg]
        loop: Loop,
        stored: Callable[[str], Judged],
        max_steps: int,
        version: int,
        leaving: Callable[[], bool],
        config: DriverConfig | None = None,
    ) -> None:
        self._loop = loop
        self._stored = stored
        self._max_steps = max_steps
        self._version = version
        self._leaving = leaving
        self._canary = False
        self._answers: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self.driver = EpisodeDriver(node, loop, self, self, config)

    def run(self, order: StageOrder) -> str:
        """Run one episode to its end; returns why it does not count, empty when it does."""
        self._canary = order.canary
        self._loop.post(lambda: self.driver.reset(order))
        kind, text = self._wait(order)
        if kind != "reset":
            return text
        self._loop.post(lambda: self.driver.begin(order))
        kind, text = self._wait(order)
        return self._look(order) if kind == "committed" else text

    def _wait(self, order: StageOrder) -> tuple[str, str]:
        while not self._leaving():
            try:
                return self._answers.get(timeout=POLL_S)
            except queue.Empty:
                continue
        self._loop.post(lambda: self.driver.abort(order.episode_id))
        try:  # the arm is told within half a second, also by a process that hears nothing any more
            return self._answers.get(timeout=ABORT_S)
        except queue.Empty:
            return "aborted", "it was dropped"

    def _look(self, order: StageOrder) -> str:
        try:
            episode = self._stored(order.episode_id)
            summary, chunks = episode.summary, episode.chunks()
        except (StoreError, FormatError) as error:
            return f"the stored episode cannot be read: {error}"
        if summary.taint or not summary.complete:
            return ", ".join(summary.taint) or "incomplete"
        if summary.end_cause is not EndCause.TIME:
            return f"it was ended: {summary.end_cause.value}"
        version = self.min_policy_version()
        if any(chunk.policy_version != version for chunk in chunks):
            return "another policy ran than the plan says"
        return ""

    # The driver's listener and facts, on the loop.

    def max_steps(self, task: str) -> int:
        del task
        return self._max_steps

    def min_policy_version(self) -> int:
        return 0 if self._canary else self._version

    def stored(self, episode_id: str) -> Stored:
        return self._stored(episode_id)

    def reset_done(self, episode_id: str) -> None:
        del episode_id
        self._answers.put(("reset", ""))

    def begun_episode(self, episode_id: str) -> None: ...

    def committed(self, episode_id: str, end_cause: EndCause, uri: str) -> None:
        del episode_id, end_cause, uri
        self._answers.put(("committed", ""))

    def failed(self, episode_id: str, part: str, message: str) -> None:
        del episode_id
        self._answers.put(("failed", f"{part}: {message}"))

    def aborted(self, episode_id: str) -> None:
        del episode_id
        self._answers.put(("aborted", "it was dropped"))

    def scored(self, episode_id: str, labelled: bool, message: str) -> None: ...

    def step(self, episode_id: str, step: int) -> None: ...

    def handed(self, episode_id: str, to_person: bool, problem: str) -> None: ...
