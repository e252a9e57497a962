# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One learner for the runs of several arms, on a host of its own. No ROS; one thread learns.

``arms/<name>/``                      a mirror of each arm's run (``episodes.mirror``)
``intake.jsonl``                      in which order their episodes were taken in
``checkpoints/ policies/``            the learner's state and the actors that it publishes to all
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from roboreward_ros.dsrl.duty import DutyConfig, LearnerDuty
from roboreward_ros.dsrl.fleet_desk import FleetDesk
from roboreward_ros.dsrl.fleet_disk import FleetDisk, FleetDiskConfig
from roboreward_ros.dsrl.pool import ArmPool, arm_of
from roboreward_ros.dsrl.saving import SLICE, require_period
from roboreward_ros.episodes.locks import WriterLock
from roboreward_ros.errors import RoboRewardError, StoreError

_LOG = logging.getLogger(__name__)
POLL_S = 1.0


class FleetLearner:
    """See the module's text.

    Args:
        config: of the learner; its ``run_dir`` is the folder.
        checkpoint_s: save at least this often while training, s (``dsrl.saving``).
        disk: see ``FleetDiskConfig``.
        steady_s: seconds of a steady clock.

    Attributes:
        desk: for the arms' connections.

    Raises:
        ConfigError: ``checkpoint_s`` is too long.
        StoreError: another process learns here.
        CheckpointError: the checkpoint does not fit, or cannot be resumed exactly.
    """

    def __init__(
        self,
        config: DutyConfig,
        checkpoint_s: float = 30.0,
        disk: FleetDiskConfig | None = None,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        require_period(checkpoint_s)
        root = Path(config.run_dir)
        self._disk = FleetDisk(root, disk or FleetDiskConfig())
        self._checkpoint_s = checkpoint_s
        self._steady_s = steady_s
        self._wake = threading.Event()
        self._lock = WriterLock(root / "checkpoints" / ".lock", "the learner's state")
        try:
            self._pool = ArmPool(root, config.source)
            self.desk = FleetDesk(root, self._wake.set, self._disk.require_room)
            for arm, folder in self.desk.arms().items():
                self._pool.add(arm, folder)
            self._duty = LearnerDuty(config, steady_s, self._pool)
            for arm, folder in self.desk.arms().items():
                self._duty.attend(arm, folder)
        except BaseException:
            self._lock.release()
            raise
        self._saved_s = self._steady_s()
        self._problems: dict[str, str] = {}
        self._saved = self._held()
        self._post()

    def run(self, stop: threading.Event) -> None:
        """Learn until ``stop``, then save; an update that broke off is not saved."""
        while not stop.is_set():
            self._wake.clear()
            while self.advance() and not stop.is_set():
                pass
            if not stop.is_set():
                self._wake.wait(POLL_S)
        self._save()

    def wake(self) -> None:
        """Look at the stores, or at ``stop``, now."""
        self._wake.set()

    def advance(self) -> bool:
        """One bounded piece of work; False when there is nothing to do until something comes.

        A disk that takes nothing is told to every arm and tried again with the next call.
        """
        worked = False
        try:
            worked = self._work()
            self._note("work", "")
        except (OSError, StoreError) as error:
            self._note("work", f"the learner waits: {error}")
        self._post()
        return worked

    def _work(self) -> bool:
        for arm, folder in self.desk.arms().items():
            if arm not in self._pool.arms:
                self._pool.add(arm, folder)
                self._duty.attend(arm, folder)
                _LOG.info("a new arm: %s", arm)
        wanted = self.desk.wanted()
        if "release" in wanted:
            self._duty.release()
        worked = self._duty.advance(SLICE)
        due = self._duty.unsaved and self._steady_s() - self._saved_s > self._checkpoint_s
        if due or "save" in wanted:
            self._save()
        return worked

    def _post(self) -> None:
        problems = [*filter(None, (self._disk.refusal(), *self._problems.values()))]
        for arm in self._pool.arms:
            told = self._duty.bulletin(arm)
            if problems:
                warning = "; ".join([*filter(None, (told.warning,)), *problems])
                told = dataclasses.replace(told, warning=warning)
            self.desk.post(arm, told, self._saved.get(arm, ()))

    def _save(self) -> None:
        self._saved_s = self._steady_s()
        try:
            if self._duty.save():
                self._saved = self._held()
            self._note("save", "")
        except (OSError, RoboRewardError) as error:
            self._note("save", f"the learner could not be saved: {error}")
        try:
            self._note("budget", self._disk.keep(self.desk.arms(), self._saved))
        except (OSError, RoboRewardError) as error:
            self._note("budget", f"the mirrors' disk budget could not be kept: {error}")

    def _note(self, what: str, problem: str) -> None:
        """Every arm is told, until it is well; the log is once."""
        if problem and self._problems.get(what) != problem:
            _LOG.error("%s", problem)
        self._problems[what] = problem

    def _held(self) -> dict[str, tuple[str, ...]]:
        """Arm -> its episodes that the learner has learnt from, or will; not those it refused."""
        held: dict[str, list[str]] = {}
        follower = self._duty.follower
        for arm, own in map(arm_of, filter(lambda it: it not in follower.refused, follower.order)):
            held.setdefault(arm, []).append(own)
        return {arm: tuple(own) for arm, own in held.items()}

    def close(self) -> None:
        """Unlock and flush; ``run`` has saved."""
        self._duty.close()
        self._pool.close()
        self.desk.close()
        self._lock.release()
