# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turns what is heard into events of the machine, and its commands into calls; on one thread.

Knows the other nodes through ``Driver`` and everything that lies on disk or is published through
``Surroundings``; has no transport, files or threads of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from roboreward_ros.clock import Clock
from roboreward_ros.session import events as ev
from roboreward_ros.session.account import Account
from roboreward_ros.session.events import Phase
from roboreward_ros.session.machine import SessionMachine
from roboreward_ros.session.memory import SessionMemory, save_memory
from roboreward_ros.session.phases import cause_of
from roboreward_ros.session.plan import PlannedEpisode
from roboreward_ros.session.requests import require_current, verb_of
from roboreward_ros.session.reset_program import ResetProgram, ResetProgramConfig
from roboreward_ros.types import EndCause, SessionView, VerbAnswer, VerbRequest


class Driver(Protocol):
    """Carries resets, episodes and scores through the other nodes; answers to the director."""

    def reset(self, episode: PlannedEpisode) -> None: ...

    def begin(self, episode: PlannedEpisode) -> None: ...

    def end(self, episode_id: str, end_cause: EndCause) -> None: ...

    def abort(self, episode_id: str) -> None: ...

    def hand_over(self, episode_id: str, to_person: bool) -> None: ...

    def score(self, episode_id: str) -> None: ...


class Surroundings(Protocol):
    """What the director's owner does for it."""

    def write_label(self, episode_id: str, key: str, operator: str) -> tuple[str, int]:
        """Put a label on disk; returns the episode it is about and its place in the ledger."""

    def mark_discarded(self, episode_id: str, reason: str) -> None:
        """Mark a committed episode."""

    def later(self, delay_s: float, job: Callable[[], None]) -> None:
        """Run ``job`` on the director's thread."""

    def changed(self) -> None:
        """The session's state may have changed: show it."""

    def ended(self, command: ev.GiveUp | ev.Finish | ev.Leave) -> None:
        """No tries are left, the work is done, or the operator quit."""

    def note(self, text: str) -> None:
        """A line for the log."""


@dataclass(frozen=True, slots=True)
class LastEpisode:
    """How the last episode ended: ``part`` and ``message`` of a failure, or cause and uri."""

    part: str = ""
    message: str = ""
    end_cause: str = ""
    uri: str = ""
    value: float = math.nan


