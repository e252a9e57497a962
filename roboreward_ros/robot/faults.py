# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an arm's owner may do in which state: a pure machine, events in, commands out.

::

    DISCONNECTED --LINK_UP--> CONNECTED --CHECKED--> HOLDING --BEGIN--> RUNNING
                                                        ^  <---END------'  |
                                                        |                FAULT
                                 RECOVERED              |                  v
                          RECOVERING -------------------'                FAULT
                              ^-------------------RECOVER------------------'

LINK_LOST leads to DISCONNECTED from everywhere. STOP latches: the arm holds and nothing moves it
until RELEASE, whatever else happens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

MAX_RECOVERIES = 3
"""Recoveries in a row, without an episode that ended well, before a person is needed."""


class ArmState(Enum):
    """Where the arm is."""

    DISCONNECTED = "disconnected"
    CONNECTED = "connected"
    HOLDING = "holding"
    RUNNING = "running"
    FAULT = "fault"
    RECOVERING = "recovering"


class ArmEvent(Enum):
    """What happened to the arm or was asked of it."""

    LINK_UP = auto()
    CHECKED = auto()
    BEGIN = auto()
    END = auto()
    FAULT = auto()
    RECOVER = auto()
    RECOVERED = auto()
    LINK_LOST = auto()
    STOP = auto()
    RELEASE = auto()
    CLEAR = auto()  # a person looked: recoveries count from zero again


class ArmCommand(Enum):
    """What the owner must do now, in order."""

    CHECK = auto()  # compare the device with the profile
    HOLD = auto()
    END_EPISODE = auto()
    RECOVER = auto()
    ASK_PERSON = auto()
    REFUSE = auto()  # the event changes nothing; status.refusal() says why


@dataclass(frozen=True, slots=True)
class ArmStatus:
    """State of the machine.

    Attributes:
        state: see ``ArmState``.
        stopped: latched stop.
        reason: why the arm is in FAULT, RECOVERING or DISCONNECTED; empty otherwise.
        recoveries: recoveries begun since an episode last ended well.
    """

    state: ArmState = ArmState.DISCONNECTED
    stopped: bool = False
    reason: str = ""
    recoveries: int = 0

    @property
    def linked(self) -> bool:
        """Whether commands reach the arm."""
        return self.state is not ArmState.DISCONNECTED

    @property
    def may_run(self) -> bool:
        """Whether a policy's actions may be executed."""
        return self.state is ArmState.RUNNING and not self.stopped

    @property
    def may_reset(self) -> bool:
        """Whether the owner may drive the arm to its start pose."""
        return self.state is ArmState.HOLDING and not self.stopped

    def refusal(self, event: ArmEvent) -> str:
        """Why ``event`` is refused now, and what would help."""
        asked = event.name.lower().replace("_", " ")
        if self.stopped:
            return f"{asked} refused: the stop is latched; release it first"
        if self.state is ArmState.FAULT and self.recoveries >= MAX_RECOVERIES:
            return (
                f"{asked} refused: {self.recoveries} recoveries did not help ({self.reason}); "
                "look at the arm, then clear the fault"
            )
        because = f" ({self.reason})" if self.reason else ""
        return f"{asked} refused: the arm is {self.state.value}{because}"


@dataclass(frozen=True, slots=True)
class Transition:
    """The next status and the commands that go with it."""

    status: ArmStatus
    commands: tuple[ArmCommand, ...] = ()


_REFUSE = (ArmCommand.REFUSE,)
_NEEDS_RELEASE = {ArmEvent.BEGIN, ArmEvent.RECOVER}


def advance(status: ArmStatus, event: ArmEvent, reason: str = "") -> Transition:
    """The machine's answer to one event; defined for every event in every state.

    Args:
        status: present status.
        event: what happened.
        reason: text kept with FAULT and LINK_LOST.
    """
    if event is ArmEvent.STOP:
        return _stop(status)
    if event is ArmEvent.RELEASE:
        return Transition(replace(status, stopped=False))
    if event is ArmEvent.CLEAR:
        return Transition(replace(status, recoveries=0))
    if event is ArmEvent.LINK_LOST:
        return _link_lost(status, reason)
    if event is ArmEvent.FAULT:
        return _fault(status, reason)
    if status.stopped and event in _NEEDS_RELEASE:
        return Transition(status, _REFUSE)
    match status.state, event:
        case ArmState.DISCONNECTED, ArmEvent.LINK_UP:
            return _to(status, ArmState.CONNECTED, ArmCommand.HOLD, ArmCommand.CHECK)
        case ArmState.CONNECTED, ArmEvent.CHECKED:
            return _to(status, ArmState.HOLDING)
        case ArmState.HOLDING, ArmEvent.BEGIN:
            return _to(status, ArmState.RUNNING)
        case ArmState.RUNNING, ArmEvent.END:
            return _to(replace(status, recoveries=0), ArmState.HOLDING, ArmCommand.HOLD)
        case ArmState.FAULT, ArmEvent.RECOVER if status.recoveries < MAX_RECOVERIES:
            again = replace(status, state=ArmState.RECOVERING, recoveries=status.recoveries + 1)
            return Transition(again, (ArmCommand.RECOVER,))
        case ArmState.RECOVERING, ArmEvent.RECOVERED:
            return _to(status, ArmState.HOLDING, ArmCommand.HOLD)
    return Transition(status, _REFUSE)


def _to(status: ArmStatus, state: ArmState, *commands: ArmCommand) -> Transition:
    return Transition(replace(status, state=state, reason=""), commands)


def _stop(status: ArmStatus) -> Transition:
    stopped = replace(status, stopped=True)
    match status.state:
        case ArmState.RUNNING:
            stopped = replace(stopped, state=ArmState.HOLDING)
            return Transition(stopped, (ArmCommand.HOLD, ArmCommand.END_EPISODE))
        case ArmState.RECOVERING:
            stopped = replace(stopped, state=ArmState.FAULT, reason="recovery stopped by a person")
            return Transition(stopped, (ArmCommand.HOLD,))
        case ArmState.DISCONNECTED:
            return Transition(stopped)
    return Transition(stopped, (ArmCommand.HOLD,))


def _link_lost(status: ArmStatus, reason: str) -> Transition:
    if status.state is ArmState.DISCONNECTED:
        return Transition(status)
    gone = replace(status, state=ArmState.DISCONNECTED, reason=reason or "link lost")
    running = status.state is ArmState.RUNNING
    return Transition(gone, (ArmCommand.END_EPISODE,) if running else ())


def _fault(status: ArmStatus, reason: str) -> Transition:
    if status.state is ArmState.DISCONNECTED:
        return Transition(status, _REFUSE)
    if status.state is ArmState.FAULT:
        return Transition(status)  # the first reason is the one that explains
    faulted = replace(status, state=ArmState.FAULT, reason=reason or "unnamed fault")
    commands = [ArmCommand.HOLD]
    if status.state is ArmState.RUNNING:
        commands.append(ArmCommand.END_EPISODE)
    if status.recoveries >= MAX_RECOVERIES:
        commands.append(ArmCommand.ASK_PERSON)
    return Transition(faulted, tuple(commands))
