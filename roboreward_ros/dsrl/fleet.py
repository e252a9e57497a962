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
from pathlib import Path

from roboreward_ros.dsrl.duty import DutyConfig, LearnerDuty
from roboreward_ros.dsrl.fleet_desk import FleetDesk
from roboreward_ros.dsrl.pool import ArmPool, arm_of
from roboreward_ros.episodes.locks import WriterLock
from roboreward_ros.errors import RoboRewardError

_LOG = logging.getLogger(__name__)
SLICE = 20
POLL_S = 1.0


class FleetLearner:
    """See the module's text.

    Args:
        config: of the learner; its ``run_dir`` is the folder.
        checkpoint_s: save at least this often while training, s.

    Attributes:
        desk: for the arms' connections.

    Raises:
        StoreError: another process learns here.
        CheckpointError: the checkpoint does not fit, or cannot be resumed exactly.
    """

    def __init__(self, config: DutyConfig, checkpoint_s: float = 30.0) -> None:
        root = Path(config.run_dir)
        self._checkpoint_s = checkpoint_s
        self._wake = threading.Event()
        self._lock = WriterLock(root / "checkpoints" / ".lock", "the learner's state")
        try:
            self._pool = ArmPool(root, config.source)
            self.desk = FleetDesk(root, self._wake.set)
            for arm, folder in self.desk.arms().items():
                self._pool.add(arm, folder)
            self._duty = LearnerDuty(config, stores=self._pool)
            for arm, folder in self.desk.arms().items():
                self._duty.attend(arm, folder)
        except BaseException:
            self._lock.release()
            raise
        self._saved_s, self._problem = time.monotonic(), ""
        self._saved = self._duty.follower.order  # what the checkpoint holds
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
        """One bounded piece of work; False when there is nothing to do until something comes."""
        for arm, folder in self.desk.arms().items():
            if arm not in self._pool.arms:
                self._pool.add(arm, folder)
                self._duty.attend(arm, folder)
                _LOG.info("a new arm: %s", arm)
        wanted = self.desk.wanted()
        if "release" in wanted:
            self._duty.release()
        worked = self._duty.advance(SLICE)
        self._post()
        due = self._duty.unsaved and time.monotonic() - self._saved_s > self._checkpoint_s
        if due or "save" in wanted:
            self._save()
        return worked

    def _post(self) -> None:
        for arm in self._pool.arms:
            saved = [own for of, own in map(arm_of, self._saved) if of == arm]
            told = self._duty.bulletin(arm)
            if self._problem:
                told = dataclasses.replace(told, warning=self._problem)
            self.desk.post(arm, told, saved)

    def _save(self) -> None:
        self._saved_s = time.monotonic()
        try:
            self._duty.save()
            self._saved, self._problem = self._duty.follower.order, ""
        except (OSError, RoboRewardError) as error:
            self._problem = f"the learner could not be saved: {error}"
            _LOG.error("%s", self._problem)

    def close(self) -> None:
        """Unlock and flush; ``run`` has saved."""
        self._duty.close()
        self._pool.close()
        self.desk.close()
        self._lock.release()
