# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The session's state as consoles get it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import roboreward_ros.msg as msg
from roboreward_ros.ros.convert.stamps import header
from roboreward_ros.types import SessionView


@dataclass(frozen=True, slots=True)
class SessionDetails:
    """What SessionState says beyond ``SessionView``.

    Attributes:
        index: of the present or next episode.
        max_steps: time limit of its task.
        claimed_successes: labels that say success.
        reward_source: in force, "" before there is one.
        last_reward: label of the last committed episode; None while it is unlabelled.
        policy_version: newest steering actor that the learner gave out.
    """

    index: int
    max_steps: int
    claimed_successes: int
    reward_source: str
    last_reward: float | None
    policy_version: int


def session_to_msg(view: SessionView, details: SessionDetails, stamp_ns: int) -> msg.SessionState:
    """The latched message."""
    idle = view.idle
    return msg.SessionState(
        header=header(stamp_ns),
        phase=view.phase,
        message=view.message,
        allowed=list(view.allowed),
        task=view.task,
        episode_id=view.episode_id,
        index=int(details.index),
        step=int(view.step),
        max_steps=int(details.max_steps),
        committed=int(view.committed),
        labelled=int(view.labelled),
        abstained=int(view.abstained),
        errors=int(view.errors),
        claimed_successes=int(details.claimed_successes),
        reward_source=details.reward_source,
        last_reward=math.nan if details.last_reward is None else float(details.last_reward),
        policy_version=int(details.policy_version),
        motion_s=float(idle.motion_s),
        reset_s=float(idle.reset_s),
        reward_s=float(idle.reward_s),
        learner_s=float(idle.learner_s),
        operator_s=float(idle.operator_s),
        fault_s=float(idle.fault_s),
    )
