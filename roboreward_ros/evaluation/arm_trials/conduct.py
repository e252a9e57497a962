# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Leads a person through a comparison: lay out, run, judge, again; nobody is told which arm ran."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from roboreward_ros.errors import PersonLeftError, SessionError
from roboreward_ros.evaluation.arm_trials.book import TrialBook
from roboreward_ros.evaluation.arm_trials.plan import Trial


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """Attributes: episode_id: stored; problem: why it does not count, empty when it does."""

    episode_id: str = ""
    problem: str = ""


class Stage(Protocol):
    """Where trials run."""

    def run(self, trial: Trial) -> TrialOutcome:
        """Reset the arm and run one episode; blocks. A failure is an outcome with a problem."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who lays out the scenes and judges.

    Attributes:
        name: in the judgements.
        say: shows a line.
        ask: shows a question and returns the answer; raises PersonLeftError at the end of input.
    """

    name: str
    say: Callable[[str], None]
    ask: Callable[[str], str]


JUDGE = "s success, f failure, v void (say why), u undo the judgement before, q quit"


def conduct(book: TrialBook, stage: Stage, person: Person) -> bool:
    """Run and judge trials until all are judged; False when the person left before.

    Args:
        book: of the comparison; its plan says what is due.
        stage: runs the trials.
        person: lays out and judges.
    """
    plan = book.plan
    person.say(
        f"{len(plan.trials)} trials of '{plan.task}', {book.judged} judged so far. You are not "
        "told which of the two policies runs: please do not look it up."
    )
    try:
        while (trial := book.due()) is not None:
            if not book.record(trial).episode_id:
                _run(book, stage, person, trial)
            else:
                _judge(book, person, trial)
    except PersonLeftError:
        person.say(f"{book.judged} of {len(plan.trials)} judged; the same command goes on.")
        return False
    return True


def _run(book: TrialBook, stage: Stage, person: Person, trial: Trial) -> None:
    total, record = len(book.plan.trials), book.record(trial)
    again = f" (again: {record.voids[-1]})" if record.voids else ""
    person.say(f"\ntrial {trial.number} of {total}{again}")
    person.say(f"  lay out: {book.plan.scenes[trial.scene]}")
    while (answer := person.ask("  Enter runs it, u undoes the last judgement, q quits: ")) != "":
        if answer == "q":
            raise PersonLeftError
        if answer == "u":
            return _undo(book, person)
        person.say(f"  '{answer}' means nothing here")
    person.say("  running; Ctrl-C holds the arm and ends")
    outcome = stage.run(trial)
    if outcome.problem:
        book.void(trial, outcome.problem)
        return person.say(f"  it does not count: {outcome.problem}")
    return book.ran(trial, outcome.episode_id)


def _judge(book: TrialBook, person: Person, trial: Trial) -> None:
    answer = person.ask(f"  trial {trial.number}: {JUDGE}: ")
    word, _, reason = answer.partition(" ")
    if word in ("s", "f"):
        book.judge(trial, word == "s", person.name)
    elif word == "v":
        reason = reason or person.ask("  why does it not count? ")
        book.void(trial, reason or "the person's word")
    elif word == "u":
        _undo(book, person)
    elif word == "q":
        raise PersonLeftError
    else:
        person.say(f"  '{answer}' means nothing here")


def _undo(book: TrialBook, person: Person) -> None:
    try:
        number = book.undo()
    except SessionError as error:
        return person.say(f"  {error}")
    return person.say(f"  trial {number} is to be judged again")