class Director:
    """See the module's text. Raises SessionError from verbs that are not possible now.

    Attributes:
        machine: decides.
        account: of the time since the first start.
        run_dir: where task and account are remembered.
        driver: set by the owner before the first event.
        begun: whether the first start has been given.
        step: newest control step of the running episode.
        last: how the last episode ended.
        notice: alarm of another node, such as the learner's; "" where all is well.
    """

    driver: Driver

    def __init__(
        self,
        machine: SessionMachine,
        account: Account,
        run_dir: Path | str,
        surroundings: Surroundings,
    ) -> None:
        self.machine = machine
        self.run_dir = run_dir
        self.account = account
        self.begun = False
        self.step_now = 0
        self.last = LastEpisode()
        self.notice = ""
        self._program: ResetProgram | None = None
        self._around = surroundings
        self._label_seq = 0
        self._waits = False

    def use_program(
        self,
        config: ResetProgramConfig,
        clock: Clock,
        post: Callable[[Callable[[], None]], None],
    ) -> None:
        """Take a program that lays out the scene.

        Args:
            config: the program; nothing where it has no command.
            clock: of its deadline.
            post: runs a job on the director's thread, from any other.
        """

        def answer(episode_id: str, problem: str, stopped: bool) -> None:
            post(lambda: self.laid_out(episode_id, problem, stopped))

        if config.command:
            self._program = ResetProgram(config, clock, answer)

    def feed(self, event: ev.Event) -> None:
        """Let the machine decide and carry out what it asks for."""
        machine = self.machine
        before = machine.phase
        commands = machine.handle(event)
        if before is not machine.phase:
            self._around.note(f"{machine.phase}: {machine.message}")
        if self.begun:
            self.account.switch(cause_of(machine))
        waits = self.begun and (machine.held or machine.phase is Phase.IDLE)
        if waits != self._waits:
            self._waits = waits
            self.remember()  # a crash must not start what a person had stopped
        for command in commands:
            self._carry_out(command)
        self._around.changed()

    def _carry_out(self, command: ev.Command) -> None:
        match command:
            case ev.LayOut(episode):
                assert self._program is not None
                self.step_now = 0
                self._program.start(episode)
            case ev.Reset(episode):
                self.step_now = 0
                self.driver.reset(episode)
            case ev.Begin(episode):
                self.driver.begin(episode)
            case ev.End(episode_id, end_cause):
                self.driver.end(episode_id, end_cause)
            case ev.Abort(episode_id):
                self._abort(episode_id)
            case ev.HandOver(episode_id, to_person):
                self.driver.hand_over(episode_id, to_person)
            case ev.Score(episode_id):
                self.driver.score(episode_id)
            case ev.WriteLabel(episode_id, key, operator):
                about, self._label_seq = self._around.write_label(episode_id, key, operator)
                self._hear(ev.Labelled(about))
            case ev.MarkDiscarded(episode_id, reason):
                self._around.mark_discarded(episode_id, reason)
                self._hear(ev.Discarded(episode_id))
            case ev.RetryIn(delay_s, failure):
                self._around.later(delay_s, lambda: self.feed(ev.RetryDue(failure)))
            case ev.GiveUp() | ev.Finish() | ev.Leave():
                self.remember()
                self._around.ended(command)

    def _abort(self, episode_id: str) -> None:
        if self._program is None or not self._program.abort(episode_id):
            self.driver.abort(episode_id)

    def _hear(self, event: ev.Event) -> None:
        """An answer that comes while a command is carried out waits for its turn."""
        self._around.later(0.0, lambda: self.feed(event))

    def remember(self) -> None:
        """Keep task and account for the next session of the run; raises StoreError."""
        memory = SessionMemory(self.machine.task, self.account.snapshot(), self._waits)
        save_memory(self.run_dir, memory)

    def abandon(self) -> None:
        """The process ends: let a running episode go without a trace."""
        if self.machine.episode is not None:
            self._abort(self.machine.episode.episode_id)
        if self._program is not None:
            self._program.close()
        self._waits = False
        self.remember()

    def view(self, labelled: int = 0, abstained: int = 0, errors: int = 0) -> SessionView:
        """The session as consoles see it, with counts that only the ledger knows."""
        machine, running = self.machine, self.machine.episode
        planned = running or machine.plan.episode(machine.committed, machine.task)
        return SessionView(
            phase=machine.phase,
            message=machine.message,
            allowed=machine.allowed,
            task=planned.task,
            episode_id=running.episode_id if running is not None else "",
            step=self.step_now,
            committed=machine.committed,
            labelled=labelled,
            abstained=abstained,
            errors=errors,
            idle=self.account.snapshot(),
            last_episode_id=machine.last_id,
            asked=machine.asked,
            missing=tuple(sorted(machine.missing)),
            canary=planned.canary,
            index=planned.index,
            notice=self.notice,
        )

    # What the driver tells.

    def laid_out(self, episode_id: str, problem: str, stopped: bool) -> None:
        """The reset program has ended, or was stopped on request."""
        if stopped:
            self.feed(ev.Aborted(episode_id))
            return
        if problem:
            self.last = LastEpisode("reset program", problem)
            self._around.note(f"the reset program failed: {problem}")
        self.feed(ev.LaidOut(episode_id, problem))

    def reset_done(self, episode_id: str) -> None:
        self.feed(ev.ResetDone(episode_id))

    def begun_episode(self, episode_id: str) -> None:
        self.feed(ev.Begun(episode_id))

    def step(self, episode_id: str, step: int) -> None:
        del episode_id
        self.step_now = step

    def committed(self, episode_id: str, end_cause: EndCause, uri: str) -> None:
        self.last = LastEpisode(end_cause=end_cause.value, uri=uri)
        self.feed(ev.Committed(episode_id, end_cause))
        self.remember()

    def failed(self, episode_id: str, part: str, message: str) -> None:
        self.last = LastEpisode(part, message)
        self.feed(ev.Failed(episode_id, part, message))

    def handed(self, episode_id: str, to_person: bool, problem: str) -> None:
        self.feed(ev.Handed(episode_id, to_person, problem))

    def aborted(self, episode_id: str) -> None:
        self.feed(ev.Aborted(episode_id))

    def scored(self, episode_id: str, labelled: bool, message: str) -> None:
        if message:
            self._around.note(f"{episode_id} has no score: {message}")
        self.feed(ev.Scored(episode_id, labelled))

    # What the operator asks for.

    def ask(self, request: VerbRequest) -> VerbAnswer:
        """Carry out a person's wish.

        Returns:
            The answer; its place in the ledger is 0 where a label waits until the running episode
            is on disk.

        Raises:
            SessionError: not possible now, or overtaken by what happened since.
            ConfigError: a key that is no label.
            StoreError: no such episode, or the disk.
        """
        verb = verb_of(request)
        require_current(request, self.machine.phase, self.view().episode_id)
        self.begun = self.begun or isinstance(verb, ev.Start)
        self._label_seq = 0
        self.feed(verb)
        return VerbAnswer(self.machine.message, self._label_seq)

    def start(self) -> None:
        """Begin without a person."""
        self.ask(VerbRequest("start"))

    def halt(self) -> None:
        """Stop without a person."""
        self.ask(VerbRequest("stop"))

    def run_one(self, task: str, seed: int, canary: bool) -> None:
        self.last = LastEpisode()
        self.begun = True
        self.feed(ev.RunOne(task, seed, canary))

    def progress(self) -> tuple[str, int, bool]:
        """Phase, step, and whether the session is at rest."""
        phase = self.machine.phase
        return phase.value, self.step_now, phase in (Phase.IDLE, Phase.DONE)
