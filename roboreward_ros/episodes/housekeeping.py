# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps a run within its disk budget while it goes on: a thread that looks after each episode.

Beside the recording, never in its way: it works on committed episodes only.
"""

from __future__ import annotations

import logging
import shutil
import threading
from dataclasses import dataclass, replace

from roboreward_ros.episodes.retention import Learned, Retention, RetentionConfig
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import RoboRewardError

_LOG = logging.getLogger(__name__)
LEVEL = 0.9  # pictures go down to this part of the budget, so that not every episode calls for it


@dataclass(frozen=True, slots=True)
class DiskState:
    """What the run takes, as of the last look.

    Attributes:
        run_bytes: of the run's folder; 0 before the first look and without a budget.
        free_bytes: of its disk.
        removed: episodes whose pictures went since the start.
        problem: why the budget is not met, or what failed; "" where all is well.
    """

    run_bytes: int = 0
    free_bytes: int = 0
    removed: int = 0
    problem: str = ""


class Housekeeper:
    """See the module's text.

    Args:
        store: open for writing; its owner closes it after ``close``.
        config: the budget; without one it only looks at the free space.
        learned: see ``retention.Learned``; called on the thread.
    """

    def __init__(self, store: EpisodeStore, config: RetentionConfig, learned: Learned) -> None:
        self.state = DiskState(free_bytes=shutil.disk_usage(store.root).free)
        self._store = store
        self._retention = Retention(store, config, learned)
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Begin, with what a death left over."""
        self.nudge()
        self._thread.start()

    def report(self) -> tuple[int, int, int, str]:
        """Fields of the present state, for who does not know episodes."""
        it = self.state
        return it.run_bytes, it.free_bytes, it.removed, it.problem

    def nudge(self) -> None:
        """An episode was committed."""
        self._wake.set()

    def close(self, timeout_s: float = 10.0) -> None:
        """End the thread; a removal that has begun is ended first."""
        self._closing = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        first = True
        while not self._closing:
            self._wake.wait()
            self._wake.clear()
            if self._closing:
                return
            try:
                if first:
                    self._retention.finish()
                    first = False
                self.look()
            except (RoboRewardError, OSError) as error:
                problem = f"the disk budget could not be kept: {error}"
                _LOG.error("%s", problem)
                self.state = replace(self.state, problem=problem)  # asks no disk that failed

    def look(self) -> None:
        """Measure, and remove where the budget asks for it.

        Raises:
            RoboRewardError, OSError: a store cannot be read or written.
        """
        if not self._retention.config.budget_bytes:
            self._note(0, "")  # a long run has a million files: not looked at for nothing
            return
        plan = self._retention.plan(level=LEVEL)
        gone: list[str] = []
        freed = 0
        for part in plan.parts():
            if self._closing:
                break
            freed += self._retention.carry_out(part)
            gone.append(part.remove[0].episode_id)
        if gone:
            _LOG.warning(
                "the pictures of %d episodes, %s to %s, were removed for the disk budget: %.3g MB",
                len(gone), gone[0], gone[-1], freed / 1e6,
            )  # fmt: skip
        if plan.problem and plan.problem != self.state.problem:
            _LOG.warning("%s", plan.problem)
        self._note(len(gone), plan.problem, plan.total - freed)

    def _note(self, removed: int, problem: str, run_bytes: int | None = None) -> None:
        before = self.state
        self.state = DiskState(
            before.run_bytes if run_bytes is None else run_bytes,
            shutil.disk_usage(self._store.root).free,
            before.removed + removed,
            problem,
        )
