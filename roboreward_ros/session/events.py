# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the session hears (events) and what it asks for (commands); plain frozen values.

An ``Outcome`` names the episode it is about, so that an answer that comes late cannot be taken
for one about the next episode.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from roboreward_ros.errors import ConfigError, SessionError
from roboreward_ros.session.plan import PlannedEpisode
from roboreward_ros.types import EndCause

LABELS = ("s", "f", "1", "2", "3", "4", "5")


class Phase(StrEnum):
    """Where the session is; exactly one at any time."""

    IDLE = "IDLE"  # not started, or stopped
    WAIT_RESET = "WAIT_RESET"  # the operator lays out the scene
    RESETTING = "RESETTING"
    READY = "READY"  # recorder and policy are being armed
    RUNNING = "RUNNING"
    TAKEOVER = "TAKEOVER"  # the episode runs on while the operator moves the arm
    SCORING = "SCORING"
    LEARNING = "LEARNING"
    ASK = "ASK"  # no source scored the episode: the operator is asked
    PAUSED = "PAUSED"  # held by the operator, or a node is missing
    FAULT = "FAULT"  # something failed; tried again by itself a few times
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that a person or a program asks for; refused where it makes no sense."""


@dataclass(frozen=True, slots=True)
class Start(Verb):
    """Begin the loop, or go on after a pause or fault."""


@dataclass(frozen=True, slots=True)
class RunOne(Verb):
    """One episode, then stop; empty task and seed 0 take the plan's."""

    task: str = ""
    seed: int = 0
    canary: bool = False


@dataclass(frozen=True, slots=True)
class ConfirmReset(Verb):
    """The scene lies ready."""


@dataclass(frozen=True, slots=True)
class Judge(Verb):
    """The operator's judgement: ``s``, ``f`` or ``1``..``5``; ends the episode if it runs."""

    key: str
    episode_id: str = ""
    operator: str = ""

    def __post_init__(self) -> None:
        if self.key not in LABELS:
            raise ConfigError("this key is no label", got=self.key, allowed=(*LABELS, "u"))


@dataclass(frozen=True, slots=True)
class Undo(Verb):
    """Take back the operator's last label, or the last one of an episode."""

    operator: str = ""
    episode_id: str = ""


@dataclass(frozen=True, slots=True)
class Discard(Verb):
    """Throw the running episode away and run it again, or mark a committed one as discarded."""

    episode_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Hold(Verb):
    """Hold the arm now and pause; a second time: go on."""


@dataclass(frozen=True, slots=True)
class TakeOver(Verb):
    """The operator moves the arm from now on; the episode goes on."""

    episode_id: str = ""


@dataclass(frozen=True, slots=True)
class GiveBack(Verb):
    """The policy moves the arm again, from its next decision on."""

    episode_id: str = ""


@dataclass(frozen=True, slots=True)
class SetTask(Verb):
    """The sentence of the next episodes; "" goes back to the plan's own."""

    task: str


@dataclass(frozen=True, slots=True)
class Stop(Verb):
    """End the loop; a running episode is dropped and keeps its index and seed."""


@dataclass(frozen=True, slots=True)
class Quit(Verb):
    """Stop, then leave."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Answer to a command about one episode."""

    episode_id: str


@dataclass(frozen=True, slots=True)
class LaidOut(Outcome):
    """The reset program has ended; ``problem`` says why the scene is not ready."""

    problem: str = ""


@dataclass(frozen=True, slots=True)
class ResetDone(Outcome):
    """The arm is at its start pose."""


@dataclass(frozen=True, slots=True)
class Begun(Outcome):
    """Recorder and policy are armed and step 0 was asked for."""


@dataclass(frozen=True, slots=True)
class Handed(Outcome):
    """Who moves the arm now; ``problem`` says why it is not whom was asked for."""

    to_person: bool = True
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Committed(Outcome):
    """The episode is whole on disk."""

    end_cause: EndCause = EndCause.TIME


@dataclass(frozen=True, slots=True)
class Failed(Outcome):
    """Reset, arming or the episode failed and left nothing; ``part`` is robot, policy or record."""

    part: str = "robot"
    message: str = ""


@dataclass(frozen=True, slots=True)
class Aborted(Outcome):
    """The answer to ``Abort``: nothing of the episode runs or is visible any more."""


@dataclass(frozen=True, slots=True)
class Scored(Outcome):
    """The reward source answered; without a label where it abstained or failed."""

    labelled: bool = True


