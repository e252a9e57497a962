# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From what a person pressed, and what stood on their screen, to a verb that still makes sense.

A session moves on by itself, keys repeat and networks are late. A verb that names its episode (a
label, a discard) is about that episode whenever it comes. One that lets something move (start,
confirm the reset, go on after a hold) is refused when the screen it was pressed on is out of date.
One that stops something is never refused for that reason.
"""

from __future__ import annotations

from roboreward_ros.errors import SessionError
from roboreward_ros.session.events import (
    VERBS,
    ConfirmReset,
    Discard,
    GiveBack,
    Hold,
    Judge,
    Phase,
    Quit,
    SetTask,
    Start,
    Stop,
    TakeOver,
    Undo,
    Verb,
)
from roboreward_ros.types import VerbRequest


def verb_of(request: VerbRequest) -> Verb:
    """The event that a request stands for.

    Raises:
        SessionError: no such verb; ``run_one`` is an action of its own.
        ConfigError: a label that is none.
    """
    match request.verb:
        case "start":
            return Start()
        case "confirm_reset":
            return ConfirmReset()
        case "label":
            return Judge(request.text, request.episode_id, request.operator)
        case "undo":
            return Undo(request.operator, request.episode_id)
        case "discard":
            return Discard(request.episode_id, request.text)
        case "hold":
            return Hold()
        case "take_over":
            return TakeOver(request.episode_id)
        case "give_back":
            return GiveBack(request.episode_id)
        case "task":
            return SetTask(request.text)
        case "stop":
            return Stop()
        case "quit":
            return Quit()
    allowed = tuple(name for name in VERBS if name != "run_one")
    raise SessionError("no such verb", got=request.verb, allowed=allowed)


def require_current(request: VerbRequest, phase: Phase, episode_id: str) -> None:
    """Refuse what has been overtaken since the screen was drawn.

    Args:
        request: with the phase and the episode that the person saw.
        phase: present.
        episode_id: being laid out, armed or run; "" between episodes.

    Raises:
        SessionError: the screen was out of date.
    """
    if not request.phase:
        return
    moved = request.phase != phase
    if request.verb == "confirm_reset":
        stale = moved or request.episode_id != episode_id
    elif request.verb == "start":
        stale = moved
    elif request.verb == "hold":  # a toggle: let it only do what the person wanted
        stale = (request.phase == Phase.PAUSED) != (phase is Phase.PAUSED)
    else:
        stale = False
    if stale:
        raise SessionError(
            f"'{request.verb}' came too late: the session has moved on",
            got=f"pressed in {request.phase} {request.episode_id}".rstrip(),
            allowed=f"{phase} {episode_id}".rstrip(),
            next_step="Look at the present state and press again.",
        )
