# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rotations, and BridgeData's state vector of a gripper pose.

A BridgeData state is ``[x, y, z (m), roll, pitch, yaw (rad), gripper (0..1)]`` in the base frame (x
forward, y left, z up). Its angles are zero when the gripper points straight down: the gripper
frame's rotation is ``R(roll, pitch, yaw) @ GRIPPER_DOWN`` with R = Rz(yaw) Ry(pitch) Rx(roll).
"""

from __future__ import annotations

import math

import numpy as np

from roboreward_ros.types import PROPRIO_DIM, FloatArray, require_shape

GRIPPER_DOWN: FloatArray = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
"""Rotation of the gripper frame (x along the fingers) at zero roll, pitch and yaw."""
GRIPPER_DOWN.setflags(write=False)

_SMALL = 1e-12


def rotation_from_rpy(rpy: FloatArray) -> FloatArray:
    """Rotation ``[3, 3]`` = Rz(yaw) Ry(pitch) Rx(roll) of angles ``[3]`` rad about fixed axes."""
    roll, pitch, yaw = (float(angle) for angle in rpy)
    cr, sr = math.cos(roll), math.sin(roll)
    cp, sp = math.cos(pitch), math.sin(pitch)
    cy, sy = math.cos(yaw), math.sin(yaw)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def rpy_from_rotation(rotation: FloatArray) -> FloatArray:
    """Angles ``[3]`` rad (roll, pitch, yaw), pitch in -pi/2..pi/2; inverse of the above.

    Where pitch is +-pi/2 roll and yaw are not separate; roll is then zero.
    """
    R = rotation
    level = math.hypot(R[0, 0], R[1, 0])
    pitch = math.atan2(-R[2, 0], level)
    if level < 1e-9:
        return np.array([0.0, pitch, math.atan2(-R[0, 1], R[1, 1])])
    return np.array([math.atan2(R[2, 1], R[2, 2]), pitch, math.atan2(R[1, 0], R[0, 0])])


def rotation_from_vector(vector: FloatArray) -> FloatArray:
    """Rotation ``[3, 3]`` about ``vector [3]`` by its length in rad (Rodrigues)."""
    x, y, z = (float(part) for part in vector)
    angle = math.sqrt(x * x + y * y + z * z)
    if angle < _SMALL:
        return np.eye(3)
    a, b = math.sin(angle) / angle, (1.0 - math.cos(angle)) / (angle * angle)
    skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    turned: FloatArray = np.eye(3) + a * skew + b * (skew @ skew)
    return turned


def vector_from_rotation(rotation: FloatArray) -> FloatArray:
    """Rotation vector ``[3]``, length 0..pi rad; inverse of the above."""
    ((xx, xy, xz), (yx, yy, yz), (zx, zy, zz)) = rotation.tolist()
    x, y, z = zy - yz, xz - zx, yx - xy  # 2 sin(angle) axis
    sine = 0.5 * math.sqrt(x * x + y * y + z * z)
    cosine = 0.5 * (xx + yy + zz - 1.0)
    angle = math.atan2(sine, cosine)
    if sine > 1e-6:
        scale = 0.5 * angle / sine
    elif cosine > 0.0:
        scale = 0.5
    else:
        return _half_turn(rotation, np.array([x, y, z]), angle)
    return np.array([x * scale, y * scale, z * scale])


def _half_turn(rotation: FloatArray, twice: FloatArray, angle: float) -> FloatArray:
    # Close to pi the antisymmetric part vanishes; the axis is the longest column of R + I.
    columns = 0.5 * (rotation + rotation.T) + np.eye(3)
    lengths = np.linalg.norm(columns, axis=0)
    longest = int(np.argmax(lengths))
    axis: FloatArray = columns[:, longest] / lengths[longest]
    return axis * (-angle if float(axis @ twice) < 0.0 else angle)


def rotation_between(start: FloatArray, end: FloatArray) -> FloatArray:
    """Rotation vector ``[3]`` in base axes that turns rotation ``start`` into ``end``."""
    return vector_from_rotation(end @ start.T)


def pose(rotation: FloatArray, position: FloatArray) -> FloatArray:
    """Homogeneous transform ``[4, 4]``."""
    T = np.eye(4)
    T[:3, :3] = rotation
    T[:3, 3] = position
    return T


def pose_from_proprio(proprio: FloatArray) -> FloatArray:
    """Gripper pose ``[4, 4]`` in the base frame of a BridgeData state ``[7]`` (or its first 6)."""
    state = np.asarray(proprio, dtype=np.float64)
    require_shape("BridgeData state", state[:6], (6,))
    return pose(rotation_from_rpy(state[3:6]) @ GRIPPER_DOWN, state[:3])


def proprio_from_pose(ee_pose: FloatArray, gripper: float) -> FloatArray:
    """BridgeData state ``[7]`` of a gripper pose ``[4, 4]`` and a normalised opening."""
    state = np.empty(PROPRIO_DIM)
    state[:3] = ee_pose[:3, 3]
    state[3:6] = rpy_from_rotation(ee_pose[:3, :3] @ GRIPPER_DOWN.T)
    state[6] = gripper
    return state


def orthonormal(rotation: FloatArray) -> FloatArray:
    """The rotation nearest to an almost-rotation ``[3, 3]``; stops round-off from growing."""
    U, _, Vt = np.linalg.svd(rotation)
    nearest: FloatArray = U @ np.diag([1.0, 1.0, float(np.linalg.det(U @ Vt))]) @ Vt
    return nearest
