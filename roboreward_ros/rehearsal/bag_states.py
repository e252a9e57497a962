# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An episode from the recorded messages of the beat (``RobotState.msg``); no ROS is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from roboreward_ros.rehearsal.recording import RecordedEpisode
from roboreward_ros.types import EndCause, FloatArray, RobotState

CAUSES = (EndCause.TIME, EndCause.OPERATOR, EndCause.SOURCE, EndCause.FAULT)
"""By the numbers of RobotState.msg."""


class _Stamp(Protocol):
    sec: int
    nanosec: int


class _Header(Protocol):
    stamp: _Stamp


class StateMessage(Protocol):
    """The fields of ``RobotState.msg`` that are played."""

    header: _Header
    episode_id: str
    step: int
    last: bool
    end_cause: int
    proprio: FloatArray
    q: FloatArray
    dq: FloatArray
    effort: FloatArray
    ee_pose: FloatArray
    temperature: FloatArray
    action_raw: FloatArray
    action_executed: FloatArray
    target_pose: FloatArray
    q_command: FloatArray
    ik_error: FloatArray
    fault: str
    flags: int


def state_episode(
    name: str,
    task: str,
    beats: Sequence[StateMessage],
    frames: Sequence[bytes],
    taint: tuple[str, ...],
) -> RecordedEpisode:
    """The episode of states 0..T with a picture each.

    Raises:
        ConfigError: they do not fit each other.
    """
    states = tuple(_state(beat) for beat in beats)
    steps = beats[1:]  # a state tells how the action before it was executed
    stamps = tuple(state.stamp_ns for state in states)
    period_ns = float(np.median(np.diff(np.array(stamps, np.float64))))
    last = beats[-1]
    return RecordedEpisode(
        name=name,
        task=task,
        max_steps=len(steps),
        control_hz=float(np.clip(round(1e9 / period_ns, 1), 1.0, 50.0)) if period_ns > 0 else 5.0,
        end_cause=CAUSES[min(int(last.end_cause), len(CAUSES) - 1)],
        taint=taint,
        stamps_ns=stamps,
        states=states,
        frames=frames,
        asked=_stack(steps, "action_raw", (7,)),
        executed=_stack(steps, "action_executed", (7,)),
        targets=_stack(steps, "target_pose", (4, 4)),
        q_command=_stack(steps, "q_command", (6,)),
        ik_error=_stack(steps, "ik_error", (2,)),
        flags=tuple(int(beat.flags) for beat in steps),
        faults=tuple(str(beat.fault) for beat in steps),
    )


def _state(beat: StateMessage) -> RobotState:
    stamp = beat.header.stamp
    proprio = np.asarray(beat.proprio, np.float64)
    return RobotState(
        stamp_ns=int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec),
        q=np.asarray(beat.q, np.float64),
        dq=np.asarray(beat.dq, np.float64),
        effort=np.asarray(beat.effort, np.float64),
        gripper=float(proprio[6]),
        ee_pose=np.asarray(beat.ee_pose, np.float64).reshape(4, 4),
        proprio=proprio,
        temperature=np.asarray(beat.temperature, np.float64),
    )


def _stack(beats: Sequence[StateMessage], name: str, shape: tuple[int, ...]) -> FloatArray:
    rows = [np.asarray(getattr(beat, name), np.float64).reshape(shape) for beat in beats]
    return np.array(rows, np.float64).reshape(len(beats), *shape)
