# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a session remembers, and the moves between its phases; ``machine`` says when.

Knows nothing about ROS, threads, files or time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from roboreward_ros.errors import ConfigError
from roboreward_ros.session.events import (
    Abort,
    Command,
    Committed,
    Failed,
    Finish,
    GiveUp,
    Judge,
    LaidOut,
    LayOut,
    Leave,
    MarkDiscarded,
    Phase,
    Reset,
    RetryIn,
    RunOne,
    Score,
    WriteLabel,
)
from roboreward_ros.session.plan import PlanConfig, PlannedEpisode

Commands = list[Command]


@dataclass(frozen=True, slots=True)
class MachineConfig:
    """How the session decides.

    Attributes:
        auto_reset: the scene resets itself (twin); else a program or the operator lays it out.
        reset_program: a program lays out the scene before the arm moves to its start pose.
        confirm_reset: the operator confirms what the program did.
        wait_for_reward: the next episode waits for the score of the last.
        wait_for_learner: the next episode waits until the learner's quota is finished.
        ask_operator: an episode without a score is put to the operator.
        max_retries: failures in a row that are tried again without a person.
        retry_s: wait before the first retry; doubles with each, seconds.
        motion_peers: nodes without which a running episode is dropped at once.
    """

    auto_reset: bool = True
    reset_program: bool = False
    confirm_reset: bool = True
    wait_for_reward: bool = True
    wait_for_learner: bool = True
    ask_operator: bool = False
    max_retries: int = 3
    retry_s: float = 1.0
    motion_peers: frozenset[str] = frozenset({"sim_node", "policy_node", "recorder_node"})

    def __post_init__(self) -> None:
        if self.max_retries < 0 or self.retry_s <= 0:
            raise ConfigError(
                "retries of the session",
                got=f"max_retries={self.max_retries}, retry_s={self.retry_s}",
                allowed="max_retries >= 0, retry_s > 0",
            )


class Closing(IntEnum):
    """Why a reset or episode is being dropped; the larger reason wins."""

    NO = 0
    REDO = 1
    PEERS = 2
    HOLD = 3
    STOP = 4
    QUIT = 5


