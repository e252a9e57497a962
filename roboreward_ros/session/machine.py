# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: ARG001 - all handlers of the table share one signature
"""The session's state machine: events in, commands out, one table.

Rules that hold for every sequence of events (property tests):

- at most one episode is between ``Begin`` and its end;
- an episode that did not commit is planned again with the same index and seed;
- a verb is applied in the phase it meets or refused; none waits for the next episode;
- DONE comes only with the target count of committed episodes.

Knows nothing about ROS, threads, files or time.
"""

from __future__ import annotations

from collections.abc import Callable

from roboreward_ros.errors import SessionError
from roboreward_ros.session.events import (
    VERBS,
    Aborted,
    Begin,
    Begun,
    Committed,
    ConfirmReset,
    Discard,
    Discarded,
    End,
    Event,
    Failed,
    GiveBack,
    Handed,
    HandOver,
    Hold,
    Judge,
    Labelled,
    LaidOut,
    LearnerProgress,
    MarkDiscarded,
    Outcome,
    Peers,
    Phase,
    Quit,
    ResetDone,
    RetryDue,
    RunOne,
    Score,
    Scored,
    SetTask,
    Start,
    Stop,
    TakeOver,
    Undo,
    Verb,
    WriteLabel,
)
from roboreward_ros.session.state import Closing, Commands, MachineConfig, SessionState
from roboreward_ros.types import EndCause

__all__ = ["EVENTS", "TABLE", "MachineConfig", "SessionMachine"]

IN_EPISODE = "s success, f failure, r redo, m move the arm yourself"
Handler = Callable[[SessionState, Event], Commands]


def _refuse(m: SessionState, event: Event) -> Commands:
    name = next(name for name, verb in VERBS.items() if isinstance(event, verb))
    raise SessionError(
        f"'{name}' is not possible in phase {m.phase}", got=name, allowed=_allowed(m.phase)
    )


def _allowed(phase: Phase) -> tuple[str, ...]:
    return tuple(name for name, verb in VERBS.items() if TABLE[(phase, verb)] is not _refuse)


def _ignore(m: SessionState, event: Event) -> Commands:
    return []


def _start(m: SessionState, event: Event) -> Commands:
    m.held, m.failures = False, 0
    after = m.next_step()
    asks: Commands = [Score(episode_id) for episode_id in m.outstanding]
    return [*(ask for ask in asks if ask not in after), *after]


def _run_one(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, RunOne)
    if m.missing:
        raise SessionError(
            "the session cannot run an episode",
            got=f"missing: {', '.join(sorted(m.missing))}",
            allowed="all nodes present",
            next_step="Start them and ask again.",
        )
    m.one, m.one_finished = event, False
    return m.next_step()


def _confirm(m: SessionState, event: Event) -> Commands:
    return m.start_reset()


def _hold(m: SessionState, event: Event) -> Commands:
    m.held = not m.held if m.phase is Phase.PAUSED else True
    return m.next_step()


def _hold_motion(m: SessionState, event: Event) -> Commands:
    return m.drop(Closing.HOLD)


def _stop(m: SessionState, event: Event) -> Commands:
    return m.leave(quit_too=False)


def _stop_motion(m: SessionState, event: Event) -> Commands:
    return m.drop(Closing.STOP)


def _quit(m: SessionState, event: Event) -> Commands:
    return m.leave(quit_too=True)


def _quit_motion(m: SessionState, event: Event) -> Commands:
    return m.drop(Closing.QUIT)


def _task(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, SetTask)
    if not event.task.strip() and not m.plan.rotates:
        raise SessionError("the new task is empty", got=event.task, allowed="a sentence")
    m.task = event.task.strip()
    return m.plan_next() if m.phase is Phase.WAIT_RESET else []


def _judge_running(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, Judge)
    assert m.episode is not None
    if event.episode_id not in ("", m.episode.episode_id):
        return _judge(m, event)
    if m.closing:
        raise SessionError(f"{m.episode.episode_id} is being dropped", got=event.key)
    first, m.verdict = m.verdict is None, event
    m.message = f"ending {m.episode.episode_id}"
    return [End(m.episode.episode_id, EndCause.OPERATOR)] if first else []


