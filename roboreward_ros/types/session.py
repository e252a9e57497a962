# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What consoles see of a session."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class IdleAccount:
    """Seconds of a session by what the robot did or waited for."""

    motion_s: float = 0.0
    reset_s: float = 0.0
    reward_s: float = 0.0
    learner_s: float = 0.0
    operator_s: float = 0.0
    fault_s: float = 0.0

    def total_s(self) -> float:
        return (
            self.motion_s
            + self.reset_s
            + self.reward_s
            + self.learner_s
            + self.operator_s
            + self.fault_s
        )


@dataclass(frozen=True, slots=True)
class SessionView:
    """What every console sees; the session owns it.

    Attributes:
        phase: name of the state machine's state.
        message: one line for the operator: what is going on or what to do.
        allowed: verbs that are valid now.
    """

    phase: str
    message: str
    allowed: tuple[str, ...]
    task: str
    episode_id: str
    step: int
    committed: int
    labelled: int
    abstained: int
    errors: int
    idle: IdleAccount = field(default_factory=IdleAccount)
