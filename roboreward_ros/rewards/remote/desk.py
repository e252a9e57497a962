# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Questions of all askers: each is computed once, however often a bad network repeats it.

A question whose asker was cut off is answered all the same; the answer waits for its return.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.progress import OnFrames
from roboreward_ros.types import RewardFailure, RewardOutcome, RewardRequest, Score

_LOG = logging.getLogger(__name__)
_KEPT = 1024
_BEAT_S = 0.5
_WORKERS = 8
_RUNNING = 64


class Judge(Protocol):
    """What a desk asks: a RewardHost."""

    def score(
        self, request: RewardRequest, wanted: Callable[[], bool], on_frames: OnFrames | None
    ) -> RewardOutcome:
        """The outcome; never raises."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who waits for an answer, and how it is told; a listener that is gone is told in vain.

    Attributes:
        client: the asker's name over all its connections.
        told: gets the outcome.
        heard: gets frames done and in all, at least every half second.
    """

    client: str
    told: Callable[[RewardOutcome], object]
    heard: OnFrames


@dataclass(slots=True)
class _Job:
    request: RewardRequest
    listeners: list[Listener]
    unwanted: threading.Event = field(default_factory=threading.Event)
    done: int = 0
    total: int = 0
    spoke_ns: int = 0


class ScoreDesk:
    """Thread-safe.

    Args:
        judge: scores; it has its own queue.
        clock: of the signs of life.
    """

    def __init__(self, judge: Judge, clock: Clock | None = None) -> None:
        self._judge = judge
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._jobs: dict[str, _Job] = {}
        self._answers: OrderedDict[str, RewardOutcome] = OrderedDict()
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="remote_score")
        self.computed = 0

    def known(self, key: str, listener: Listener) -> bool:
        """Whether the question is answered (the listener is told at once) or being answered."""
        with self._lock:
            if self._joined(key, listener):
                return True
            outcome = self._answers.get(key)
        if outcome is not None:
            listener.told(outcome)
        return outcome is not None

    def ask(self, key: str, request: RewardRequest, listener: Listener) -> None:
        """Score a question that is not known; raises RewardSourceError when too many run."""
        with self._lock:
            if self._joined(key, listener):
                return
            if len(self._jobs) >= _RUNNING:
                raise RewardSourceError("the host has too many questions", got=len(self._jobs))
            now_ns = self._clock.steady_ns()
            job = _Job(request, [listener], total=len(request.frames), spoke_ns=now_ns)
            self._jobs[key] = job
        self._pool.submit(self._run, key, job)

    def _joined(self, key: str, listener: Listener) -> bool:
        job = self._jobs.get(key)
        if job is None or job.unwanted.is_set():
            return False
        job.listeners.append(listener)
        return True

    def cancel(self, client: str, episode_id: str) -> None:
        """An asker does not want an episode's score any more; nobody else's work ends."""
        with self._lock:
            for job in self._jobs.values():
                if job.request.episode_id == episode_id:
                    job.listeners = [item for item in job.listeners if item.client != client]
                    if not job.listeners:
                        job.unwanted.set()

    def close(self) -> None:
        """End all work; idempotent."""
        with self._lock:
            for job in self._jobs.values():
                job.unwanted.set()
        self._pool.shutdown(cancel_futures=True)

    # In a thread of the pool.

    def _run(self, key: str, job: _Job) -> None:
        outcome = self._judge.score(
            job.request,
            lambda: self._wanted(job),
            lambda done, total: self._heard(job, done, total),
        )
        with self._lock:
            if self._jobs.get(key) is job:
                del self._jobs[key]
            if not isinstance(outcome, RewardFailure):  # those are asked about again
                self._answers[key] = outcome
                while len(self._answers) > _KEPT:
                    self._answers.popitem(last=False)
            self.computed += 1
            listeners = list(job.listeners)
        said = f"{outcome.value:g}" if isinstance(outcome, Score) else type(outcome).__name__
        _LOG.info("%r: %s in %.2f s", job.request.episode_id, said, outcome.latency_s)
        for listener in listeners:
            listener.told(outcome)

    def _wanted(self, job: _Job) -> bool:
        if self._clock.steady_ns() - job.spoke_ns > _BEAT_S * 1e9:
            self._heard(job, job.done, job.total)
        return not job.unwanted.is_set()

    def _heard(self, job: _Job, done: int, total: int) -> None:
        job.done, job.total, job.spoke_ns = done, total, self._clock.steady_ns()
        with self._lock:
            listeners = list(job.listeners)
        for listener in listeners:
            listener.heard(done, total)
