# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The scripted operator: presses the cues' keys and keeps the session going. Knows no transport."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from roboreward_ros.rehearsal.script import Cue
from roboreward_ros.session.events import Phase
from roboreward_ros.session.plan import episode_id
from roboreward_ros.types import SessionView, VerbRequest

PATIENCE_S = {Phase.WAIT_RESET: 0.0, Phase.PAUSED: 2.0, Phase.IDLE: 2.0, Phase.FAULT: 12.0}
"""How long the session may be in a phase before the operator lets it go on, s. A fault is tried
again by the session itself first."""
GO_ON = {Phase.WAIT_RESET: "confirm_reset"}
MAX_HELP = 5
"""So often the operator helps a session that has given up; the next time the operator leaves."""


class ScriptedOperator:
    """See the module's text; one thread uses it.

    Args:
        cues: what to press.
        episodes: how many will be rehearsed.
    """

    def __init__(self, cues: Sequence[Cue], episodes: int) -> None:
        self._open = [replace(cue) for cue in cues if cue.episode < episodes]
        self._waiting = 0
        self._episodes = episodes
        self._phase: tuple[str, str] = ("", "")
        self._since_s = 0.0
        self._begun = False
        self._left = False
        self._helped = 0

    def at_step(self, episode: int, step: int) -> list[VerbRequest]:
        """Keys of a control step, each once, whether or not its episode is run again."""
        return self._take(lambda cue: cue.episode == episode and cue.step == step)

    def committed(self, episode: int) -> list[VerbRequest]:
        """Keys that waited for an episode to be on disk; those of steps it never had as well."""
        return self._take(lambda cue: cue.episode == episode)

    def _take(self, due: Callable[[Cue], bool]) -> list[VerbRequest]:
        mine = [cue for cue in self._open if due(cue)]
        self._open = [cue for cue in self._open if not due(cue)]
        self._waiting += len(mine)
        return [_request(cue) for cue in mine]

    def answered(self) -> None:
        """The session has answered a key, one way or the other."""
        self._waiting = max(self._waiting - 1, 0)

    def look(self, view: SessionView, now_s: float) -> VerbRequest | None:
        """What to press so that the session goes on, or leaves when all is done.

        Args:
            view: its newest state.
            now_s: steady time.
        """
        mark = (view.phase, view.message)
        if mark != self._phase:
            self._phase, self._since_s = mark, now_s
        phase = Phase(view.phase) if view.phase in set(Phase) else None
        self._begun = self._begun or phase not in (None, Phase.IDLE)
        if phase is Phase.DONE and not self._waiting and not self._left:
            self._left = True
            return VerbRequest("quit")
        if phase not in PATIENCE_S or view.missing or not self._begun or self._left:
            return None
        if now_s - self._since_s < PATIENCE_S[phase]:
            return None
        self._since_s = now_s + PATIENCE_S[phase]
        if phase is Phase.FAULT:
            if self._helped >= MAX_HELP:
                self._left = True
                return VerbRequest("quit")
            self._helped += 1
        return VerbRequest(GO_ON.get(phase, "start"))


def _request(cue: Cue) -> VerbRequest:
    about = cue.verb in ("label", "undo", "discard", "take_over", "give_back")
    who = "" if cue.operator == "script" else cue.operator
    name = episode_id(cue.episode) if about else ""
    return VerbRequest(cue.verb, cue.text, name, operator=who or "script")
