# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draws the state machine from what it does, in many lives with whatever could happen in them.

Nothing here knows the rules; an edge is there because the machine took it.
"""

from __future__ import annotations

import copy
import random
from collections import defaultdict
from collections.abc import Iterator

from roboreward_ros.errors import SessionError
from roboreward_ros.session import events as ev
from roboreward_ros.session.events import VERBS, Phase
from roboreward_ros.session.machine import TABLE, MachineConfig, SessionMachine
from roboreward_ros.session.plan import PlanConfig

EPISODES = 2
LIVES, STEPS = 1500, 40
ANSWERED = 0.75
Edges = dict[tuple[Phase, Phase], set[str]]


def edges() -> Edges:
    """(from, to) -> events, over twin and arm, with and without asking, by hand or program."""
    found: Edges = defaultdict(set)
    for auto_reset, program in ((True, False), (False, False), (False, True)):
        for asks in (True, False):
            config = MachineConfig(
                auto_reset=auto_reset,
                reset_program=program,
                confirm_reset=asks,
                ask_operator=asks,
                max_retries=1,
            )
            machine = SessionMachine(config, PlanConfig("task", episodes=EPISODES))
            _walk(machine, found, random.Random(0))
    return found


def mermaid(found: Edges) -> str:
    """The machine as a Mermaid state diagram, of its ``edges``."""
    lines = ["stateDiagram-v2", "    [*] --> IDLE"]
    order = {phase: k for k, phase in enumerate(Phase)}
    for start, end in sorted(found, key=lambda pair: (order[pair[0]], order[pair[1]])):
        if start is not end:
            names = ", ".join(sorted(found[start, end]))
            lines.append(f"    {start} --> {end}: {names}")
    return "\n".join(lines)


def verb_table() -> list[str]:
    """Rows of a Markdown table: which verb is possible in which phase."""
    head = "| verb | " + " | ".join(phase.value for phase in Phase) + " |"
    lines = [head, "|---|" + "---|" * len(Phase)]
    for name, verb in VERBS.items():
        marks = ["●" if _possible(phase, verb) else "" for phase in Phase]
        lines.append(f"| `{name}` | " + " | ".join(marks) + " |")
    return lines


def _possible(phase: Phase, verb: type[ev.Verb]) -> bool:
    return TABLE[(phase, verb)].__name__ != "_refuse"


def _walk(first: SessionMachine, found: Edges, draw: random.Random) -> None:
    """Many short lives of one machine, each event drawn among those that could come."""
    for _ in range(LIVES):
        machine = copy.copy(first)
        for _ in range(STEPS):
            answers, before = list(_answers(machine)), machine.phase
            likely = answers if answers and draw.random() < ANSWERED else list(_others(machine))
            event = draw.choice(likely)
            try:
                machine.handle(event)
            except SessionError:
                continue
            found[before, machine.phase].add(_name(event))


def _others(m: SessionMachine) -> Iterator[ev.Event]:
    """What a person, a failure or another node may send now."""
    yield from (ev.Start(), ev.RunOne(), ev.ConfirmReset(), ev.Judge("s"), ev.Discard())
    yield from (ev.Hold(), ev.Stop(), ev.Quit(), ev.RetryDue(m.failures))
    yield ev.Peers(frozenset())
    yield ev.Peers(frozenset({"policy_node"}))
    if m.episode is not None:
        yield ev.Failed(m.episode.episode_id)
    yield from (ev.TakeOver(), ev.GiveBack())


def _answers(m: SessionMachine) -> Iterator[ev.Event]:
    """What the session is waiting for."""
    if m.phase is Phase.WAIT_RESET:
        yield ev.ConfirmReset()
    if m.episode is not None:
        name = m.episode.episode_id
        if m.phase is Phase.RESETTING and not m.closing:
            yield ev.ResetDone(name)
            if m.config.reset_program:
                yield ev.LaidOut(name)
                yield ev.LaidOut(name, "failed")
        if m.phase is Phase.READY and not m.closing:
            yield ev.Begun(name)
        if m.phase in (Phase.RUNNING, Phase.TAKEOVER):
            yield ev.Committed(name)
            yield ev.Handed(name, m.phase is Phase.RUNNING)
        if m.closing:
            yield ev.Aborted(name)
    if m.outstanding:
        yield ev.Scored(m.outstanding[0], labelled=True)
        yield ev.Scored(m.outstanding[0], labelled=False)
    if m.asked:
        yield ev.Labelled(m.asked[0])
    if m.phase is Phase.LEARNING:
        yield ev.LearnerProgress(m.committed)


def _name(event: ev.Event) -> str:
    for name, verb in VERBS.items():
        if isinstance(event, verb):
            return name
    if isinstance(event, ev.Peers):
        return "node missing" if event.missing else "nodes there"
    if isinstance(event, ev.Scored):
        return "scored" if event.labelled else "no score"
    words = {
        ev.LaidOut: "laid out",
        ev.ResetDone: "reset done",
        ev.Begun: "begun",
        ev.Handed: "handed over",
        ev.Committed: "saved",
        ev.Failed: "failed",
        ev.Aborted: "dropped",
        ev.Labelled: "labelled",
        ev.LearnerProgress: "learner done",
        ev.RetryDue: "retry",
    }
    return words[type(event)]
