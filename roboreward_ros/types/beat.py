# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The values of the beat: what the owner of the arm tells each control period, and the answer."""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.types.arrays import ACTION_DIM, FloatArray, require_shape
from roboreward_ros.types.episode import EndCause
from roboreward_ros.types.robot import RobotState, StepReport


@dataclass(frozen=True, slots=True)
class Beat:
    """State k of an episode with how the action of step k - 1 was executed.

    Attributes:
        episode_id: "" outside episodes.
        step: k.
        state: measured after k actions.
        report: of the action taken at step k - 1; None at step 0 and outside episodes.
        end_cause: why the episode ended; None while it goes on. Set means: no action is wanted.
    """

    episode_id: str
    step: int
    state: RobotState
    report: StepReport | None = None
    end_cause: EndCause | None = None

    @property
    def last(self) -> bool:
        return self.end_cause is not None


@dataclass(frozen=True, slots=True)
class StepAction:
    """One action for one control period.

    Attributes:
        episode_id: which episode.
        step: control step that it is for.
        action: ``[7]`` float64, BridgeData semantics.
        stamp_ns: of the observation that it answers.
        chunk: decision that it belongs to.
        chunk_step: position inside that decision.
        policy_version: steering actor, 0 = prior.
    """

    episode_id: str
    step: int
    action: FloatArray
    stamp_ns: int = 0
    chunk: int = 0
    chunk_step: int = 0
    policy_version: int = 0

    def __post_init__(self) -> None:
        require_shape("StepAction.action", self.action, (ACTION_DIM,))
