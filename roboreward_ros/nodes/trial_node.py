# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs a blinded comparison of a policy with its steered form; ``roboreward policy eval --robot``.

Usage::

    python -m roboreward_ros.nodes.trial_node --ros-args --disable-stdout-logs -p run_dir:=FOLDER

Takes the session's place beside robot_node, camera_node, recorder_node and policy_node, and talks
with the person at the arm over its terminal. ``FOLDER`` holds the plan.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError, PersonLeftError
from roboreward_ros.evaluation.arm_trials.book import TrialBook
from roboreward_ros.evaluation.arm_trials.conduct import Person, TrialOutcome, conduct
from roboreward_ros.evaluation.arm_trials.plan import Trial, load_plan
from roboreward_ros.evaluation.success import Arm
from roboreward_ros.ros.dialogue import LEFT_EXIT_CODE, Terminal, end_of
from roboreward_ros.ros.driver_seams import DriverConfig
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.loop import Loop
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.peers import PeerWatch
from roboreward_ros.ros.spin import run
from roboreward_ros.ros.trial_stage import StageOrder, TrialStage
from roboreward_ros.session.plan import episode_id

CLOSE_S = 10.0
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class TrialConfig(HostConfig):
    """Parameters of trial_node; help texts are the fields' metadata."""

    judge: str = option("", "name that the judgements carry")
    reset_timeout_s: float = option(180.0, "longest reset of the arm, recovery included, s")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        if not 1.0 <= self.reset_timeout_s <= 3600.0:
            raise ConfigError(
                "reset_timeout_s out of range", got=self.reset_timeout_s, allowed="1..3600"
            )


class TrialNode(HostNode[TrialConfig]):
    """See the module's text.

    Args:
        terminal: where the person is; None: this process's own.
        arguments: of HostNode.
    """

    def __init__(self, terminal: Terminal | None = None, **arguments: object) -> None:
        super().__init__("trial_node", TrialConfig, **arguments)  # type: ignore[arg-type]
        self._leaving = threading.Event()
        self._terminal = terminal or Terminal(self._leaving)
        self._loop: Loop | None = None
        self._book: TrialBook | None = None
        self._thread: threading.Thread | None = None

    def _setup(self) -> None:
        folder = Path(self.config.run_dir)
        plan = load_plan(folder)
        if plan is None:
            raise ConfigError(
                "there is no comparison in this folder",
                got=str(folder),
                next_step="Begin one: roboreward policy eval --robot --out FOLDER ...",
            )
        self._book = TrialBook(folder, plan)
        self._store = EpisodeStore(folder)
        self._loop = Loop("trial worker", clock=self.clock)
        self._stage = TrialStage(
            self,
            self._loop,
            self._store.open,
            plan.max_steps,
            plan.actor_version,
            self._leaving.is_set,
            DriverConfig(reset_s=self.config.reset_timeout_s),
        )
        peers = self._stage.driver.peers("robot_node")
        del peers["reward_node"]
        self._peers = PeerWatch(self, peers)
        self._leaving.clear()
        self._thread = threading.Thread(target=self._serve, name="trial person", daemon=True)

    def _start(self) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.start()
        self._thread.start()

    def _stop(self, reason: str) -> None:
        del reason
        self._leaving.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(CLOSE_S)
        if self._loop is not None:
            self._loop.close()

    def _teardown(self) -> None:
        self._leaving.set()
        if self._book is not None:
            self._book.close()
        self._loop = self._book = self._thread = None

    def _serve(self) -> None:
        """In the person's thread."""
        code, reason = end_of(self._conduct, self.get_logger().error)
        try:
            if code == 1:
                self._terminal.say(reason)
        finally:  # where nobody reads, too
            self.stop.set(reason, code=code)

    def _conduct(self) -> tuple[int, str]:
        assert self._book is not None
        person = Person(self.config.judge or "unknown", self._terminal.say, self._terminal.ask)
        self._wait_for_peers()
        if conduct(self._book, self, person):
            return 0, "all trials are judged"
        return LEFT_EXIT_CODE, "the person left"

    def _wait_for_peers(self) -> None:
        told: frozenset[str] = frozenset()
        while missing := self._peers.missing():
            if missing != told:
                self._terminal.say(f"waiting for {', '.join(sorted(missing))}")
                told = missing
            if self._leaving.wait(POLL_S):
                raise PersonLeftError

    def run(self, trial: Trial) -> TrialOutcome:
        """Protocol ``Stage``: one episode of the comparison."""
        assert self._book is not None
        index = len(self._store.ids())
        base = trial.arm is Arm.BASE
        order = StageOrder(episode_id(index), index, self._book.plan.task, trial.seed, base)
        problem = self._stage.run(order)
        if self._leaving.is_set():
            raise PersonLeftError
        return TrialOutcome("" if problem else order.episode_id, problem)


def main() -> int:
    return run(TrialNode)


if __name__ == "__main__":
    raise SystemExit(main())
