# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reward sources of a session: the active one, one in its shadow, and swaps between them."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.config import Options
from roboreward_ros.rewards.guard import Guard
from roboreward_ros.rewards.jobs import (
    DropJob,
    OnLooked,
    OnShadow,
    OnStep,
    OnSwap,
    PushJob,
    RequestFactory,
    ScoreJob,
    as_factory,
    unasked,
    unheard,
)
from roboreward_ros.rewards.live import LiveFrame
from roboreward_ros.rewards.opening import open_source
from roboreward_ros.rewards.progress import OnFrames
from roboreward_ros.rewards.shadow import Shadow, ask_many
from roboreward_ros.rewards.worker import ChildSource, ChildStats
from roboreward_ros.types import (
    Provenance,
    RewardFailure,
    RewardOutcome,
    RewardRequest,
    RewardSpec,
)

_LOG = logging.getLogger(__name__)

LIVE_WINDOW = 32
"""Frames of running episodes that may wait; a source that is slower loses the episode's frames."""
UNWANTED = "nobody waits for it any more"
_POLL_S = 0.05


class RewardHost:
    """Scores episodes in order, in a thread of its own. Safe to use from threads.

    Args:
        name: the active source's registry name.
        options: over its configuration file.
        deadline_s: seconds for one score; None takes each source's own.
        start_s: seconds for loading and warming a source.
        queue_size: requests that may wait.
        on_shadow: receives what the shadow source says, from its own thread.
        on_step: see ``OnStep``.
        on_looked: see ``OnLooked``.
        clock: measures latencies.

    Raises:
        ConfigError: unknown name or options.
        RewardSourceError: the source could not be warmed up.
    """

    def __init__(
        self,
        name: str,
        options: Options | None = None,
        deadline_s: float | None = None,
        start_s: float = 300.0,
        queue_size: int = 64,
        on_shadow: OnShadow | None = None,
        on_step: OnStep | None = None,
        on_looked: OnLooked | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._deadline_s = deadline_s
        self._start_s = start_s
        self._clock = clock or SystemClock()
        self._on_shadow = on_shadow
        self._on_step = on_step
        self._on_looked = on_looked
        self._boundary = threading.Lock()  # held while episodes are being scored
        self._swapping = threading.Lock()
        self._admission = threading.Lock()  # nothing is queued behind the closing mark
        self._running = threading.Lock()
        self._current: ScoreJob | None = None
        self._active = self._open(name, options)
        self._shadow: Shadow | None = None
        self._queue: queue.SimpleQueue[ScoreJob | PushJob | DropJob | None] = queue.SimpleQueue()
        self._limit = queue_size
        self._waiting = 0
        self._frames = 0
        self._lost: set[str] = set()  # episodes whose frames are followed no more
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="reward_host", daemon=True)
        self._thread.start()

    def _open(self, name: str, options: Options | None) -> Guard:
        return open_source(name, options, self._deadline_s, self._start_s, self._clock)

    @property
    def active(self) -> RewardSpec:
        """Spec of the source in force."""
        return self._active.source.spec

    @property
    def batch(self) -> int:
        """Episodes that the source in force answers at once."""
        return self._active.batch

    @property
    def follows(self) -> bool:
        """Whether the source in force may be shown the frames of running episodes."""
        source = self._active.source
        return isinstance(source, ChildSource) and source.follows

    @property
    def child(self) -> ChildStats | None:
        """What the process of the source in force has gone through; None where it has none."""
        source = self._active.source
        return source.stats if isinstance(source, ChildSource) else None

    @property
    def shadow(self) -> RewardSpec | None:
        """Spec of the source in the shadow."""
        return self._shadow.guard.source.spec if self._shadow else None

    @property
    def pending(self) -> int:
        """Requests that wait."""
        return self._waiting

    @property
    def following(self) -> int:
        """Frames of running episodes that nobody has looked at yet."""
        return self._frames

    @property
    def lost(self) -> int:
        """Running episodes whose frames came faster than the source could look."""
        return len(self._lost)

    def swap(
        self, name: str, options: Options | None = None, before: OnSwap = unasked
    ) -> RewardSpec:
        """Warm another source up, then let it take over between two episodes.

        Raises:
            ConfigError: unknown name or options; the active source stays.
            RewardSourceError: it could not be warmed up; the active source stays.
            Exception: what ``before`` raised; the active source stays.
        """
        with self._swapping:
            fresh = self._open(name, options)
            try:
                with self._boundary:
                    before(fresh.source.spec)
                    old, self._active = self._active, fresh
            except BaseException:
                fresh.source.close()
                raise
            old.source.close()
            return fresh.source.spec

    def set_shadow(self, name: str, options: Options | None = None) -> RewardSpec:
        """Let another source score beside the active one; it labels nothing."""
        with self._swapping:
            fresh = Shadow(self._open(name, options), self._on_shadow)
            with self._boundary:
                old, self._shadow = self._shadow, fresh
            if old is not None:
                old.close()
            return fresh.guard.source.spec

    def clear_shadow(self) -> None:
        """Stop the source in the shadow; idempotent."""
        with self._swapping:
            with self._boundary:
                old, self._shadow = self._shadow, None
            if old is not None:
                old.close()

    def promote_shadow(self, before: OnSwap = unasked) -> RewardSpec:
        """Let the warm source in the shadow take over between two episodes.

        Raises:
            RewardSourceError: there is none; the active source stays.
            Exception: what ``before`` raised; the shadow goes on as one.
        """
        with self._swapping:
            with self._boundary:
                shadow = self._shadow
                if shadow is None:
                    raise RewardSourceError(
                        "no source runs in the shadow",
                        next_step="Start one with set_reward_source and shadow: true.",
                    )
                before(shadow.guard.source.spec)
                self._shadow = None
            shadow.stop()  # what it was given before is scored by it as a shadow
            with self._boundary:
                old, self._active = self._active, shadow.guard
            old.source.close()
            return shadow.guard.source.spec

    def push(self, frame: LiveFrame) -> bool:
        """Show the source in force a frame of a running episode; returns at once.

        Returns:
            Whether the episode is still followed. One whose frames come too fast is not: it is
            scored from its stored frames alone.
        """
        if frame.step == 0:
            self._lost.discard(frame.episode_id)
        elif frame.episode_id in self._lost:
            return False
        if not self.follows:
            return False
        with self._admission:
            if self._closed:
                return False
            if self._frames < LIVE_WINDOW:
                self._frames += 1
                self._queue.put(PushJob(frame))
                return True
        self._lose(frame.episode_id)
        return False

    def drop(self, episode_id: str) -> None:
        """Forget the frames of a running episode that came to nothing; idempotent."""
        with self._admission:
            if not self._closed:
                self._queue.put(DropJob(episode_id))

    def _lose(self, episode_id: str) -> None:
        self._lost.add(episode_id)
        self.drop(episode_id)

    def submit(self, request: RewardRequest | RequestFactory) -> Future[RewardOutcome]:
        """Queue an episode; the future always gets an outcome and never an exception.

        Raises:
            RewardSourceError: too many wait, or the host is closed.
        """
        future: Future[RewardOutcome] = Future()
        many = self._submit([as_factory(request)])
        many.future.add_done_callback(lambda done: future.set_result(done.result()[0]))
        return future

    def _submit(
        self, factories: Sequence[RequestFactory], on_frames: OnFrames | None = None
    ) -> ScoreJob:
        job = ScoreJob(factories, Future(), on_frames or unheard)
        with self._admission:
            if self._closed:
                raise RewardSourceError("the reward host is closed")
            if self._waiting >= self._limit:
                raise RewardSourceError(
                    "too many episodes wait for their reward",
                    got=self._waiting,
                    next_step="The episode stays unlabelled and is tried again.",
                )
            self._waiting += 1
            self._queue.put(job)
        return job

    def score(
        self,
        request: RewardRequest | RequestFactory,
        wanted: Callable[[], bool] = lambda: True,
        on_frames: OnFrames | None = None,
    ) -> RewardOutcome:
        """Queue an episode and wait for its outcome while it is ``wanted``; never raises."""
        return self.score_many([request], wanted, on_frames)[0]

    def score_many(
        self,
        requests: Sequence[RewardRequest | RequestFactory],
        wanted: Callable[[], bool] = lambda: True,
        on_frames: OnFrames | None = None,
    ) -> list[RewardOutcome]:
        """Queue episodes together and wait while they are ``wanted``; never raises.

        Args:
            requests: answered in one forward pass where the source can.
            wanted: looked at while it waits; False ends the source's work at its next frame.
            on_frames: told of frames done and in all, from the host's thread.
        """
        name = Provenance(self.active.name)
        try:
            job = self._submit([as_factory(request) for request in requests], on_frames)
        except RewardSourceError as error:
            return [RewardFailure(str(error), name) for _ in requests]
        while wanted():
            with contextlib.suppress(TimeoutError):
                return job.future.result(_POLL_S)
        self._cancel(job)
        return [RewardFailure(UNWANTED, name) for _ in requests]

    def _cancel(self, job: ScoreJob) -> None:
        job.unwanted.set()
        with self._running:
            source = self._active.source
            if self._current is job and isinstance(source, ChildSource):
                source.cancel()

    def close(self) -> None:
        """Answer what waits with failures and end all sources; idempotent."""
        with self._admission:
            if self._closed:
                return
            self._closed = True
        self._queue.put(None)
        self._thread.join()
        self.clear_shadow()
        self._active.source.close()

    # In the host's thread.

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            match job:
                case ScoreJob():
                    self._score(job)
                case PushJob():
                    self._look(job.frame)
                    with self._admission:
                        self._frames -= 1
                case DropJob():
                    source = self._active.source
                    if isinstance(source, ChildSource):
                        source.drop(job.episode_id)

    def _score(self, job: ScoreJob) -> None:
        with self._admission:
            self._waiting -= 1
        if self._closed or job.unwanted.is_set():
            name = Provenance(self.active.name)
            why = "the reward host was closed" if self._closed else UNWANTED
            failure = RewardFailure(why, name)
            job.future.set_result([failure for _ in job.factories])
            return
        with self._boundary:
            source = self._active.source
            if isinstance(source, ChildSource):
                source.on_frames, source.unwanted = job.on_frames, job.unwanted.is_set
            with self._running:
                self._current = job
            outcomes = [outcome for _, outcome in ask_many(self._active, job.factories)]
            with self._running:
                self._current = None
            shadow = self._shadow
            if shadow is not None:
                for factory in job.factories:
                    shadow.offer(factory)
        job.future.set_result(outcomes)

    def _look(self, frame: LiveFrame) -> None:
        """Whatever goes wrong costs this episode its frames, never the thread that scores."""
        value: float | None = None
        try:
            if frame.episode_id not in self._lost:
                with self._boundary:
                    source = self._active.source
                    value = source.push(frame) if isinstance(source, ChildSource) else None
                if value is not None and self._on_step is not None:
                    self._on_step(frame, value)
        except Exception as error:
            _LOG.warning("%s is not followed any more: %s", frame.episode_id, error)
            self._lose(frame.episode_id)
        if self._on_looked is not None:
            self._on_looked(frame, value)
