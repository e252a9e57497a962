# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs episodes one after the other and is the one place where a person starts and stops them.

Usage::

    python -m roboreward_ros.nodes.session_node --ros-args -p run_dir:=runs/first \
        -p task:="open the drawer" -p episodes:=100

Serves ``run_episode``, ``~/verb`` (for consoles) and ``~/start ~/stop ~/confirm_reset ~/hold ~/undo
~/quit ~/label ~/discard``; publishes the latched ``session``. The state machine
(``roboreward_ros.session``) decides; all happens on one loop, which never waits for other nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import roboreward_ros.msg as msg
from roboreward_ros.episodes.desk import OperatorDesk
from roboreward_ros.episodes.reader import StoredEpisode
from roboreward_ros.episodes.tally import Tally
from roboreward_ros.episodes.views import LabelStatus
from roboreward_ros.errors import ConfigError
from roboreward_ros.ros.episode_driver import EpisodeDriver
from roboreward_ros.ros.leftovers import UNKNOWN, Leftovers
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.loop import Loop
from roboreward_ros.ros.operator import EpisodeReport, OperatorServices
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.peers import Peer, PeerWatch
from roboreward_ros.ros.qos import LATCHED
from roboreward_ros.ros.session_board import SessionBoard
from roboreward_ros.ros.spin import run
from roboreward_ros.session import events as ev
from roboreward_ros.session.account import Account
from roboreward_ros.session.director import Director
from roboreward_ros.session.machine import MachineConfig, SessionMachine
from roboreward_ros.session.memory import load_memory
from roboreward_ros.session.plan import PlanConfig, episode_id
from roboreward_ros.session.reset_program import ResetProgramConfig
from roboreward_ros.sim.tasks import default_max_steps

TICK_S = 0.2
_CODES = {LabelStatus.LABELLED: 0, LabelStatus.ABSTAINED: 1, LabelStatus.FAILED: 2}  # of Reward


@dataclass(frozen=True, slots=True)
class SessionConfig(HostConfig):
    """Parameters of session_node; help texts are the fields' metadata."""

    task: str = option("", "what to do, as a sentence")
    episodes: int = option(0, "committed episodes to reach; 0: no end")
    max_steps: int = option(0, "time limit of an episode in control steps; 0: the task's own")
    seed: int = option(0, "seed of the run: layouts and noise")
    canary_every: int = option(0, "every n-th episode runs with plain noise; 0: none")
    more_tasks: tuple[str, ...] = option(("",), "sentences that take turns with task")
    rotate_every: int = option(1, "episodes of one task before the next has its turn")
    auto_start: bool = option(True, "begin as soon as all nodes are there")
    auto_reset: bool = option(True, "the scene resets itself (twin); else the operator confirms")
    reset_command: str = option("", "program that lays out an arm's scene; exit code 0 for ready")
    reset_command_s: float = option(120.0, "longest run of reset_command, s")
    reset_confirm: bool = option(True, "the operator confirms what reset_command did")
    wait_for_learner: bool = option(False, "go on only when the learner's quota is finished")
    wait_for_reward: bool = option(False, "go on only when the last episode is scored")
    ask_operator: bool = option(False, "ask the operator about episodes without a score")
    stop_when_done: bool = option(True, "leave with exit code 0 when the episodes are committed")
    exit_on_fault: bool = option(False, "leave with exit code 1 when no tries are left")
    max_retries: int = option(3, "failures in a row that are tried again without a person")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        if self.max_steps < 0:
            raise ConfigError("max_steps", got=self.max_steps, allowed="0 or more")
        self.plan()
        ResetProgramConfig(self.reset_command, self.reset_command_s)

    def plan(self, task: str = "-") -> PlanConfig:
        """The run's plan; a ROS parameter cannot be an empty list, so "" stands for none."""
        first, *more = (self.task or task, *filter(None, self.more_tasks))
        turns = tuple(more), self.rotate_every
        return PlanConfig(first, self.seed, self.episodes, self.canary_every, *turns)


