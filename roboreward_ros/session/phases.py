# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""To whom the time of each phase is charged."""

from __future__ import annotations

from roboreward_ros.session.account import Cause
from roboreward_ros.session.events import Phase
from roboreward_ros.session.machine import SessionMachine

_CAUSES: dict[Phase, Cause | None] = {
    Phase.IDLE: Cause.OPERATOR,
    Phase.WAIT_RESET: Cause.OPERATOR,
    Phase.RESETTING: Cause.RESET,
    Phase.READY: Cause.RESET,
    Phase.RUNNING: Cause.MOTION,
    Phase.TAKEOVER: Cause.MOTION,
    Phase.SCORING: Cause.REWARD,
    Phase.LEARNING: Cause.LEARNER,
    Phase.ASK: Cause.OPERATOR,
    Phase.PAUSED: Cause.OPERATOR,
    Phase.FAULT: Cause.FAULT,
    Phase.DONE: None,
}


def cause_of(machine: SessionMachine) -> Cause | None:
    """The cause of the machine's present waiting; None once the work is done."""
    if machine.phase is Phase.PAUSED and not machine.held:
        return Cause.FAULT  # a node is missing
    return _CAUSES[machine.phase]
