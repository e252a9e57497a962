# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The arm controller's law for many arms in one call.

The same bounds, box, target law and damped inverse kinematics as ``robot.eef_control``, with a
fixed number of iterations and without its reports; a test holds the two together. For studies
that step hundreds of thousands of twins' periods; nothing that moves an arm uses it.
"""

from __future__ import annotations

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.robot.eef_control import LAG_M, LAG_RAD
from roboreward_ros.robot.kinematics import (
    DAMPING,
    POSITION_TOLERANCE,
    ROTATION_TOLERANCE,
    ROTATION_WEIGHT,
    STEP_CAP,
)
from roboreward_ros.robot.profile import RobotProfile
from roboreward_ros.types import ACTION_DIM, FloatArray, require_shape

ITERATIONS = 4


class ArmBatch:
    """Targets and last commands of N arms.

    Args:
        profile: limits, box, bounds and screw axes that all arms share.
        control_hz: actions per second.
        arms: N.
    """

    def __init__(self, profile: RobotProfile, control_hz: float, arms: int) -> None:
        if arms < 1:
            raise ConfigError("a batch without arms", got=arms, allowed="1 or more")
        self._profile = profile
        self._cap = profile.velocity_limit / control_hz
        self._bounds = np.repeat([profile.delta_position, profile.delta_rotation], 3)
        w, v = profile.slist[:, :3], profile.slist[:, 3:]
        skew = np.zeros((6, 3, 3))
        skew[:, [2, 0, 1], [1, 2, 0]] = w
        skew[:, [1, 2, 0], [2, 0, 1]] = -w
        self._skew, self._square = skew, skew @ skew
        self._v, self._w, self._point = v, w, np.cross(w, v)
        self._q = np.zeros((arms, 6))
        self._target = np.tile(np.eye(4), (arms, 1, 1))

    def latch(self, arm: int, q: FloatArray) -> None:
        """Make joints ``q [6]`` rad the last command of one arm and their pose its target."""
        self._q[arm] = q
        self._target[arm] = self.forward(q[None])[0]

    def plan(self, actions: FloatArray, measured: FloatArray) -> FloatArray:
        """Joint commands ``[N, 6]`` rad for actions ``[N, 7]``; the gripper passes through.

        Args:
            actions: translation m, rotation rad, opening, base frame.
            measured: joints just before, ``[N, 6]`` rad.
        """
        require_shape("actions", actions, (len(self._q), ACTION_DIM))
        self._release(measured)
        start = self._target
        delta = np.clip(actions[:, :6], -self._bounds, self._bounds)
        place = start[:, :3, 3]
        box = self._profile.box
        target = np.tile(np.eye(4), (len(start), 1, 1))
        target[:, :3, :3] = _turns(delta[:, 3:]) @ start[:, :3, :3]
        target[:, :3, 3] = np.clip(
            place + delta[:, :3], np.minimum(box.low, place), np.maximum(box.high, place)
        )
        q = self._solve(target, self._q)
        share = (np.abs(q - self._q) / self._cap).max(axis=1)
        q = self._q + (q - self._q) / np.maximum(share, 1.0)[:, None]
        reached = self.forward(q)
        off = np.linalg.norm(_error(reached, target), axis=1) > POSITION_TOLERANCE
        off |= np.linalg.norm(_turn_error(reached, target), axis=1) > ROTATION_TOLERANCE
        off |= share > 1.0
        target[off] = reached[off]
        self._q, self._target = q, target
        commands: FloatArray = q.copy()
        return commands

    def forward(self, q: FloatArray) -> FloatArray:
        """Gripper poses ``[N, 4, 4]`` at joints ``[N, 6]`` rad."""
        found: FloatArray = self._frames(q)[-1] @ self._profile.home
        return found

    def _release(self, measured: FloatArray) -> None:
        """Arms that are held up far from their target start again where they are."""
        here = self.forward(measured)
        lost = np.linalg.norm(_error(here, self._target), axis=1) > LAG_M
        lost |= np.linalg.norm(_turn_error(here, self._target), axis=1) > LAG_RAD
        if lost.any():
            limits = self._profile
            self._q[lost] = np.clip(measured[lost], limits.q_min, limits.q_max)
            self._target[lost] = self.forward(self._q[lost])

    def _frames(self, q: FloatArray) -> list[FloatArray]:
        """Products ``[N, 4, 4]`` of the first 0..6 joint transforms."""
        sine, versine = np.sin(q)[..., None, None], (1.0 - np.cos(q))[..., None, None]
        parts = np.zeros((*q.shape, 4, 4))
        parts[..., :3, :3] = np.eye(3) + sine * self._skew + versine * self._square
        slide = q[..., None, None] * np.eye(3) + versine * self._skew
        slide = slide + (q[..., None, None] - sine) * self._square
        parts[..., :3, 3] = np.einsum("njab,jb->nja", slide, self._v)
        parts[..., 3, 3] = 1.0
        frames = [np.tile(np.eye(4), (len(q), 1, 1))]
        for joint in range(q.shape[1]):
            frames.append(frames[-1] @ parts[:, joint])
        return frames

    def _solve(self, target: FloatArray, q: FloatArray) -> FloatArray:
        """Damped least squares from ``q``, ``ITERATIONS`` steps."""
        profile = self._profile
        for _ in range(ITERATIONS):
            frames = self._frames(q)
            here = frames[-1] @ profile.home
            turned = np.stack(frames[:-1], axis=1)  # [N, 6, 4, 4]
            axes = np.einsum("njab,jb->nja", turned[..., :3, :3], self._w)
            point = np.einsum("njab,jb->nja", turned[..., :3, :3], self._point)
            point += turned[..., :3, 3]
            linear = np.cross(axes, here[:, None, :3, 3] - point)
            J = np.concatenate([linear, ROTATION_WEIGHT * axes], axis=2)  # [N, 6 joints, 6]
            error = np.concatenate(
                [_error(here, target), ROTATION_WEIGHT * _turn_error(here, target)], axis=1
            )
            damping = DAMPING**2 * np.minimum(1.0, (error**2).sum(1) / 1e-2) + 1e-9
            square = J.transpose(0, 2, 1) @ J + damping[:, None, None] * np.eye(6)
            dq = (J @ np.linalg.solve(square, error[..., None]))[..., 0]
            dq /= np.maximum(np.abs(dq).max(axis=1, keepdims=True) / STEP_CAP, 1.0)
            q = np.clip(q + dq, profile.q_min, profile.q_max)
        return q


def _error(here: FloatArray, target: FloatArray) -> FloatArray:
    difference: FloatArray = target[:, :3, 3] - here[:, :3, 3]
    return difference


def _turn_error(here: FloatArray, target: FloatArray) -> FloatArray:
    """Rotation vectors ``[N, 3]`` in base axes, angles below pi."""
    R = target[:, :3, :3] @ here[:, :3, :3].transpose(0, 2, 1)
    axis = 0.5 * np.stack(
        [R[:, 2, 1] - R[:, 1, 2], R[:, 0, 2] - R[:, 2, 0], R[:, 1, 0] - R[:, 0, 1]], axis=1
    )
    sine = np.linalg.norm(axis, axis=1)
    cosine = 0.5 * (np.trace(R, axis1=1, axis2=2) - 1.0)
    scale = np.where(sine > 1e-9, np.arctan2(sine, cosine) / np.maximum(sine, 1e-9), 1.0)
    return axis * scale[:, None]


def _turns(rpy: FloatArray) -> FloatArray:
    """Rotations ``[N, 3, 3]`` = Rz(yaw) Ry(pitch) Rx(roll) of angles ``[N, 3]`` rad."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(rpy).T, np.sin(rpy).T
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)
