# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Asks a source under a deadline; whatever goes wrong becomes a RewardFailure, never a number."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Callable, Sequence
from typing import cast

from roboreward_ros import memory
from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import RewardSourceError, RoboRewardError
from roboreward_ros.protocols import RewardSource
from roboreward_ros.rewards.live import BatchSource, batch_of
from roboreward_ros.types import (
    Abstain,
    Provenance,
    RewardFailure,
    RewardOutcome,
    RewardRequest,
    RewardSpec,
    Score,
    ScoreKind,
)

_MAX_HANGING = 4


def checked(outcome: object, spec: RewardSpec, request: RewardRequest) -> RewardOutcome:
    """``outcome`` if it is one that ``spec`` may give, else a RewardFailure that says why not."""
    name = Provenance(spec.name)
    if not isinstance(outcome, Score | Abstain | RewardFailure):
        return RewardFailure(
            f"the source answered {type(outcome).__name__} instead of Score, Abstain or Failure",
            name,
        )
    if not isinstance(outcome, Score):
        return outcome
    try:
        score = dataclasses.replace(outcome)  # runs the type's own checks once more
    except (RoboRewardError, TypeError, ValueError) as error:
        return RewardFailure(f"impossible score: {error}", name)
    problem = ""
    if score.scale is not spec.scale:
        problem = f"scored on {score.scale}, announced {spec.scale}"
    elif score.kind is ScoreKind.NONE and score.probabilities:
        problem = "gave a distribution without saying where it comes from"
    elif spec.dense and len(score.per_step) != len(request.frames):
        problem = f"gave {len(score.per_step)} per-step values for {len(request.frames)} frames"
    return RewardFailure(problem, score.provenance) if problem else score


class Guard:
    """Runs one in-process source; used from one thread at a time.

    A call that hangs is abandoned (a thread cannot be killed; models run in a child process for
    that reason). After four abandoned calls the source is not asked again until one returns.

    Args:
        source: what to ask.
        deadline_s: seconds for one score; None takes the spec's.
        clock: measures the latency.
        own_thread: False for a source that keeps deadlines itself (a child process).
    """

    def __init__(
        self,
        source: RewardSource,
        deadline_s: float | None = None,
        clock: Clock | None = None,
        own_thread: bool = True,
    ) -> None:
        self.source = source
        self.deadline_s = source.spec.timeout_s if deadline_s is None else deadline_s
        self._clock = clock or SystemClock()
        self._own_thread = own_thread
        self._hanging: list[threading.Thread] = []

    def score(self, request: RewardRequest) -> RewardOutcome:
        """The source's checked outcome with its measured latency; never raises, never hangs."""
        start = self._clock.steady_ns()
        outcome = self._ask(request)
        latency_s = (self._clock.steady_ns() - start) / 1e9
        return dataclasses.replace(outcome, latency_s=latency_s)

    @property
    def batch(self) -> int:
        """Episodes that the source answers at once."""
        return batch_of(self.source)

    def score_many(self, requests: Sequence[RewardRequest]) -> list[RewardOutcome]:
        """Outcomes in order, each with the latency of its forward pass; never raises or hangs.

        All have one deadline together. Where that fails each is asked about alone, so that one bad
        episode costs the others time and nothing else.
        """
        source = self.source
        if len(requests) < 2 or batch_of(source) < 2:
            return [self.score(request) for request in requests]
        start = self._clock.steady_ns()
        asked = list(requests)
        together = cast("BatchSource", source)
        answer = self._run(lambda: together.score_batch(asked), self.deadline_s)
        if not isinstance(answer, list) or len(answer) != len(asked):
            return [self.score(request) for request in requests]
        latency_s = (self._clock.steady_ns() - start) / 1e9
        return [
            dataclasses.replace(checked(outcome, source.spec, request), latency_s=latency_s)
            for outcome, request in zip(answer, asked, strict=True)
        ]

    def warm_up(self, timeout_s: float) -> None:
        """Warm the source up; raises RewardSourceError with its reason, or after ``timeout_s``."""
        answer = self._run(self.source.warm_up, timeout_s)
        if isinstance(answer, RewardSourceError):
            raise answer
        if isinstance(answer, BaseException):
            raise RewardSourceError(
                f"reward source '{self.source.spec.name}' cannot be warmed up",
                got=memory.explained(answer),
            )

    def _ask(self, request: RewardRequest) -> RewardOutcome:
        spec = self.source.spec
        self._hanging = [thread for thread in self._hanging if thread.is_alive()]
        if len(self._hanging) >= _MAX_HANGING:
            return RewardFailure(
                f"{len(self._hanging)} earlier calls still hang", Provenance(spec.name)
            )
        answer = self._run(lambda: self.source.score(request), self.deadline_s)
        if isinstance(answer, BaseException):
            return RewardFailure(memory.explained(answer), Provenance(spec.name))
        return checked(answer, spec, request)

    def _run(self, call: Callable[[], object], timeout_s: float) -> object:
        """What ``call`` returned or raised."""
        answers: queue.SimpleQueue[object] = queue.SimpleQueue()
        if not self._own_thread:
            _answer(call, answers)
            return answers.get()
        thread = threading.Thread(
            target=_answer, args=(call, answers), name="reward_source", daemon=True
        )
        thread.start()
        try:
            return answers.get(timeout=timeout_s)
        except queue.Empty:
            self._hanging.append(thread)
            return RewardSourceError(f"no answer within {timeout_s:g} s")


def _answer(call: Callable[[], object], answers: queue.SimpleQueue[object]) -> None:
    try:
        answers.put(call())
    except BaseException as error:  # also SystemExit: a source must not end the process
        answers.put(error)
