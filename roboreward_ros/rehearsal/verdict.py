# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a rehearsal came to: figures, what each fault caused, and whether it was as expected."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

from roboreward_ros.episodes.views import LabelStatus
from roboreward_ros.errors import ConfigError
from roboreward_ros.rehearsal.compare import Deviation
from roboreward_ros.rehearsal.faults import NETWORK, REWARD, ROT, Fault
from roboreward_ros.rehearsal.notes import Note, NoteKind
from roboreward_ros.session.plan import episode_id

COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What ``--expect`` may name; counts of episodes where nothing else is said.

    Attributes:
        episodes: rehearsed.
        missing: not rehearsed.
        different: rehearsed ones that end, hold, are tainted or labelled otherwise than recorded.
        unexplained: of these, in which no fault of the fault file was.
        tainted: with a taint that the recording does not have.
        unlabelled: without a label in the rehearsal.
        holds: steps without an action beyond those recorded.
        retries: tries of an episode beyond the first.
        refused: keys of the script that the session did not take.
        helped: times that a session which had given up was told to go on.
        restarts: processes that were started again.
        action_mm: largest median distance of an episode between actions asked for, mm a step.
        action_deg: the same of rotations, degrees a step.
        period_ms: largest median difference of an episode's control periods, ms; 0 in lock-step.
        reward: mean distance of rewards that both have.
    """

    episodes: float
    missing: float
    different: float
    unexplained: float
    tainted: float
    unlabelled: float
    holds: float
    retries: float
    refused: float
    helped: float
    restarts: float
    action_mm: float
    action_deg: float
    period_ms: float
    reward: float


@dataclass(frozen=True, slots=True)
class Expectation:
    """``name<=number``: a figure and what it is to be."""

    name: str
    relation: str
    value: float

    @classmethod
    def parse(cls, text: str) -> Expectation:
        """Read one; raises ConfigError."""
        found = re.fullmatch(r"([a-z_]+)(<=|>=|=)([0-9.]+)", text)
        names = tuple(field.name for field in fields(Figures))
        try:
            assert found is not None
            name, relation, number = found.groups()
            value = float(number)
        except (AssertionError, ValueError):
            name, relation, value = "", "", 0.0
        if name not in names:
            raise ConfigError(
                "this is no expectation",
                got=text,
                allowed=f"a name, one of <= >= =, and a number; names: {', '.join(names)}",
            )
        return cls(name, relation, value)

    def failed(self, figures: Figures) -> str:
        """Why it does not hold; "" where it does."""
        got: float = getattr(figures, self.name)
        if COMPARE[self.relation](got, self.value):
            return ""
        return f"{self.name} is {got:.6g}, expected {self.relation} {self.value:g}"


ALWAYS = (
    Expectation("missing", "=", 0.0),
    Expectation("unexplained", "=", 0.0),
    Expectation("refused", "=", 0.0),
)
"""Holds for every rehearsal; a figure that is named in ``--expect`` is judged by that alone."""


@dataclass(frozen=True, slots=True)
class Caused:
    """What happened between a fault and the end of its episode, oldest first.

    Attributes:
        fault: what was done.
        begun: it came to it.
        seen: phases and parts that were not well, once each.
        episode: what its episode has that the recording has not.
    """

    fault: Fault
    begun: bool
    seen: tuple[str, ...]
    episode: tuple[str, ...]


def figures_of(deviations: Sequence[Deviation], notes: Sequence[Note], restarts: int,
               faulty: frozenset[int]) -> Figures:  # fmt: skip
    """Count.

    Args:
        deviations: of every episode.
        notes: of the rehearsal.
        restarts: of processes, as the supervisor counted them.
        faulty: episodes in which something was made to go wrong, or could still be felt.
    """
    done = [d for d in deviations if d.rehearsed]
    kinds = [note.kind for note in notes]
    gaps = [gap for d in done if (gap := d.reward_gap) is not None]

    def largest(values: Sequence[float]) -> float:
        return max((value for value in values if value == value), default=0.0)

    begun = {(note.episode) for note in notes if note.kind is NoteKind.BEGUN}
    return Figures(
        episodes=len(done),
        missing=len(deviations) - len(done),
        different=sum(bool(d.different) for d in done),
        unexplained=sum(bool(d.different) and d.position not in faulty for d in done),
        tainted=sum(bool(d.taint) for d in done),
        unlabelled=sum(d.label[1] is not LabelStatus.LABELLED for d in done),
        holds=sum(max(d.holds, 0) for d in done),
        retries=kinds.count(NoteKind.BEGUN) - len(begun),
        refused=kinds.count(NoteKind.REFUSED),
        helped=_helped(notes),
        restarts=restarts,
        action_mm=largest([d.translation_mm.median for d in done]),
        action_deg=largest([d.rotation_deg.median for d in done]),
        period_ms=largest([d.period_ms.median for d in done]),
        reward=sum(gaps) / len(gaps) if gaps else 0.0,
    )


def _helped(notes: Sequence[Note]) -> int:
    """How often a session that had given up was started again."""
    phase, count = "", 0
    for note in notes:
        if note.kind is NoteKind.PHASE:
            phase = note.text
        count += note.kind is NoteKind.VERB and note.text == "start" and phase.startswith("FAULT")
    return count


def judge(figures: Figures, wanted: Sequence[Expectation]) -> list[str]:
    """What is not as expected; empty for a success."""
    named = {expectation.name for expectation in wanted}
    asked = [*(e for e in ALWAYS if e.name not in named), *wanted]
    return [problem for e in asked if (problem := e.failed(figures))]


_ABOUT = re.compile(r": (ep_\d+) ")
SEEN = frozenset({NoteKind.PHASE, NoteKind.PART, NoteKind.REFUSED})
FAULTS = frozenset({NoteKind.FAULT, NoteKind.HIT})
WELL = ("RESETTING", "READY", "RUNNING", "TAKEOVER", "SCORING", "LEARNING", "DONE", "WAIT_RESET")


def causes(
    faults: Sequence[Fault], notes: Sequence[Note], deviations: Sequence[Deviation]
) -> list[Caused]:
    """What each fault caused: everything that was not well until its episode was on disk.

    What is said about an episode by name, which may come late, goes to that episode's faults.
    """
    by_position = {d.position: d for d in deviations}
    found = []
    for number, fault in enumerate(faults):
        begins = [k for k, n in enumerate(notes) if n.kind in FAULTS and n.number == number]
        seen: list[str] = []
        if begins:
            over = False
            for note in notes[begins[0] + 1 :]:
                over |= note.kind is NoteKind.VERB and note.text == "quit"
                over |= note.kind is NoteKind.BEGUN and note.episode > fault.episode
                about = _ABOUT.search(note.text) if note.kind is NoteKind.PART else None
                mine = about[1] == episode_id(fault.episode) if about else not over
                if mine and note.kind in SEEN and not _well(note):
                    seen.append(note.text)
        deviation = by_position.get(fault.episode)
        different = deviation.different if deviation is not None else ()
        found.append(Caused(fault, bool(begins), tuple(dict.fromkeys(seen)), different))
    return found


def _well(note: Note) -> bool:
    if note.kind is NoteKind.PHASE:
        return note.text.startswith(WELL)
    return note.kind is NoteKind.PART and ": well again: " in note.text


def faulty_episodes(faults: Sequence[Fault], notes: Sequence[Note]) -> frozenset[int]:
    """Episodes in which something was made to go wrong, or could still be felt.

    A camera's or arm's fault is over with its steps; a process that was hit, its disk or its
    network is felt until the session runs again, which is an episode later at most. A file that
    rots may hold any episode before.
    """
    begun = {note.number for note in notes if note.kind in FAULTS}
    hit = [fault for number, fault in enumerate(faults) if number in begun]
    own = {fault.episode for fault in hit}
    after = {f.episode + 1 for f in hit if f.node or f.fault in NETWORK | REWARD | set(ROT)}
    before = {k for f in hit if f.fault in ROT for k in range(f.episode)}
    return frozenset(own | after | before)
