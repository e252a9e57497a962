# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Serves ``score_episode``: goals go to a queue in the order of their arrival, none blocks another.

Several episodes that wait can so be answered in one forward pass of the model.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol, TypeAlias

from roboreward_ros.action import ScoreEpisode
from roboreward_ros.errors import FormatError, StoreError
from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.ros.convert import record_to_msg
from roboreward_ros.ros.work import Goal, WorkServer
from roboreward_ros.types import LabelRecord

if TYPE_CHECKING:
    from roboreward_ros.ros.lifecycle import HostNode

CAPACITY = 64
Result: TypeAlias = ScoreEpisode.Result


class ScoringDesk(Protocol):
    """What scores episodes, as the server sees it."""

    @property
    def source(self) -> str:
        """Name of the source in force."""

    def open(self, uri: str) -> EpisodeReader:
        """A committed episode; raises StoreError or FormatError."""

    def submit(
        self, episode: EpisodeReader, force: bool, wanted: Callable[[], bool]
    ) -> Future[LabelRecord | None]:
        """Score it in its turn; None once it is unwanted."""

    @property
    def queued(self) -> int:
        """Episodes that wait before one that is submitted now."""


class ScoreServer:
    """The action server of a node that scores.

    Args:
        node: host.
        desk: scores.
    """

    def __init__(self, node: HostNode, desk: ScoringDesk) -> None:  # type: ignore[type-arg]
        self._desk = desk
        self._lock = threading.Lock()
        self._goals: dict[str, Goal[ScoreEpisode.Goal]] = {}
        self._server: WorkServer[ScoreEpisode.Goal, Result] = WorkServer(
            node, ScoreEpisode, "score_episode", self._serve, capacity=CAPACITY
        )

    def progress(self, episode_ids: Sequence[str], done: int, total: int) -> None:
        """Tell those who wait for these episodes how many frames are done; from any thread."""
        with self._lock:
            goals = [self._goals[name] for name in episode_ids if name in self._goals]
        for goal in goals:
            goal.feedback(ScoreEpisode.Feedback(frames_done=done, frames_total=total))

    def end_all(self) -> None:
        """Give up what is being scored; nothing of it is written."""
        self._server.end_all()

    def close(self) -> None:
        """End goals and worker; idempotent."""
        self._server.close()

    def _serve(self, goal: Goal[ScoreEpisode.Goal]) -> Result | Future[Result]:
        request, desk = goal.request, self._desk
        if request.source not in ("", desk.source):
            text = f"source '{request.source}' is not in force; allowed: '{desk.source}' or ''"
            return Result(error_code=Result.UNKNOWN_SOURCE, error_msg=text)
        try:
            episode = desk.open(request.uri)
        except (StoreError, FormatError) as error:
            return Result(error_code=Result.NO_EPISODE, error_msg=str(error))
        total, name = episode.summary.n_steps + 1, episode.summary.meta.episode_id
        goal.feedback(ScoreEpisode.Feedback(frames_total=total, queue_position=desk.queued))
        with self._lock:
            self._goals[name] = goal
        answer: Future[Result] = Future()

        def settle(done: Future[LabelRecord | None]) -> None:
            with self._lock:
                if self._goals.get(name) is goal:
                    del self._goals[name]
            error = done.exception()
            if error is not None:
                answer.set_exception(error)
                return
            record = done.result()
            if record is None:
                text = f"not scored: {goal.cancel_reason}"
                answer.set_result(goal.canceled(Result(error_msg=text)))
                return
            goal.feedback(ScoreEpisode.Feedback(frames_done=total, frames_total=total))
            answer.set_result(Result(reward=record_to_msg(record)))

        waiting = desk.submit(episode, bool(request.force), lambda: not goal.cancel_reason)
        waiting.add_done_callback(settle)
        return answer
