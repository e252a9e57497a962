# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The beat: what the owner of the arm publishes each control period, and what answers it."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState

import roboreward_ros.msg as msg
from roboreward_ros.errors import ConfigError
from roboreward_ros.ros.convert.stamps import fixed, header, stamp_from_msg, to_doubles
from roboreward_ros.types import (
    ACTION_DIM,
    MOTORS,
    Beat,
    EndCause,
    FloatArray,
    GroundTruth,
    RobotState,
    StepAction,
    StepFlag,
    StepReport,
)

BASE_FRAME = "base_link"
JOINT_NAMES = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
END_CAUSES = (EndCause.TIME, EndCause.OPERATOR, EndCause.SOURCE, EndCause.FAULT)
"""By the number that messages carry."""


def end_cause_to_code(cause: EndCause) -> int:
    """The number of RobotState, EndEpisode and RecordEpisode."""
    return END_CAUSES.index(cause)


def end_cause_from_code(code: int) -> EndCause:
    """Raises ConfigError for a number that means nothing."""
    if not 0 <= code < len(END_CAUSES):
        raise ConfigError(
            "unknown end cause", got=code, allowed=[f"{i}={c}" for i, c in enumerate(END_CAUSES)]
        )
    return END_CAUSES[code]


def beat_to_msg(beat: Beat, frame_id: str = BASE_FRAME) -> msg.RobotState:
    """A beat as a message."""
    state, report = beat.state, beat.report
    message = msg.RobotState(header=header(state.stamp_ns, frame_id))
    message.episode_id = beat.episode_id
    message.step = int(beat.step)
    message.last = beat.last
    message.end_cause = end_cause_to_code(beat.end_cause) if beat.end_cause else 0
    message.proprio = fixed(state.proprio, 7)
    message.q = fixed(state.q, 6)
    message.dq = fixed(state.dq, 6)
    message.effort = fixed(state.effort, 6)
    message.ee_pose = fixed(state.ee_pose, 16)
    message.temperature = fixed(state.temperature, MOTORS)
    if report is not None:
        message.action_raw = fixed(report.action_raw, 7)
        message.action_executed = fixed(report.action_executed, 7)
        message.target_pose = fixed(report.target_pose, 16)
        message.q_command = fixed(report.q_command, 6)
        message.ik_error = fixed((report.ik_error_m, report.ik_error_rad), 2)
        message.fault = report.fault
        message.flags = int(report.flags)
    return message


def beat_from_msg(message: msg.RobotState) -> Beat:
    """The beat of a message; raises ConfigError for an unknown end cause."""
    proprio = to_doubles(message.proprio)
    state = RobotState(
        stamp_ns=stamp_from_msg(message.header.stamp),
        q=to_doubles(message.q),
        dq=to_doubles(message.dq),
        effort=to_doubles(message.effort),
        gripper=float(proprio[6]),
        ee_pose=to_doubles(message.ee_pose, (4, 4)),
        proprio=proprio,
        temperature=to_doubles(message.temperature),
    )
    report = None
    if message.step > 0:
        report = StepReport(
            action_raw=to_doubles(message.action_raw),
            action_executed=to_doubles(message.action_executed),
            target_pose=to_doubles(message.target_pose, (4, 4)),
            q_command=to_doubles(message.q_command),
            flags=StepFlag(int(message.flags)),
            state=state,
            ik_error_m=float(message.ik_error[0]),
            ik_error_rad=float(message.ik_error[1]),
            fault=message.fault,
        )
    return Beat(
        episode_id=message.episode_id,
        step=int(message.step),
        state=state,
        report=report,
        end_cause=end_cause_from_code(int(message.end_cause)) if message.last else None,
    )


def action_to_msg(action: StepAction, frame_id: str = BASE_FRAME) -> msg.EefAction:
    """An action as a message."""
    return msg.EefAction(
        header=header(action.stamp_ns, frame_id),
        episode_id=action.episode_id,
        step=int(action.step),
        chunk=int(action.chunk),
        chunk_step=int(action.chunk_step),
        policy_version=int(action.policy_version),
        action=fixed(action.action, ACTION_DIM),
    )


def action_from_msg(message: msg.EefAction) -> StepAction:
    """The action of a message; values are not judged here, the safety core does."""
    return StepAction(
        episode_id=message.episode_id,
        step=int(message.step),
        action=to_doubles(message.action),
        stamp_ns=stamp_from_msg(message.header.stamp),
        chunk=int(message.chunk),
        chunk_step=int(message.chunk_step),
        policy_version=int(message.policy_version),
    )


def truth_to_msg(truth: GroundTruth, episode_id: str, step: int, stamp_ns: int) -> msg.GroundTruth:
    """The twin's truth of one step."""
    return msg.GroundTruth(
        header=header(stamp_ns, BASE_FRAME),
        episode_id=episode_id,
        step=int(step),
        progress=float(truth.progress),
        success=bool(truth.success),
        score=int(truth.score),
        stage=truth.stage,
    )


def truth_from_msg(message: msg.GroundTruth) -> GroundTruth:
    return GroundTruth(
        progress=float(message.progress),
        success=bool(message.success),
        score=int(message.score),
        stage=message.stage,
    )


def joints_to_msg(state: RobotState) -> JointState:
    """Arm joints for standard ROS tools; efforts are left out where they are not measured."""
    message = JointState(header=header(state.stamp_ns, BASE_FRAME))
    message.name = list(JOINT_NAMES)
    message.position = [float(value) for value in state.q]
    message.velocity = [float(value) for value in state.dq]
    if np.isfinite(state.effort).all():
        message.effort = [float(value) for value in state.effort]
    return message


def pose_to_msg(state: RobotState) -> PoseStamped:
    """Gripper pose in the base frame for standard ROS tools."""
    message = PoseStamped(header=header(state.stamp_ns, BASE_FRAME))
    x, y, z = (float(value) for value in state.ee_pose[:3, 3])
    message.pose.position.x, message.pose.position.y, message.pose.position.z = x, y, z
    qx, qy, qz, qw = quaternion(state.ee_pose[:3, :3])
    message.pose.orientation.x, message.pose.orientation.y = qx, qy
    message.pose.orientation.z, message.pose.orientation.w = qz, qw
    return message


def quaternion(rotation: FloatArray) -> tuple[float, float, float, float]:
    """Unit quaternion (x, y, z, w), w >= 0, of a rotation matrix ``[3, 3]``.

    The eigenvector of the largest eigenvalue of Bar-Itzhack's symmetric matrix: stable for
    every angle.
    """
    r = rotation
    k = np.zeros((4, 4))
    k[0, :] = (r[0, 0] - r[1, 1] - r[2, 2], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0], r[2, 1] - r[1, 2])
    k[1, 1:] = (r[1, 1] - r[0, 0] - r[2, 2], r[1, 2] + r[2, 1], r[0, 2] - r[2, 0])
    k[2, 2:] = (r[2, 2] - r[0, 0] - r[1, 1], r[1, 0] - r[0, 1])
    k[3, 3] = r[0, 0] + r[1, 1] + r[2, 2]
    _, vectors = np.linalg.eigh(k, UPLO="U")
    x, y, z, w = (float(value) for value in vectors[:, -1] * np.sign(vectors[3, -1] or 1.0))
    return x, y, z, w
