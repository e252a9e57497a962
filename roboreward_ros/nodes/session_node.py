# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs episodes one after the other and is the one place where a person starts and stops them.

Usage::

    python -m roboreward_ros.nodes.session_node --ros-args -p run_dir:=runs/first \
        -p task:="open the drawer" -p episodes:=100

Serves ``run_episode`` and ``~/start ~/stop ~/confirm_reset ~/label ~/discard``; publishes the
latched ``session``. The state machine (``roboreward_ros.session``) decides; everything here happens
on one loop, which hears of the other nodes and never waits for them.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

import roboreward_ros.msg as msg
from roboreward_ros.episodes.desk import OperatorDesk
from roboreward_ros.episodes.labels import KEYS
from roboreward_ros.episodes.tally import Tally
from roboreward_ros.episodes.views import LabelStatus
from roboreward_ros.errors import ConfigError, StoreError
from roboreward_ros.ros import convert
from roboreward_ros.ros.episode_driver import DriverConfig, EpisodeDriver, EpisodeOrder
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.loop import Loop
from roboreward_ros.ros.operator import EpisodeReport, OperatorServices, outcome_code
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.peers import Peer, PeerWatch
from roboreward_ros.ros.qos import EVENT, LATCHED
from roboreward_ros.ros.spin import run
from roboreward_ros.session import events as ev
from roboreward_ros.session.account import Account
from roboreward_ros.session.events import Phase
from roboreward_ros.session.machine import MachineConfig, SessionMachine
from roboreward_ros.session.memory import SessionMemory, load_memory, save_memory
from roboreward_ros.session.phases import cause_of
from roboreward_ros.session.plan import PlanConfig, PlannedEpisode
from roboreward_ros.sim.tasks import TASKS
from roboreward_ros.types import EndCause, SessionView

TICK_S = 0.2
PUBLISH_S = 0.5
REAL_MAX_STEPS = 60
"""Time limit of a task that the twin does not know: 12 s at 5 Hz."""


