# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A candidate that scores beside the source in force and labels nothing."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Sequence
from typing import TypeAlias

from roboreward_ros.rewards.guard import Guard
from roboreward_ros.rewards.jobs import OnShadow, RequestFactory
from roboreward_ros.types import (
    Provenance,
    RewardFailure,
    RewardOutcome,
    RewardRequest,
)

_LOG = logging.getLogger(__name__)

Asked: TypeAlias = "tuple[RewardRequest | None, RewardOutcome]"


def ask_many(guard: Guard, factories: Sequence[RequestFactory]) -> list[Asked]:
    """Requests and outcomes in order; what cannot be read fails alone. Never raises."""
    spec = guard.source.spec
    requests: list[RewardRequest | None] = []
    failures: dict[int, RewardOutcome] = {}
    for place, factory in enumerate(factories):
        try:
            requests.append(factory(spec))
        except Exception as error:
            requests.append(None)
            text = f"the episode cannot be read: {error}"
            failures[place] = RewardFailure(text, Provenance(spec.name))
    answers = iter(guard.score_many([request for request in requests if request is not None]))
    return [
        (request, failures[place] if request is None else next(answers))
        for place, request in enumerate(requests)
    ]


class Shadow:
    """Scores in its own thread; it may fall behind, then the oldest episodes go.

    Args:
        guard: of the candidate, warm.
        report: receives what it says.
    """

    def __init__(self, guard: Guard, report: OnShadow | None) -> None:
        self.guard = guard
        self._report = report
        self._queue: queue.Queue[RequestFactory | None] = queue.Queue(8)
        self._thread = threading.Thread(target=self._work, name="reward_shadow", daemon=True)
        self._thread.start()

    def offer(self, factory: RequestFactory | None) -> None:
        """Let it score an episode some time."""
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
            request, outcome = ask_many(self.guard, [factory])[0]
            if self._report is None or request is None:
                continue
            try:
                self._report(self.guard.source.spec, request, outcome)
            except Exception:
                _LOG.exception("what the shadow source said could not be reported")

    def stop(self) -> None:
        """Score what it was given, then end its thread; the source stays warm."""
        self.offer(None)
        self._thread.join()

    def close(self) -> None:
        """End it and its source."""
        self.stop()
        self.guard.source.close()
