# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The order in which episodes are scored, and what happens to those whose source is away.

Rules:

* an episode that fails is unlabelled and waits; it is tried again after a growing pause, and as
  soon as any other episode is answered, because then the source is there again;
* what waited is written before anything younger: the ledger gets episodes in order, each once. A
  long backlog holds a fresh answer up for a bounded time only;
* two failures in a row mean that the source has left: what waits keeps its place and waits on;
* an episode that fails while others are answered has a fault of its own: it steps aside for a long
  pause and holds nobody up.

Knows nothing about sources: ``ask`` gives outcomes, bounded in time, and never raises.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeAlias

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.episodes.scoring import Scorebook
from roboreward_ros.episodes.scoring_jobs import Job, RetryConfig, Wanted, always
from roboreward_ros.errors import FormatError, StoreError
from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.types import LabelRecord, RewardFailure, RewardOutcome

Ask: TypeAlias = Callable[[Sequence[EpisodeReader], Wanted], Sequence[RewardOutcome]]
"""Outcomes of episodes, in their order; looks at ``wanted`` while it waits."""

OnProblem: TypeAlias = Callable[[str, str], None]
"""Told of an episode id that stays unlabelled, and why."""


def _ignore(episode_id: str, why: str) -> None:
    del episode_id, why


class ScoringQueue:
    """Scores episodes into a Scorebook on one thread. Safe to use from threads.

    Args:
        book: of the run.
        ask: see ``Ask``.
        source: name of the source that ``ask`` would ask now.
        batch: how many episodes it may be asked at once now.
        on_problem: see ``OnProblem``.
        retry: pauses.
        clock: its steady clock times the pauses.
    """

    def __init__(
        self,
        book: Scorebook,
        ask: Ask,
        source: Callable[[], str],
        batch: Callable[[], int] = lambda: 1,
        on_problem: OnProblem | None = None,
        retry: RetryConfig | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._book = book
        self._ask = ask
        self._source = source
        self._batch = batch
        self._on_problem = on_problem or _ignore
        self._retry = retry or RetryConfig()
        self._clock = clock or SystemClock()
        self._lock = threading.Condition()
        self._asked: deque[Job] = deque()
        self._waiting: dict[str, Job] = {}
        self._aside: dict[str, Job] = {}
        self._pause_s = 0.0
        self._due_ns = 0
        self._calm_ns = 0  # until then no answer makes what waits be asked about
        self._probe = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="scoring queue", daemon=True)

    @property
    def queued(self) -> int:
        """Episodes that somebody asked for and that were not asked about yet."""
        return len(self._asked)

    @property
    def waiting(self) -> int:
        """Unlabelled episodes that will be tried again."""
        with self._lock:
            return len(self._waiting) + len(self._aside)

    def start(self) -> None:
        """Begin to score, in a thread."""
        self._thread.start()

    def submit(
        self, episode: EpisodeReader, force: bool = False, wanted: Wanted = always
    ) -> Future[LabelRecord | None]:
        """Score an episode soon; the future gets its record, or None once it is unwanted.

        Args:
            episode: a committed episode.
            force: ask although the source has answered.
            wanted: False throws the answer away.
        """
        future: Future[LabelRecord | None] = Future()
        job = Job(episode.summary.meta.episode_id, force, wanted, future, episode)
        with self._lock:
            if self._closing:
                future.set_result(None)
                return future
            self._asked.append(job)
            self._lock.notify_all()
        return future

    def catch_up(self, episode_ids: Sequence[str]) -> None:
        """Let episodes wait for the source, beside those that failed."""
        with self._lock:
            for episode_id in episode_ids:
                self._waiting.setdefault(episode_id, Job(episode_id))
            self._hurry()

    def source_changed(self) -> None:
        """Try everything that waits again now: another source may answer it."""
        with self._lock:
            for job in self._aside.values():
                job.due_ns = 0
                job.strikes = 0
            self._waiting.update(self._aside)
            self._aside.clear()
            self._hurry()

    def close(self, timeout_s: float = 5.0) -> bool:
        """End the thread; what waits stays unlabelled on disk. Returns whether it ended."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        while self._asked:
            self._asked.popleft().resolve(None)
        return not self._thread.is_alive()

    def _hurry(self) -> None:
        self._pause_s = 0.0
        self._due_ns = 0
        self._lock.notify_all()

    def _run(self) -> None:
        while not self._closing:
            try:
                wait_s = self.turn()
            except (StoreError, FormatError, OSError) as error:
                self._on_problem("", f"the ledger cannot be written: {error}")
                wait_s = self._back_off()
            with self._lock:
                if not (self._closing or self._asked):
                    self._lock.wait(wait_s)

    def turn(self) -> float | None:
        """Do what is due; seconds until something else is (0: now), None while nothing waits.

        Raises:
            StoreError: the ledger cannot be written; what was asked is asked again.
        """
        jobs = self._take()
        if jobs:
            self._serve(jobs)
            return 0.0
        now = self._clock.steady_ns()
        with self._lock:  # another thread moves what waits when the source changes
            due = [job for job in self._aside.values() if job.due_ns <= now]
        if self._waiting and now >= self._due_ns:
            self._try_waiting()
        elif due:
            self._try_aside(due[0])
        with self._lock:
            dues = [job.due_ns for job in self._aside.values()]
            if self._waiting:
                dues.append(self._due_ns)
        return max(min(dues) - self._clock.steady_ns(), 0) / 1e9 if dues else None

    def _take(self) -> list[Job]:
        with self._lock:
            count = min(len(self._asked), max(self._batch(), 1))
            return [self._asked.popleft() for _ in range(count)]

    # In the one thread that scores.

    def _serve(self, jobs: Sequence[Job]) -> None:
        """Answer those who asked."""
        fresh = []
        try:
            for job in jobs:
                known = None if job.force else self._book.known(job.episode_id, self._source())
                if known is not None:
                    job.resolve(known if job.wanted() else None)
                    continue
                if not job.wanted():
                    self._await_turn(job).set_result(None)
                    continue
                with self._lock:  # whoever waited under this name is asked about with this one
                    self._waiting.pop(job.episode_id, None)
                    self._aside.pop(job.episode_id, None)
                fresh.append(job)
            for job, outcome in zip(fresh, self._outcomes(fresh), strict=True):
                self._settle(job, outcome)
        except (StoreError, FormatError, OSError) as error:
            for job in jobs:
                if job.ticket is not None:
                    self._await_turn(job).set_exception(error)
            raise

    def _await_turn(self, job: Job) -> Future[LabelRecord | None]:
        """From now on a job is tried again, if at all, for the ledger alone."""
        ticket, job.ticket = job.ticket, None
        assert ticket is not None
        job.wanted, job.reader, job.force = always, None, False
        with self._lock:
            self._waiting[job.episode_id] = job
        return ticket

    def _settle(self, job: Job, outcome: RewardOutcome) -> None:
        if not job.wanted():
            # Whoever asked has gone, perhaps because it took so long: others go first.
            ticket = self._await_turn(job)
            with self._lock:
                self._aside[job.episode_id] = self._waiting.pop(job.episode_id)
                job.due_ns = self._clock.steady_ns() + round(self._retry.longest_s * 1e9)
            ticket.set_result(None)
            return
        if isinstance(outcome, RewardFailure):
            record = self._book.add(job.episode_id, outcome)
            self._back_off()
            self._await_turn(job).set_result(record)
            return
        self._flush(before=job.episode_id)
        job.resolve(self._book.add(job.episode_id, outcome))

    def _flush(self, before: str) -> None:
        """The source is there: ask about what waits and is older than ``before``."""
        now_ns = self._clock.steady_ns()
        end_ns = now_ns + round(self._retry.catch_up_s * 1e9)
        failed: dict[str, RewardFailure] = {}  # since the last answer
        tried = ""
        while self._calm_ns <= now_ns <= end_ns:
            some = [name for name in sorted(self._waiting) if tried < name < before]
            if not some:
                break
            jobs = self._readable(some[: max(self._batch(), 1)])
            tried = some[: max(self._batch(), 1)][-1]
            outcomes = self._outcomes(jobs)
            if self._closing:
                return
            refusals = self._write(jobs, outcomes)
            for name, failure in (failed | refusals).items():
                self._note_failure(name, failure)
            if len(refusals) < len(jobs):
                for name in failed | refusals:
                    self._step_aside(name)
                failed = {}
            else:
                failed |= refusals
            if len(failed) > 1:
                self._back_off()
                self._calm_ns = self._due_ns
                return
            now_ns = self._clock.steady_ns()
        for name in failed:  # nothing was asked since: its own fault, or the source's
            self._step_aside(name, sure=False)
        if self._calm_ns <= now_ns:
            with self._lock:
                self._hurry()

    def _write(
        self, jobs: Sequence[Job], outcomes: Sequence[RewardOutcome]
    ) -> dict[str, RewardFailure]:
        """Write answers of episodes that waited; returns what is none, by episode."""
        failed = {}
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(outcome, RewardFailure):
                failed[job.episode_id] = outcome
            else:
                self._book.add(job.episode_id, outcome)
                self._forget(job)
        return failed

    def _try_waiting(self) -> None:
        """Ask about the oldest; where it fails, about another, in case it is its own fault."""
        names = sorted(self._waiting)
        count = max(self._batch(), 1) if self._pause_s == 0 else 1
        tried = [names[:count]]
        if others := names[count:]:
            tried.append([others[self._probe % len(others)]])
        failed: dict[str, RewardFailure] = {}
        for some in tried:
            jobs = self._readable(some)
            outcomes = self._outcomes(jobs)
            if self._closing or not jobs:
                return
            answered = not all(isinstance(outcome, RewardFailure) for outcome in outcomes)
            if answered:
                for name in failed:
                    self._step_aside(name)
                self._calm_ns = 0
                self._flush(before=some[0])
            refusals = self._write(jobs, outcomes)
            for name, failure in refusals.items():
                self._note_failure(name, failure)
                if answered:
                    self._step_aside(name)
            if answered:
                return
            failed |= refusals
        self._probe += 1
        self._back_off()

    def _try_aside(self, job: Job) -> None:
        jobs = self._readable([job.episode_id])
        outcomes = self._outcomes(jobs)
        if self._closing:
            return
        for name, failure in self._write(jobs, outcomes).items():
            self._note_failure(name, failure)
            self._step_aside(name)

    def _note_failure(self, episode_id: str, failure: RewardFailure) -> None:
        """The ledger has one failure of an episode, not one a try."""
        self._on_problem(episode_id, failure.message)
        if not self._book.has_failed(episode_id, self._source()):
            self._book.add(episode_id, failure)

    def _step_aside(self, name: str, *, sure: bool = True) -> None:
        """Wait apart: long, and longer each time, where the fault is surely the episode's own."""
        with self._lock:
            job = self._waiting.pop(name, None) or self._aside.get(name)
            if job is None:
                return
            pause_s = self._retry.longest_s
            if sure:
                pause_s = self._retry.aside_s * 2 ** min(job.strikes, 6)
                job.strikes += 1
            job.due_ns = self._clock.steady_ns() + round(pause_s * 1e9)
            self._aside[name] = job

    def _back_off(self) -> float:
        with self._lock:
            doubled = max(self._pause_s * 2, self._retry.first_s)
            self._pause_s = min(doubled, self._retry.longest_s)
            self._due_ns = self._clock.steady_ns() + round(self._pause_s * 1e9)
            return self._pause_s

    def _forget(self, job: Job) -> None:
        with self._lock:
            self._waiting.pop(job.episode_id, None)
            self._aside.pop(job.episode_id, None)

    def _readable(self, names: Sequence[str]) -> list[Job]:
        """Open episodes that wait; one that cannot be opened is given up until the next start."""
        found = []
        for name in names:
            with self._lock:
                job = self._waiting.get(name) or self._aside.get(name)
            if job is None:
                continue
            try:
                if self._book.known(name, self._source()) is not None:
                    self._forget(job)
                    continue
                job.reader = job.reader or self._book.store.open(name)
                found.append(job)
            except (StoreError, FormatError) as error:
                self._forget(job)
                self._on_problem(name, str(error))
        return found

    def _outcomes(self, jobs: Sequence[Job]) -> Sequence[RewardOutcome]:
        if not jobs:
            return ()
        wanted = [job.wanted for job in jobs]
        readers = [job.reader for job in jobs if job.reader is not None]
        return self._ask(readers, lambda: not self._closing and any(want() for want in wanted))