@dataclass(frozen=True, slots=True)
class SessionConfig(HostConfig):
    """Parameters of session_node; help texts are the fields' metadata."""

    task: str = option("", "what to do, as a sentence")
    episodes: int = option(0, "committed episodes to reach; 0: no end")
    max_steps: int = option(0, "time limit of an episode in control steps; 0: the task's own")
    seed: int = option(0, "seed of the run: layouts and noise")
    canary_every: int = option(0, "every n-th episode runs with plain noise; 0: none")
    auto_start: bool = option(True, "begin as soon as all nodes are there")
    auto_reset: bool = option(True, "the scene resets itself (twin); else the operator confirms")
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
        PlanConfig(self.task or "-", self.seed, self.episodes, self.canary_every)


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
        self._owner = "sim_node" if config.auto_reset else "robot_node"
        ids = self._store.ids()
        self._machine = SessionMachine(
            MachineConfig(
                auto_reset=config.auto_reset,
                wait_for_reward=config.wait_for_reward,
                wait_for_learner=config.wait_for_learner,
                ask_operator=config.ask_operator,
                max_retries=config.max_retries,
                motion_peers=frozenset({self._owner, "policy_node", "recorder_node"}),
            ),
            PlanConfig(config.task, config.seed, config.episodes, config.canary_every),
            committed=len(ids),
            task=memory.task,
        )
        self._machine.last_id = ids[-1] if ids else ""
        self._account = Account(self.clock, memory.idle)
        self._begun = False  # the first start has been given
        self._step = self._policy_version = 0
        self._report = EpisodeReport()
        self._label_seq = 0
        self._sent, self._sent_ns = (Phase.DONE, ""), 0
        self._state = self.create_publisher(msg.SessionState, "session", LATCHED)
        self._events = self.create_publisher(msg.EpisodeEvent, "episode", EVENT)
        self._rewards = self.create_publisher(msg.Reward, "reward", EVENT)
        self._loop = Loop("session worker", self._broken, self.clock)
        self._driver = EpisodeDriver(self, self._loop, self, DriverConfig())
        self._learner = self.create_subscription(
            msg.LearnerStatus, "learner", self._on_learner, LATCHED
        )
        learner = Peer("learner", lambda: self._learner.get_publisher_count() > 0)
        self._peers = PeerWatch(self, {**self._driver.peers(self._owner), "learner_node": learner})
        self._operator = OperatorServices(self, self._loop, self)

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
        loop.post(self._abandon)
        if self._operator is not None:
            self._operator.server.end_all()
        loop.close()

    def _abandon(self) -> None:
        if self._machine.episode is not None:
            self._driver.abort(self._machine.episode.episode_id)
        self._remember()

    def _teardown(self) -> None:
        if self._operator is not None:
            self._operator.server.close()
        if self._loop is not None:
            self._loop.close()
        if self._desk is not None:
            self._desk.close()
        self._loop = self._operator = self._desk = None

    # On the loop: the machine and what it asks for.

    def _feed(self, event: ev.Event) -> None:
        """Raises SessionError for a verb that is not possible now."""
        machine = self._machine
        before = machine.phase
        commands = machine.handle(event)
        if before is not machine.phase:
            self.get_logger().info(f"{machine.phase}: {machine.message}")
        if self._begun:
            self._account.switch(cause_of(machine))
        for command in commands:
            self._carry_out(command)
        self._publish()

    def _carry_out(self, command: ev.Command) -> None:
        assert self._loop is not None
        match command:
            case ev.Reset(episode):
                self._step = 0
                self._driver.reset(self._order(episode))
            case ev.Begin(episode):
                self._driver.begin(self._order(episode))
            case ev.End(episode_id, end_cause):
                self._driver.end(episode_id, end_cause)
            case ev.Abort(episode_id):
                self._driver.abort(episode_id)
            case ev.Score(episode_id):
                self._driver.score(episode_id, self._store.open(episode_id).uri)
            case ev.WriteLabel(episode_id, key, operator):
                self._write_label(episode_id, key, operator)
            case ev.MarkDiscarded(episode_id, reason):
                self._mark_discarded(episode_id, reason)
            case ev.RetryIn(delay_s, failure):
                self._loop.after(delay_s, lambda: self._feed(ev.RetryDue(failure)))
            case ev.GiveUp(message):
                self.get_logger().error(message)
                if self.config.exit_on_fault:
                    self._leave(message, code=1)
            case ev.Finish() if self.config.stop_when_done:
                self._leave(self._machine.message)
            case ev.Leave():
                self._leave("the operator quit")

    def _hear(self, event: ev.Event) -> None:
        """An answer that comes while a command is carried out: after its turn."""
        assert self._loop is not None
        self._loop.post(lambda: self._feed(event))

    def _leave(self, reason: str, code: int = 0) -> None:
        self._remember()
        self.stop.set(reason, code)

    def _order(self, episode: PlannedEpisode) -> EpisodeOrder:
        version = self._policy_version if self.config.wait_for_learner else 0
        return EpisodeOrder(
            episode_id=episode.episode_id,
            index=episode.index,
            task=episode.task,
            seed=episode.seed,
            max_steps=self._max_steps(episode.task),
            canary=episode.canary,
            min_policy_version=version,
        )

    def _max_steps(self, task: str) -> int:
        known = {spec.sentence: spec.max_steps for spec in TASKS}
        return self.config.max_steps or known.get(task, REAL_MAX_STEPS)

    def _write_label(self, episode_id: str, key: str, operator: str) -> None:
        assert self._desk is not None
        record = self._desk.label(episode_id, key, operator)
        self._label_seq = record.seq
        self._rewards.publish(convert.record_to_msg(record))
        self._hear(ev.Labelled(record.episode_id))

    def _mark_discarded(self, episode_id: str, reason: str) -> None:
        assert self._desk is not None
        summary = self._desk.discard(episode_id, reason)
        uri = self._store.open(episode_id).uri
        self._events.publish(convert.discard_to_event(summary, uri, self.clock.now_ns()))
        self._hear(ev.Discarded(episode_id))

    def _remember(self) -> None:
        try:
            idle = self._account.snapshot()
            save_memory(self.config.run_dir, SessionMemory(self._machine.task, idle))
        except StoreError as error:
            self.get_logger().error(str(error))

    def _broken(self, error: BaseException) -> None:
        """A store that cannot be used any more ends the session; it resumes where it was."""
        self.get_logger().error(f"the session cannot go on: {error}")
        self.stop.set(str(error), code=1)

    # On the loop: what the driver tells.

    def reset_done(self, episode_id: str) -> None:
        self._feed(ev.ResetDone(episode_id))

    def begun(self, episode_id: str) -> None:
        self._feed(ev.Begun(episode_id))

    def step(self, episode_id: str, step: int) -> None:
        del episode_id
        self._step = step

    def committed(self, episode_id: str, end_cause: EndCause, uri: str) -> None:
        self._report = EpisodeReport(end_cause=end_cause.value, uri=uri)
        self._feed(ev.Committed(episode_id, end_cause))
        self._remember()

    def failed(self, episode_id: str, part: str, message: str) -> None:
        self._report = EpisodeReport(part, message)
        self._feed(ev.Failed(episode_id, part, message))

    def aborted(self, episode_id: str) -> None:
        self._feed(ev.Aborted(episode_id))

    def scored(self, episode_id: str, labelled: bool, message: str) -> None:
        if message:
            self.get_logger().warning(f"{episode_id} has no score: {message}")
        self._feed(ev.Scored(episode_id, labelled))

    # On the loop: what the operator asks for.

    def start(self) -> str:
        self._begun = True
        self._feed(ev.Start())
        return self._machine.message

    def halt(self) -> str:
        self._feed(ev.Stop())
        return self._machine.message

    def confirm_reset(self) -> str:
        self._feed(ev.ConfirmReset())
        return self._machine.message

    def label(self, key: str, episode_id: str, operator: str) -> int:
        if key not in (*KEYS, "u"):
            raise ConfigError("this key is no label", got=key, allowed=(*KEYS, "u"))
        self._label_seq = 0  # stays so where the label waits for the episode's end
        self._feed(ev.Undo(operator) if key == "u" else ev.Judge(key, episode_id, operator))
        return self._label_seq

    def discard(self, episode_id: str, reason: str) -> None:
        self._feed(ev.Discard(episode_id, reason))

    def run_one(self, task: str, seed: int, canary: bool) -> None:
        self._begun = True
        self._report = EpisodeReport()
        self._feed(ev.RunOne(task, seed, canary))

    def progress(self) -> tuple[str, int, bool]:
        phase = self._machine.phase
        return phase.value, self._step, phase in (Phase.IDLE, Phase.DONE)

    def report(self) -> EpisodeReport:
        label = self._tally.label(self._machine.last_id)
        if not self._report.uri:
            return self._report
        status = label.status
        code = outcome_code(
            status is LabelStatus.LABELLED,
            status is LabelStatus.ABSTAINED,
            status is LabelStatus.FAILED,
        )
        value = label.score.value if label.score is not None else math.nan
        return dataclasses.replace(self._report, outcome=code, value=value)

    # On the loop: the other nodes, the first start, the state.

    def _tick(self) -> None:
        assert self._loop is not None
        missing = self._peers.missing()
        self._feed(ev.Peers(missing))
        if not self._begun and not missing and self.config.auto_start:
            self.start()
        self._loop.after(TICK_S, self._tick)

    def _on_learner(self, status: msg.LearnerStatus) -> None:
        def heard() -> None:
            self._policy_version = int(status.policy_version)
            self._feed(ev.LearnerProgress(int(status.episodes_done)))

        if self._loop is not None:
            self._loop.post(heard)

    def _publish(self) -> None:
        """At once when phase or message changed, else twice a second."""
        machine, now_ns = self._machine, self.clock.steady_ns()
        mark = (machine.phase, machine.message)
        if mark == self._sent and now_ns - self._sent_ns < PUBLISH_S * 1e9:
            return
        self._sent, self._sent_ns = mark, now_ns
        counts = self._tally.counts(self._store.ids())
        last = self._tally.label(machine.last_id).score
        task = machine.episode.task if machine.episode is not None else machine.task
        view = SessionView(
            phase=machine.phase,
            message=machine.message,
            allowed=machine.allowed,
            task=task,
            episode_id=machine.episode.episode_id if machine.episode is not None else "",
            step=self._step,
            committed=machine.committed,
            labelled=counts.labelled,
            abstained=counts.abstained,
            errors=counts.errors,
            idle=self._account.snapshot(),
        )
        details = convert.SessionDetails(
            index=machine.committed,
            max_steps=self._max_steps(task),
            claimed_successes=counts.claimed_successes,
            reward_source=counts.source,
            last_reward=None if last is None else last.value,
            policy_version=self._policy_version,
        )
        self._state.publish(convert.session_to_msg(view, details, self.clock.now_ns()))


def main() -> int:
    return run(SessionNode)


if __name__ == "__main__":
    raise SystemExit(main())