def _judge(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, Judge)
    target = event.episode_id or (m.asked[0] if m.phase is Phase.ASK else m.last_id)
    if not target:
        raise SessionError("there is no committed episode to label", got=event.key)
    return [WriteLabel(target, event.key, event.operator)]


def _undo(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, Undo)
    return [WriteLabel(event.episode_id, "u", event.operator)]


def _undo_running(m: SessionState, event: Event) -> Commands:
    """Also the word that ended an episode which is still being saved can be taken back."""
    assert isinstance(event, Undo)
    assert m.episode is not None
    word = m.verdict
    if word is None or word is m.taken_back:
        return _undo(m, event)
    if event.episode_id not in ("", m.episode.episode_id):
        return _undo(m, event)
    if event.operator not in ("", word.operator):
        return _undo(m, event)
    m.taken_back = word
    m.message = f"saving {m.episode.episode_id} without a label"
    return []


def _discard(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, Discard)
    target = event.episode_id or (m.asked[0] if m.phase is Phase.ASK else m.last_id)
    if not target:
        raise SessionError("there is no committed episode to discard")
    return [MarkDiscarded(target, event.reason or "operator")]


def _discard_motion(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, Discard)
    assert m.episode is not None
    if event.episode_id in ("", m.episode.episode_id):
        return m.drop(Closing.REDO)
    return _discard(m, event)


def _laid_out(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, LaidOut)
    return m.laid_out(event)


def _reset_done(m: SessionState, event: Event) -> Commands:
    if m.closing:
        return m.dropped()
    assert m.episode is not None
    m.enter(Phase.READY, f"arming {m.episode.episode_id}")
    return [Begin(m.episode)]


def _begun(m: SessionState, event: Event) -> Commands:
    assert m.episode is not None
    m.enter(Phase.RUNNING, f"running {m.episode.episode_id}: {IN_EPISODE}")
    return []


def _take_over(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, TakeOver | GiveBack)
    assert m.episode is not None
    if event.episode_id not in ("", m.episode.episode_id) or m.closing or m.verdict:
        raise SessionError(f"{m.episode.episode_id} is another episode, or it is ending")
    return [HandOver(m.episode.episode_id, isinstance(event, TakeOver))]


def _handed(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, Handed)
    assert m.episode is not None
    if m.closing or m.verdict is not None:
        return []  # it is ending, whoever moves the arm
    name = m.episode.episode_id
    if event.to_person:
        text = f"you move the arm in {name}: m gives it back, s success, f failure, space holds"
    else:
        text = f"running {name}: {IN_EPISODE}"
    m.enter(
        Phase.TAKEOVER if event.to_person else Phase.RUNNING,
        f"{event.problem}; {text}" if event.problem else text,
    )
    return []


def _failed(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, Failed)
    return m.dropped() if m.closing else m.fail(event)


def _aborted(m: SessionState, event: Event) -> Commands:
    return m.dropped()


def _committed(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, Committed)
    return m.commit(event)


def _settle(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, Outcome)
    if isinstance(event, Scored):
        if event.episode_id not in m.outstanding:
            return []
        m.outstanding = tuple(e for e in m.outstanding if e != event.episode_id)
        if not event.labelled and m.config.ask_operator:
            m.asked = (*m.asked, event.episode_id)
    else:  # Labelled or Discarded: nothing to ask any more
        m.asked = tuple(e for e in m.asked if e != event.episode_id)
    return m.next_step() if m.phase in (Phase.SCORING, Phase.ASK) else []


def _learner(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, LearnerProgress)
    m.learner_done = event.episodes_done
    return m.next_step() if m.phase is Phase.LEARNING else []


def _peers(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, Peers)
    changed, m.missing = event.missing != m.missing, event.missing
    if m.phase in MOVING:
        lost = event.missing & m.config.motion_peers
        return m.drop(Closing.PEERS) if lost and not m.closing else []
    if m.phase is Phase.IDLE and changed:
        names = ", ".join(sorted(event.missing))
        m.message = f"waiting for {names}" if names else "press Enter to start"
    if m.phase in (Phase.IDLE, Phase.FAULT, Phase.DONE) or not changed:
        return []
    return m.next_step() if event.missing or m.phase is Phase.PAUSED else []


