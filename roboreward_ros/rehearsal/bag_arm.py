# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An episode from joint states alone: poses by forward kinematics, actions as what was moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.rehearsal.recording import RecordedEpisode
from roboreward_ros.robot.frames import proprio_from_pose, rotation_between
from roboreward_ros.robot.profile import RobotProfile
from roboreward_ros.types import MOTORS, EndCause, FloatArray, RobotState

FINGER = "left_finger"


@dataclass(frozen=True, slots=True)
class ArmSample:
    """One message of joint states: stamp in ns since the epoch, names, positions in rad and m."""

    stamp_ns: int
    names: tuple[str, ...]
    position: FloatArray


def arm_episode(
    name: str,
    task: str,
    ticks: Sequence[int],
    samples: Sequence[ArmSample],
    frames: Sequence[bytes],
    profile: RobotProfile,
    control_hz: float,
) -> RecordedEpisode:
    """The episode of one sample and picture a tick.

    Args:
        name: of the episode.
        task: its sentence.
        ticks: stamps of the observations ``[T + 1]``, ns since the epoch.
        samples: newest joint states at each ``[T + 1]``.
        frames: newest pictures at each ``[T + 1]``.
        profile: of the arm.
        control_hz: ticks per second.

    Raises:
        ConfigError: joints of the profile are not among the samples', or there are too few ticks.
    """
    states = tuple(
        _state(sample, stamp_ns, profile) for sample, stamp_ns in zip(samples, ticks, strict=True)
    )
    if len(states) < 2:
        raise ConfigError("the bag is shorter than one control step", got=f"{len(states)} samples")
    moved = np.array([_action(a, b) for a, b in pairwise(states)])
    steps = len(moved)
    return RecordedEpisode(
        name=name,
        task=task,
        max_steps=steps,
        control_hz=control_hz,
        end_cause=EndCause.TIME,
        taint=(),
        stamps_ns=tuple(ticks),
        states=states,
        frames=frames,
        asked=moved,
        executed=moved,
        targets=np.array([state.ee_pose for state in states[1:]]),
        q_command=np.array([state.q for state in states[1:]]),
        ik_error=np.full((steps, 2), np.nan),
        flags=(0,) * steps,
        faults=("",) * steps,
    )


def _state(sample: ArmSample, stamp_ns: int, profile: RobotProfile) -> RobotState:
    known = dict(zip(sample.names, sample.position.tolist(), strict=False))
    known = {**dict.fromkeys(profile.virtual_joints, 0.0), **known}  # hinges that it does not have
    wanted = (*profile.joint_names, FINGER)
    if missing := [joint for joint in wanted if joint not in known]:
        raise ConfigError(
            f"joints of {profile.name} are not in the bag",
            got=", ".join(sample.names),
            allowed=tuple(missing),
            next_step="Give --robot and --joint-topic.",
        )
    *angles, finger = (float(known[joint]) for joint in wanted)
    q, opening = np.array(angles), float(np.clip(profile.gripper_from_finger(finger), 0.0, 1.0))
    pose = profile.kinematics().fk(q)
    return RobotState(
        stamp_ns=stamp_ns,
        q=q,
        dq=np.zeros(len(q)),
        effort=np.full(len(q), np.nan),
        gripper=opening,
        ee_pose=pose,
        proprio=proprio_from_pose(pose, opening),
        temperature=np.full(MOTORS, np.nan),
    )


def _action(before: RobotState, after: RobotState) -> FloatArray:
    """BridgeData's action ``[7]`` that leads from one state to the next."""
    action = np.empty(7)
    action[:3] = after.ee_pose[:3, 3] - before.ee_pose[:3, 3]
    action[3:6] = rotation_between(before.ee_pose[:3, :3], after.ee_pose[:3, :3])
    action[6] = after.gripper
    return action