@dataclass(slots=True)
class SessionState:
    """The memory of a session and the moves between phases.

    Attributes:
        config: how it decides.
        plan: which episode has which seed.
        committed: episodes on disk, those of earlier sessions included.
        phase: present state.
        message: one line for the operator.
        task: sentence of the next episodes; "" where the plan's rotation decides.
        episode: the episode that is being reset, armed or run.
        last_id: the last committed episode, "" before the first.
        outstanding: committed episodes whose score has not come.
        asked: committed episodes that wait for the operator's judgement.
        learner_done: episodes whose quota of updates is finished.
        missing: nodes that are not there.
    """

    config: MachineConfig
    plan: PlanConfig
    committed: int = 0
    phase: Phase = Phase.IDLE
    message: str = "press Enter to start"
    task: str = ""
    episode: PlannedEpisode | None = None
    last_id: str = ""
    outstanding: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    learner_done: int = 0
    missing: frozenset[str] = frozenset()
    one: RunOne | None = None
    one_finished: bool = False
    held: bool = False
    closing_for: Closing = Closing.NO
    failures: int = 0
    verdict: Judge | None = field(default=None)
    taken_back: Judge | None = field(default=None)

    def __post_init__(self) -> None:
        if not self.plan.rotates:
            self.task = self.task or self.plan.task

    @property
    def closing(self) -> bool:
        """Whether a reset or episode is being dropped."""
        return self.closing_for is not Closing.NO

    def adopt(self, ids: Sequence[str], answered: Callable[[str], bool] = lambda _: False) -> None:
        """Count episodes that are on disk without this session's doing.

        Args:
            ids: of all committed episodes, in order.
            answered: whether the reward of one needs not be asked for.
        """
        if new := ids[self.committed :]:
            self.committed, self.last_id = len(ids), new[-1]
            asked = (episode_id for episode_id in new if not answered(episode_id))
            self.outstanding = (*self.outstanding, *asked)

    def enter(self, phase: Phase, message: str) -> None:
        self.phase, self.message = phase, message

    def next_step(self) -> Commands:
        """Choose what comes next while nothing moves."""
        self.episode, self.verdict, self.closing_for = None, None, Closing.NO
        done = self.plan.reached(self.committed)
        if self.held:
            self.enter(Phase.PAUSED, "held: press Enter or space to go on")
            return []
        if self.missing:
            names = ", ".join(sorted(self.missing))
            self.enter(
                Phase.PAUSED, f"waiting for {names}: goes on by itself once restarted (see its log)"
            )
            return []
        if self.outstanding and (self.config.wait_for_reward or done):
            self.enter(Phase.SCORING, f"waiting for the score of {self.outstanding[0]}")
            return [Score(episode_id) for episode_id in self.outstanding]
        if self.asked:
            self.enter(Phase.ASK, f"no score for {self.asked[0]}: press s, f or 1 to 5")
            return []
        if self.config.wait_for_learner and self.learner_done < self.committed:
            self.enter(
                Phase.LEARNING, f"learner at {self.learner_done} of {self.committed} episodes"
            )
            return []
        if done:
            self.enter(Phase.DONE, f"{self.committed} episodes are committed")
            return [Finish()]
        if self.one_finished:
            self.one, self.one_finished = None, False
            self.enter(Phase.IDLE, "one episode done: press Enter to start the loop")
            return []
        return self.plan_next()

    def plan_next(self) -> Commands:
        planned = self.plan.episode(self.committed, self.task)
        if self.one is not None:
            planned = PlannedEpisode(
                planned.index,
                planned.episode_id,
                self.one.seed or planned.seed,
                self.one.task or planned.task,
                self.one.canary or planned.canary,
            )
        self.episode = planned
        if self.config.auto_reset:
            return self.start_reset()
        if self.config.reset_program:
            self.enter(Phase.RESETTING, f"the reset program lays out '{planned.task}'")
            return [LayOut(planned)]
        return self.ask_reset("")

    def ask_reset(self, remark: str) -> Commands:
        """Let the operator lay out, or look at, the scene of the planned episode."""
        assert self.episode is not None
        task = self.episode.task
        self.enter(Phase.WAIT_RESET, f"{remark}lay out the scene for '{task}', then press Enter")
        return []

    def laid_out(self, event: LaidOut) -> Commands:
        """The reset program has ended, well or not."""
        if self.closing:
            return []  # whoever drops it answers
        assert self.episode is not None
        if not event.problem and not self.config.confirm_reset:
            return self.start_reset()
        if not event.problem:
            task = self.episode.task
            self.enter(Phase.WAIT_RESET, f"is the scene ready for '{task}'? Then press Enter")
            return []
        if self.config.confirm_reset:
            return self.ask_reset(f"the reset program failed ({event.problem}): ")
        return self.fail(Failed(event.episode_id, "the reset program", event.problem))

    def start_reset(self) -> Commands:
        """Ask for the start pose of the planned episode."""
        assert self.episode is not None
        self.enter(Phase.RESETTING, f"resetting for {self.episode.episode_id}")
        return [Reset(self.episode)]

    def drop(self, why: Closing) -> Commands:
        """Drop the reset or episode that runs; goes on when the answer has come."""
        assert self.episode is not None
        first = self.closing_for is Closing.NO
        self.closing_for = max(self.closing_for, why)
        self.message = f"dropping {self.episode.episode_id}"
        return [Abort(self.episode.episode_id)] if first else []

    def dropped(self) -> Commands:
        """What was being dropped is gone."""
        why, self.closing_for = self.closing_for, Closing.NO
        if why >= Closing.STOP:
            return self.leave(quit_too=why is Closing.QUIT)
        self.held = self.held or why is Closing.HOLD
        return self.next_step()

    def leave(self, *, quit_too: bool) -> Commands:
        """Go to IDLE, whatever was planned."""
        self.episode, self.verdict, self.one = None, None, None
        self.one_finished, self.held, self.failures = False, False, 0
        self.enter(Phase.IDLE, "stopped: press Enter to start")
        return [Leave()] if quit_too else []

    def commit(self, event: Committed) -> Commands:
        """The episode is on disk: count it, label it, ask for its score."""
        self.committed += 1
        self.last_id, self.failures = event.episode_id, 0
        self.outstanding = (*self.outstanding, event.episode_id)
        self.one_finished = self.one is not None
        # Whoever ends up waiting asks for all outstanding scores itself.
        commands: Commands = []
        verdict = self.verdict
        if verdict is not None and verdict is not self.taken_back:
            commands.append(WriteLabel(event.episode_id, verdict.key, verdict.operator))
        if self.closing_for is Closing.REDO:
            commands.append(MarkDiscarded(event.episode_id, "discarded while it was saved"))
        after = self.dropped() if self.closing else self.next_step()
        asks = Score(event.episode_id)
        return [*commands, *after] if asks in after else [*commands, asks, *after]

    def fail(self, event: Failed) -> Commands:
        """Reset, arming or episode failed: try again by itself for a while."""
        self.failures += 1
        self.episode, self.verdict = None, None
        if self.one is not None:
            self.one = None
            self.enter(Phase.IDLE, f"{event.part} failed: {event.message}")
            return []
        if self.failures > self.config.max_retries:
            message = f"{event.part} failed {self.failures} times in a row: {event.message}"
            self.enter(Phase.FAULT, f"{message}. Press Enter to try again")
            return [GiveUp(message)]
        delay_s = self.config.retry_s * 2.0 ** (self.failures - 1)
        self.enter(Phase.FAULT, f"{event.part} failed, again in {delay_s:g} s: {event.message}")
        return [RetryIn(delay_s, self.failures)]