def _retry(m: SessionState, event: Event) -> Commands:
    assert isinstance(event, RetryDue)
    return m.next_step() if event.failure == m.failures else []


RUNS = frozenset({Phase.RUNNING, Phase.TAKEOVER})
MOVING = frozenset({Phase.RESETTING, Phase.READY}) | RUNS
EVENTS: tuple[type, ...] = (
    *VERBS.values(),
    *(LaidOut, ResetDone, Begun, Handed, Committed, Failed, Aborted, Scored, Labelled, Discarded),
    *(LearnerProgress, Peers, RetryDue),
)


def _table() -> dict[tuple[Phase, type], Handler]:
    """Every event in every phase: refuse verbs and ignore answers unless a row says more."""
    table: dict[tuple[Phase, type], Handler] = {
        (phase, event): _refuse if issubclass(event, Verb) else _ignore
        for phase in Phase
        for event in EVENTS
    }

    def row(event: type, phases: frozenset[Phase], handler: Handler) -> None:
        table.update({(phase, event): handler for phase in phases})

    everywhere = frozenset(Phase)
    still = everywhere - MOVING
    waiting = still - {Phase.IDLE, Phase.DONE}
    row(Start, frozenset({Phase.IDLE, Phase.PAUSED, Phase.FAULT}), _start)
    row(RunOne, frozenset({Phase.IDLE}), _run_one)
    row(ConfirmReset, frozenset({Phase.WAIT_RESET}), _confirm)
    row(Hold, waiting, _hold)
    row(Hold, MOVING, _hold_motion)
    row(Stop, waiting, _stop)
    row(Stop, MOVING, _stop_motion)
    row(Quit, still, _quit)
    row(Quit, MOVING, _quit_motion)
    row(SetTask, everywhere, _task)
    row(Judge, still | {Phase.RESETTING}, _judge)
    row(Judge, RUNS, _judge_running)
    row(TakeOver, frozenset({Phase.RUNNING}), _take_over)
    row(GiveBack, frozenset({Phase.TAKEOVER}), _take_over)
    row(Handed, RUNS, _handed)
    row(Undo, everywhere, _undo)
    row(Undo, RUNS, _undo_running)
    row(Discard, still | {Phase.RESETTING}, _discard)
    row(Discard, RUNS | {Phase.READY}, _discard_motion)
    row(LaidOut, frozenset({Phase.RESETTING}), _laid_out)
    row(ResetDone, frozenset({Phase.RESETTING}), _reset_done)
    row(Begun, frozenset({Phase.READY}), _begun)
    row(Failed, MOVING, _failed)
    row(Aborted, MOVING, _aborted)
    row(Committed, RUNS | {Phase.READY}, _committed)
    for settled in (Scored, Labelled, Discarded):
        row(settled, everywhere, _settle)
    row(LearnerProgress, everywhere, _learner)
    row(Peers, everywhere, _peers)
    row(RetryDue, frozenset({Phase.FAULT}), _retry)
    return table


TABLE = _table()


class SessionMachine(SessionState):
    """The machine with its memory. One thread calls ``handle``."""

    __slots__ = ()

    def handle(self, event: Event) -> Commands:
        """Take one event; returns what is to be done now.

        Raises:
            SessionError: a verb that the present phase does not allow; nothing has changed.
        """
        if isinstance(event, Outcome) and not self._expects(event):
            return []
        return TABLE[(self.phase, type(event))](self, event)

    @property
    def allowed(self) -> tuple[str, ...]:
        """Verbs that are valid now."""
        return _allowed(self.phase)

    def _expects(self, event: Outcome) -> bool:
        if isinstance(event, LaidOut | ResetDone | Begun | Handed | Committed | Failed | Aborted):
            return self.episode is not None and event.episode_id == self.episode.episode_id
        return True