@dataclass(frozen=True, slots=True)
class Labelled(Outcome):
    """An operator's label is in the ledger."""


@dataclass(frozen=True, slots=True)
class Discarded(Outcome):
    """The committed episode is marked as discarded."""


@dataclass(frozen=True, slots=True)
class LearnerProgress:
    """Committed episodes whose quota of updates is finished."""

    episodes_done: int


@dataclass(frozen=True, slots=True)
class Peers:
    """Nodes that the session needs and does not see."""

    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class RetryDue:
    """The waiting time of failure number ``failure`` is over."""

    failure: int


Event = Verb | Outcome | LearnerProgress | Peers | RetryDue


@dataclass(frozen=True, slots=True)
class Command:
    """Something the owner of the machine has to do; each answers with an event."""


@dataclass(frozen=True, slots=True)
class LayOut(Command):
    """Run the reset program while the arm stands: answers LaidOut."""

    episode: PlannedEpisode


@dataclass(frozen=True, slots=True)
class Reset(Command):
    """Start pose and scene: answers ResetDone or Failed."""

    episode: PlannedEpisode


@dataclass(frozen=True, slots=True)
class Begin(Command):
    """Arm recorder and policy, then step 0: answers Begun, then Committed, or Failed."""

    episode: PlannedEpisode


@dataclass(frozen=True, slots=True)
class End(Command):
    """Hold now and let the recorder commit."""

    episode_id: str
    end_cause: EndCause


@dataclass(frozen=True, slots=True)
class Abort(Command):
    """Hold now, drop reset or episode: answers Aborted, or Committed if it was too late."""

    episode_id: str


@dataclass(frozen=True, slots=True)
class HandOver(Command):
    """Who moves the arm in the running episode: answers Handed."""

    episode_id: str
    to_person: bool


@dataclass(frozen=True, slots=True)
class Score(Command):
    """Ask the reward source: answers Scored within its deadline."""

    episode_id: str


@dataclass(frozen=True, slots=True)
class WriteLabel(Command):
    """Append the operator's label: answers Labelled."""

    episode_id: str
    key: str
    operator: str


@dataclass(frozen=True, slots=True)
class MarkDiscarded(Command):
    """Mark a committed episode: answers Discarded."""

    episode_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RetryIn(Command):
    """Send RetryDue(failure) after ``delay_s`` steady seconds."""

    delay_s: float
    failure: int


@dataclass(frozen=True, slots=True)
class GiveUp(Command):
    """No tries are left; a person has to look."""

    message: str


@dataclass(frozen=True, slots=True)
class Finish(Command):
    """The target count is reached."""


@dataclass(frozen=True, slots=True)
class Leave(Command):
    """The operator quit."""


VERBS: dict[str, type[Verb]] = {
    "start": Start,
    "run_one": RunOne,
    "confirm_reset": ConfirmReset,
    "label": Judge,
    "undo": Undo,
    "discard": Discard,
    "hold": Hold,
    "take_over": TakeOver,
    "give_back": GiveBack,
    "task": SetTask,
    "stop": Stop,
    "quit": Quit,
}
"""Names that consoles send and that ``allowed`` lists."""

KEYS: dict[str, tuple[str, str]] = {
    "enter": ("start", "start, go on, or confirm the reset"),
    "s": ("label", "success: ends a running episode"),
    "f": ("label", "failure: ends a running episode"),
    "r": ("discard", "redo the running episode, or discard the last one"),
    "space": ("hold", "hold the arm and pause; again: go on"),
    "m": ("take_over", "move the arm yourself; again: the policy goes on"),
    "u": ("undo", "undo the last label"),
    "t": ("task", "change the task"),
    "q": ("quit", "stop and leave"),
}
"""Keys of every console: verb and meaning; ``1``..``5`` are labels too."""


def verb_of_key(key: str, phase: Phase, text: str = "") -> Verb:
    """What pressing ``key`` in ``phase`` asks for; ``text`` is the task typed after ``t``.

    Raises:
        SessionError: no such key.
    """
    if key == "enter":
        return ConfirmReset() if phase is Phase.WAIT_RESET else Start()
    if key in LABELS:
        return Judge(key)
    if key == "t":
        return SetTask(text)
    if key == "m":
        return GiveBack() if phase is Phase.TAKEOVER else TakeOver()
    simple: dict[str, Verb] = {"r": Discard(), "space": Hold(), "u": Undo(), "q": Quit()}
    if key not in simple:
        raise SessionError("no such key", got=key, allowed=[*KEYS, "1..5"])
    return simple[key]
