# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Forward and inverse kinematics of a chain of hinges, from its screw axes.

Product of exponentials (Lynch and Park, Modern Robotics, 2017, chapter 4); inverse by damped least
squares (Nakamura and Hanafusa 1986) with the damping falling with the error (Sugihara 2011).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.robot.frames import rotation_between
from roboreward_ros.types import FloatArray, require_shape

JOINTS = 6
DAMPING = 0.03
STEP_CAP = 0.5  # rad an iteration may turn any joint
ROTATION_WEIGHT = 0.3  # metres that one radian counts for
POSITION_TOLERANCE = 1e-3  # m; a solution within both tolerances is ok
ROTATION_TOLERANCE = 1e-2  # rad
_CONVERGED_M, _CONVERGED_RAD = 1e-5, 1e-4
_STALL, _STALLED = 0.98, 4  # give up after so many steps in a row that gain less than 2 %
_NEXT, _AFTER = [1, 2, 0], [2, 0, 1]


@dataclass(frozen=True, slots=True)
class IkResult:
    """Joints ``q [6]`` rad within limits; the nearest found when not ``ok``."""

    q: FloatArray
    ok: bool
    position_error_m: float
    rotation_error_rad: float


class Kinematics:
    """A chain of six hinges.

    Args:
        slist: screw axes ``[6, 6]`` in the base frame at zero joints, rows (wx wy wz vx vy vz).
        home: gripper pose ``[4, 4]`` in the base frame at zero joints.
        q_min: lower joint limits ``[6]``, rad.
        q_max: upper joint limits ``[6]``, rad.
    """

    def __init__(
        self, slist: FloatArray, home: FloatArray, q_min: FloatArray, q_max: FloatArray
    ) -> None:
        require_shape("slist", slist, (JOINTS, 6))
        require_shape("home", home, (4, 4))
        require_shape("q_min", q_min, (JOINTS,))
        require_shape("q_max", q_max, (JOINTS,))
        w, v = slist[:, :3], slist[:, 3:]
        if (
            np.abs(np.linalg.norm(w, axis=1) - 1.0).max() > 1e-6
            or np.abs(w * v).sum(1).max() > 1e-6
        ):
            raise ConfigError(
                "screw axes must be hinges",
                got=slist.tolist(),
                allowed="unit w, and v at right angles to w",
            )
        if not (q_min < q_max).all():
            raise ConfigError("joint limits are not in order", got=f"{q_min} .. {q_max}")
        self.home = home.copy()
        self.q_min, self.q_max = q_min.copy(), q_max.copy()
        skew = np.zeros((JOINTS, 3, 3))
        skew[:, [2, 0, 1], [1, 2, 0]] = w
        skew[:, [1, 2, 0], [2, 0, 1]] = -w
        square = skew @ skew
        # exp([S] q) is linear in (1, sin q, cos q, q); one product gives all six transforms.
        basis = np.zeros((JOINTS, 4, 4, 4))
        eye = np.eye(3)
        basis[:, 0, :3, :3] = eye + square
        basis[:, 1, :3, :3] = skew
        basis[:, 2, :3, :3] = -square
        v_column = v[:, :, None]
        basis[:, 0, :3, 3:] = skew @ v_column
        basis[:, 1, :3, 3:] = -square @ v_column
        basis[:, 2, :3, 3:] = -skew @ v_column
        basis[:, 3, :3, 3:] = (eye + square) @ v_column
        basis[:, 0, 3, 3] = 1.0
        self._basis = basis.reshape(JOINTS, 4, 16)
        self._axes = np.zeros((JOINTS, 4, 2))  # direction and a point of each axis
        self._axes[:, :3, 0] = w
        self._axes[:, :3, 1] = np.cross(w, v)
        self._axes[:, 3, 1] = 1.0

    def fk(self, q: FloatArray) -> FloatArray:
        """Gripper pose ``[4, 4]`` in the base frame at joints ``q [6]`` rad."""
        found: FloatArray = self._frames(q)[JOINTS] @ self.home
        return found

    def jacobian(self, q: FloatArray) -> FloatArray:
        """Geometric Jacobian ``[6, 6]``: joint rates to (vx vy vz wx wy wz) in base axes.

        The linear part is the velocity of the gripper frame's origin.
        """
        return self._fk_jacobian(q)[1]

    def ik(
        self,
        target: FloatArray,
        seed: FloatArray,
        iterations: int = 20,
        extra_seeds: Sequence[FloatArray] = (),
    ) -> IkResult:
        """Joints that bring the gripper to ``target [4, 4]``, starting from ``seed [6]``.

        Each joint ends on the turn (multiple of 2 pi) nearest to the seed that its limits allow.

        Args:
            target: gripper pose in the base frame.
            seed: joints at which the search starts, rad.
            iterations: at most this many linear solutions a seed.
            extra_seeds: tried in order when the search from ``seed`` ends elsewhere. Their
                solution may need a large joint motion: leave them out inside a control loop.
        """
        best = self._search(target, seed, iterations)
        for extra in extra_seeds:
            if best.ok:
                break
            found = self._search(target, extra, iterations)
            if found.ok or _cost(found) < _cost(best):
                best = found
        return IkResult(
            self._nearest_turn(best.q, seed),
            best.ok,
            best.position_error_m,
            best.rotation_error_rad,
        )

    def _search(self, target: FloatArray, seed: FloatArray, iterations: int) -> IkResult:
        q = np.clip(seed, self.q_min, self.q_max)
        error = np.empty(6)
        best: IkResult | None = None
        stalled = 0
        for iteration in range(iterations + 1):
            T, J = self._fk_jacobian(q)
            error[:3] = target[:3, 3] - T[:3, 3]
            error[3:] = rotation_between(T[:3, :3], target[:3, :3])
            metres = float(np.sqrt(error[:3] @ error[:3]))
            radians = float(np.sqrt(error[3:] @ error[3:]))
            ok = metres <= POSITION_TOLERANCE and radians <= ROTATION_TOLERANCE
            here = IkResult(q, ok, metres, radians)
            stalled = stalled + 1 if best and _cost(here) > _STALL * _cost(best) else 0
            if best is None or _cost(here) < _cost(best):
                best = here
            done = metres < _CONVERGED_M and radians < _CONVERGED_RAD
            if done or iteration == iterations or stalled == _STALLED:
                break
            error[3:] *= ROTATION_WEIGHT
            J[3:] *= ROTATION_WEIGHT
            q = self._advance(q, J, error)
        assert best is not None
        return best

    def _advance(self, q: FloatArray, J: FloatArray, error: FloatArray) -> FloatArray:
        """One damped step ``[6]``; a joint pushed against its limit is left out of the solution."""
        squared = float(error @ error)
        damping = DAMPING**2 * min(1.0, squared / 1e-2) + 1e-9
        dq = J.T @ np.linalg.solve(J @ J.T + damping * _EYE, error)
        pushed = ((q <= self.q_min) & (dq < 0.0)) | ((q >= self.q_max) & (dq > 0.0))
        if pushed.any():
            J = np.where(pushed, 0.0, J)
            dq = J.T @ np.linalg.solve(J @ J.T + max(damping, 1e-6) * _EYE, error)
        largest = float(np.abs(dq).max())
        if largest > STEP_CAP:
            dq *= STEP_CAP / largest
        moved: FloatArray = np.clip(q + dq, self.q_min, self.q_max)
        return moved

    def _nearest_turn(self, q: FloatArray, seed: FloatArray) -> FloatArray:
        turned = q + 2.0 * np.pi * np.round((seed - q) / (2.0 * np.pi))
        allowed = (turned >= self.q_min) & (turned <= self.q_max)
        nearest: FloatArray = np.where(allowed, turned, q)
        return nearest

    def _frames(self, q: FloatArray) -> FloatArray:
        """Products ``[7, 4, 4]`` of the first 0..6 joint transforms."""
        parts = np.empty((JOINTS, 1, 4))
        parts[:, 0, 0] = 1.0
        parts[:, 0, 1] = np.sin(q)
        parts[:, 0, 2] = np.cos(q)
        parts[:, 0, 3] = q
        transforms = (parts @ self._basis).reshape(JOINTS, 4, 4)
        frames = np.empty((JOINTS + 1, 4, 4))
        frames[0] = _EYE4
        for joint in range(JOINTS):
            np.dot(frames[joint], transforms[joint], out=frames[joint + 1])
        return frames

    def _fk_jacobian(self, q: FloatArray) -> tuple[FloatArray, FloatArray]:
        frames = self._frames(q)
        T: FloatArray = frames[JOINTS] @ self.home
        axes = frames[:JOINTS] @ self._axes
        w = axes[:, :3, 0]
        arm = T[:3, 3] - axes[:, :3, 1]
        J = np.empty((6, JOINTS))
        J[:3] = (w[:, _NEXT] * arm[:, _AFTER] - w[:, _AFTER] * arm[:, _NEXT]).T
        J[3:] = w.T
        return T, J


_EYE, _EYE4 = np.eye(6), np.eye(4)


def _cost(result: IkResult) -> float:
    return float(np.hypot(result.position_error_m, ROTATION_WEIGHT * result.rotation_error_rad))
