# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The session's state as consoles get it, and back."""

from __future__ import annotations

import math

import roboreward_ros.msg as msg
from roboreward_ros.ros.convert.stamps import header
from roboreward_ros.types import IdleAccount, SessionView


def session_to_msg(view: SessionView, stamp_ns: int) -> msg.SessionState:
    """The latched message."""
    idle = view.idle
    return msg.SessionState(
        header=header(stamp_ns),
        phase=view.phase,
        message=view.message,
        allowed=list(view.allowed),
        task=view.task,
        episode_id=view.episode_id,
        index=int(view.index),
        step=int(view.step),
        max_steps=int(view.max_steps),
        committed=int(view.committed),
        labelled=int(view.labelled),
        abstained=int(view.abstained),
        errors=int(view.errors),
        claimed_successes=int(view.claimed_successes),
        reward_source=view.reward_source,
        last_reward=math.nan if view.last_reward is None else float(view.last_reward),
        policy_version=int(view.policy_version),
        notice=view.notice,
        motion_s=float(idle.motion_s),
        reset_s=float(idle.reset_s),
        reward_s=float(idle.reward_s),
        learner_s=float(idle.learner_s),
        operator_s=float(idle.operator_s),
        fault_s=float(idle.fault_s),
        last_episode_id=view.last_episode_id,
        asked=list(view.asked),
        missing=list(view.missing),
        canary=bool(view.canary),
    )


def session_from_msg(state: msg.SessionState) -> SessionView:
    """What a console shows."""
    return SessionView(
        phase=state.phase,
        message=state.message,
        allowed=tuple(state.allowed),
        task=state.task,
        episode_id=state.episode_id,
        step=int(state.step),
        committed=int(state.committed),
        labelled=int(state.labelled),
        abstained=int(state.abstained),
        errors=int(state.errors),
        idle=IdleAccount(
            state.motion_s,
            state.reset_s,
            state.reward_s,
            state.learner_s,
            state.operator_s,
            state.fault_s,
        ),
        last_episode_id=state.last_episode_id,
        asked=tuple(state.asked),
        missing=tuple(state.missing),
        canary=bool(state.canary),
        index=int(state.index),
        max_steps=int(state.max_steps),
        claimed_successes=int(state.claimed_successes),
        reward_source=state.reward_source,
        last_reward=None if math.isnan(state.last_reward) else float(state.last_reward),
        policy_version=int(state.policy_version),
        notice=state.notice,
    )
