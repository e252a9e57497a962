# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reward sources of a session: the active one, one in its shadow, and swaps between them."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeAlias

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.config import Options
from roboreward_ros.rewards.guard import Guard
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.worker import ChildSource
from roboreward_ros.types import (
    Provenance,
    RewardFailure,
    RewardOutcome,
    RewardRequest,
    RewardSpec,
)

_LOG = logging.getLogger(__name__)

RequestFactory: TypeAlias = Callable[[RewardSpec], RewardRequest]
"""Makes the request for the source that will score it: what it opens depends on the spec."""

OnShadow: TypeAlias = Callable[[RewardSpec, RewardRequest, RewardOutcome], object]

_POLL_S = 0.05
_Job: TypeAlias = "tuple[RequestFactory, Future[RewardOutcome]]"


def open_source(
    name: str,
    options: Options | None = None,
    deadline_s: float | None = None,
    start_s: float = 300.0,
    clock: Clock | None = None,
) -> Guard:
    """A warm source behind its guard, in a child process if its spec asks for one.

    Raises:
        ConfigError: unknown name or options.
        RewardSourceError: it could not be warmed up; nothing is left running.
    """
    source = build(name, options)
    if source.spec.needs_child_process:
        source.close()
        child = ChildSource(name, options, deadline_s, start_s, clock)
        guard = Guard(child, deadline_s, clock, own_thread=False)
    else:
        guard = Guard(source, deadline_s, clock)
    try:
        guard.warm_up(start_s)
    except BaseException:
        guard.source.close()
        raise
    return guard


class RewardHost:
    """Scores one episode at a time, in order, in a thread of its own. Safe to use from threads.

    Args:
        name: the active source's registry name.
        options: over its configuration file.
        deadline_s: seconds for one score; None takes each source's own.
        start_s: seconds for loading and warming a source.
        queue_size: requests that may wait.
        on_shadow: receives what the shadow source says, from its own thread.
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
        clock: Clock | None = None,
    ) -> None:
        self._deadline_s = deadline_s
        self._start_s = start_s
        self._clock = clock or SystemClock()
        self._on_shadow = on_shadow
        self._boundary = threading.Lock()  # held while an episode is being scored
        self._swapping = threading.Lock()
        self._admission = threading.Lock()  # nothing is queued behind the closing mark
        self._active = self._open(name, options)
        self._shadow: _Shadow | None = None
        self._queue: queue.Queue[_Job | None] = queue.Queue(queue_size)
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
    def shadow(self) -> RewardSpec | None:
        """Spec of the source in the shadow."""
        return self._shadow.guard.source.spec if self._shadow else None

    @property
    def pending(self) -> int:
        """Requests that wait."""
        return self._queue.qsize()

    def swap(self, name: str, options: Options | None = None) -> RewardSpec:
        """Warm another source up, then let it take over between two episodes.

        Raises:
            ConfigError: unknown name or options; the active source stays.
            RewardSourceError: it could not be warmed up; the active source stays.
        """
        with self._swapping:
            fresh = self._open(name, options)
            with self._boundary:
                old, self._active = self._active, fresh
            old.source.close()
            return fresh.source.spec

    def set_shadow(self, name: str, options: Options | None = None) -> RewardSpec:
        """Let another source score beside the active one; it labels nothing."""
        with self._swapping:
            fresh = _Shadow(self._open(name, options), self._on_shadow)
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

    def submit(self, request: RewardRequest | RequestFactory) -> Future[RewardOutcome]:
        """Queue an episode; the future always gets an outcome and never an exception.

        Raises:
            RewardSourceError: too many wait, or the host is closed.
        """
        factory = _fixed(request) if isinstance(request, RewardRequest) else request
        future: Future[RewardOutcome] = Future()
        try:
            with self._admission:
                if self._closed:
                    raise RewardSourceError("the reward host is closed")
                self._queue.put_nowait((factory, future))
        except queue.Full:
            raise RewardSourceError(
                "too many episodes wait for their reward",
                got=self._queue.qsize(),
                next_step="The episode stays unlabelled; it is scored at the next start "
                "or by `roboreward rescore`.",
            ) from None
        return future

    def score(
        self, request: RewardRequest | RequestFactory, wanted: Callable[[], bool] = lambda: True
    ) -> RewardOutcome:
        """Queue an episode and wait for its outcome while it is ``wanted``; never raises."""
        name = Provenance(self.active.name)
        try:
            future = self.submit(request)
        except RewardSourceError as error:
            return RewardFailure(str(error), name)
        while wanted():
            with contextlib.suppress(TimeoutError):
                return future.result(_POLL_S)
        return RewardFailure("nobody waits for it any more", name)

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

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            factory, future = job
            if self._closed:
                name = Provenance(self.active.name)
                future.set_result(RewardFailure("the reward host was closed", name))
                continue
            with self._boundary:
                outcome = _ask(self._active, factory)[1]
                shadow = self._shadow
            future.set_result(outcome)
            if shadow is not None:
                shadow.offer(factory)


class _Shadow:
    """A candidate that scores in its own thread; it may fall behind, then the oldest go."""

    def __init__(self, guard: Guard, report: OnShadow | None) -> None:
        self.guard = guard
        self._report = report
        self._queue: queue.Queue[RequestFactory | None] = queue.Queue(8)
        self._thread = threading.Thread(target=self._work, name="reward_shadow", daemon=True)
        self._thread.start()

    def offer(self, factory: RequestFactory | None) -> None:
        while True:
            try:
                self._queue.put_nowait(factory)
            except queue.Full:
                with contextlib.suppress(queue.Empty):
                    self._queue.get_nowait()
                    _LOG.warning("the shadow source falls behind; one episode is left out")
            else:
                return

    def _work(self) -> None:
        while (factory := self._queue.get()) is not None:
            request, outcome = _ask(self.guard, factory)
            if self._report is None or request is None:
                continue
            try:
                self._report(self.guard.source.spec, request, outcome)
            except Exception:
                _LOG.exception("what the shadow source said could not be reported")

    def close(self) -> None:
        self.offer(None)
        self._thread.join()
        self.guard.source.close()


def _fixed(request: RewardRequest) -> RequestFactory:
    def make(spec: RewardSpec) -> RewardRequest:
        return request if spec.needs_truth else dataclasses.replace(request, truth=None)

    return make


def _ask(guard: Guard, factory: RequestFactory) -> tuple[RewardRequest | None, RewardOutcome]:
    spec = guard.source.spec
    try:
        request = factory(spec)
    except Exception as error:
        return None, RewardFailure(f"the episode cannot be read: {error}", Provenance(spec.name))
    return request, guard.score(request)
