# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the session's own state says about its health. Pure; the time in a phase is given."""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.session.events import Phase
from roboreward_ros.types import HealthLevel, SessionView

GIVEN_UP_S = 12.0
"""A fault that lasts so long is not tried again by the session itself."""
START_S = 180.0
"""Nodes may need so long to come up before that is worth a call."""
WAITING = {
    Phase.WAIT_RESET: "Lay out the scene and press Enter.",
    Phase.ASK: "Answer on the console: s, f or 1 to 5.",
    Phase.PAUSED: "Press space or Enter to go on.",
    Phase.IDLE: "Press Enter to start.",
}


@dataclass(frozen=True, slots=True)
class Said:
    """Attributes: level: how bad; what: one line; do: what a person should do."""

    level: HealthLevel
    what: str
    do: str = ""


WELL = Said(HealthLevel.OK, "")


def of_phase(view: SessionView, phase_s: float, idle_s: float) -> Said:
    """Whether the session goes on by itself.

    Args:
        view: its newest state.
        phase_s: for how long it has been in this phase.
        idle_s: a robot that waits for a person for so long is worth a word; 0: never.
    """
    if view.phase == Phase.FAULT:
        lasts = phase_s >= GIVEN_UP_S
        do = "Mend it and press Enter." if lasts else "It is tried again by itself."
        return Said(HealthLevel.ERROR if lasts else HealthLevel.WARN, view.message, do)
    if view.missing:
        what = f"{' and '.join(view.missing)} {'is' if len(view.missing) == 1 else 'are'} not there"
        do = f"The launcher starts a node again; if it stays away, see logs/{view.missing[0]}.log."
        starting = view.phase == Phase.IDLE and phase_s < START_S
        return Said(HealthLevel.WARN if starting else HealthLevel.ERROR, what, do)
    for phase, do in WAITING.items():
        if view.phase == phase and 0.0 < idle_s <= phase_s:
            minutes = f"{idle_s / 60:.0f} min" if idle_s >= 60 else f"{idle_s:.0f} s"
            return Said(HealthLevel.WARN, f"the robot has waited for you for {minutes}", do)
    return WELL


def of_notice(view: SessionView) -> Said:
    """What another node wants a person to know at once, such as weights that are held back."""
    if not view.notice:
        return WELL
    return Said(HealthLevel.ERROR, view.notice, "Decide on the console.")