class SessionNode(HostNode[SessionConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("session_node", SessionConfig, **arguments)  # type: ignore[arg-type]
        self._loop: Loop | None = None
        self._operator: OperatorServices | None = None
        self._desk: OperatorDesk | None = None

    def _setup(self) -> None:
        config = self.config
        Path(config.run_dir).mkdir(parents=True, exist_ok=True)
        self._desk = OperatorDesk(config.run_dir, self.clock)
        self._store = self._desk.store
        self._tally = Tally(config.run_dir)
        memory = load_memory(config.run_dir)
        owner = "sim_node" if config.auto_reset else "robot_node"
        self._machine = SessionMachine(
            MachineConfig(
                *(config.auto_reset, bool(config.reset_command), config.reset_confirm),
                *(config.wait_for_reward, config.wait_for_learner),
                *(config.ask_operator, config.max_retries),
                motion_peers=frozenset({owner, "policy_node", "recorder_node"}),
            ),
            config.plan(task=""),
            task=memory.task,
        )
        self._machine.adopt(self._store.ids(), self._tally.answered)
        self._machine.missing = UNKNOWN
        account = Account(self.clock, memory.idle)
        self._director = Director(self._machine, account, config.run_dir, self)
        self._waits, self._policy_version = memory.waits, 0
        self._board = SessionBoard(self)
        self._loop = Loop("session worker", self._broken, self.clock)
        self._driver = EpisodeDriver(self, self._loop, self._director, self)
        self._director.driver = self._driver
        program = ResetProgramConfig(config.reset_command, config.reset_command_s)
        self._director.use_program(program, self.clock, self._loop.post)
        status = msg.LearnerStatus
        self._learner = self.create_subscription(status, "learner", self._on_learner, LATCHED)
        learner = {"learner_node": Peer("learner", lambda: self._learner.get_publisher_count() > 0)}
        self._peers = PeerWatch(self, self._driver.peers(owner) | learner)
        self._leftovers = Leftovers(self, self._loop, self._store.ids, self._machine.adopt)
        self._operator = OperatorServices(self, self._loop, self._director, self._report)

    def _start(self) -> None:
        assert self._loop is not None
        self._loop.start()
        self._loop.post(self._tick)

    def _stop(self, reason: str) -> None:
        """Let a running episode go without a trace, then remember the account."""
        loop = self._loop
        if loop is None:
            return
        self.get_logger().info(f"session ends: {reason}")
        loop.post(self._director.abandon)
        if self._operator is not None:
            self._operator.server.end_all()
        loop.close()

    def _teardown(self) -> None:
        server = None if self._operator is None else self._operator.server
        for part in (server, self._loop, self._desk):
            if part is not None:
                part.close()
        self._loop = self._operator = self._desk = None

    def max_steps(self, task: str) -> int:
        return self.config.max_steps or default_max_steps(task)

    def min_policy_version(self) -> int:
        return self._policy_version if self.config.wait_for_learner else 0

    def stored(self, episode_id: str) -> StoredEpisode:
        return self._store.open(episode_id)

    def write_label(self, episode_id: str, key: str, operator: str) -> tuple[str, int]:
        assert self._desk is not None
        record = self._desk.label(episode_id, key, operator)
        self._board.labelled(record)
        return record.episode_id, record.seq

    def mark_discarded(self, episode_id: str, reason: str) -> None:
        assert self._desk is not None
        self._board.discarded(self._desk.discard(episode_id, reason), self.stored(episode_id).uri)

    def later(self, delay_s: float, job: Callable[[], None]) -> None:
        assert self._loop is not None
        self._loop.after(delay_s, job)

    def note(self, text: str) -> None:
        self.get_logger().info(text)

    def ended(self, command: ev.GiveUp | ev.Finish | ev.Leave) -> None:
        match command:
            case ev.GiveUp(message):
                self.get_logger().error(message)
                if self.config.exit_on_fault:
                    self.stop.set(message, code=1)
            case ev.Finish() if self.config.stop_when_done:
                self.stop.set(self._machine.message)
            case ev.Leave():
                self.stop.set("the operator quit")

    def _broken(self, error: BaseException) -> None:  # the run resumes where it was
        self.get_logger().error(f"the session cannot go on: {error}")
        self.stop.set(str(error), code=1)

    def _report(self) -> EpisodeReport:
        label, last = self._tally.label(self._machine.last_id), self._director.last
        value = label.score.value if label.score is not None else math.nan
        outcome = _CODES.get(label.status)
        return EpisodeReport(last.part, last.message, last.end_cause, last.uri, outcome, value)

    def _tick(self) -> None:
        assert self._loop is not None
        missing = self._leftovers.block(self._peers.missing(), episode_id(self._machine.committed))
        self._director.feed(ev.Peers(missing))
        if self.config.auto_start and not (self._waits or self._director.begun or missing):
            self._director.start()
        self._loop.after(TICK_S, self._tick)

    def _on_learner(self, status: msg.LearnerStatus) -> None:
        def heard() -> None:
            self._policy_version, self._director.notice = int(status.policy_version), status.alarm
            self._director.feed(ev.LearnerProgress(int(status.episodes_done)))

        if self._loop:
            self._loop.post(heard)

    def changed(self) -> None:
        machine = self._machine
        if not self._board.due(machine.phase, machine.message):
            return
        counts = self._tally.counts(self._store.ids())
        last = self._tally.label(machine.last_id).score
        view = self._director.view(counts.labelled, counts.abstained, counts.errors)
        self._board.show(
            replace(
                view,
                max_steps=self.max_steps(view.task),
                claimed_successes=counts.claimed_successes,
                reward_source=counts.source,
                last_reward=None if last is None else last.value,
                policy_version=self._policy_version,
            )
        )


def main() -> int:
    return run(SessionNode)


if __name__ == "__main__":
    raise SystemExit(main())
