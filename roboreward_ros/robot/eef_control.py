# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""BridgeData actions to joint commands: every limit that a command passes, for twin and arm alike.

No input or output happens here. A command never leaves the joint limits, never asks more than the
velocity limit of one control period, and never leads out of the workspace box.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from roboreward_ros.errors import ConfigError, RobotError, SafetyError
from roboreward_ros.robot.frames import (
    orthonormal,
    pose,
    rotation_between,
    rotation_from_rpy,
    rpy_from_rotation,
)
from roboreward_ros.robot.kinematics import IkResult
from roboreward_ros.robot.profile import RobotProfile
from roboreward_ros.types import ACTION_DIM, FloatArray, RobotState, StepFlag, StepReport

IK_ITERATIONS = 10
RESIDUAL_M, RESIDUAL_RAD = 0.01, 0.1  # farther from the target than this: not a solution
LAG_M, LAG_RAD = 0.05, 0.3  # target farther than this from the measured pose: start again there
OUTSIDE_LIMITS_RAD = 0.1  # measured joints beyond their limits by more are not moved by software
BOX_TOLERANCE_M = 2e-3


@dataclass(frozen=True, slots=True)
class ControlPlan:
    """Command of one control period.

    Attributes:
        target_pose: gripper pose aimed at, ``[4, 4]``, base frame.
        q_command: joint positions to command ``[6]``, rad.
        gripper_command: normalised opening to command, 0 closed .. 1 open.
        action_executed: the motion of the target from the last one as an action ``[7]``.
        flags: what was changed on the way.
        ik_error_m, ik_error_rad: see ``StepReport``.
    """

    target_pose: FloatArray
    q_command: FloatArray
    gripper_command: float
    action_executed: FloatArray
    flags: StepFlag
    ik_error_m: float = math.nan
    ik_error_rad: float = math.nan

    def report(self, asked: FloatArray, state: RobotState) -> StepReport:
        """How the action ``asked [7]`` was executed, once ``state`` has been measured."""
        return StepReport(
            action_raw=asked,
            action_executed=self.action_executed,
            target_pose=self.target_pose,
            q_command=self.q_command,
            flags=self.flags,
            state=state,
            ik_error_m=self.ik_error_m,
            ik_error_rad=self.ik_error_rad,
        )


class EefController:
    """Keeps the last target and plans the next command. One thread uses it.

    Translations are along base axes; rotations are R(droll, dpitch, dyaw) about base axes through
    the target's own origin, multiplied onto the last target from the left. Adding them to roll,
    pitch and yaw instead would turn a roll into a yaw wherever the gripper points down.
    BridgeData's robot turns about the measured position, which adds a translation of the tracking
    error's size; here an action's translation is exactly what it says.

    Args:
        profile: limits, workspace box and per-step bounds.
        control_hz: actions per second.
        sticky_gripper: 0 passes openings through; n commands fully open (above one half) or closed
            and changes over only after n actions in a row ask for the other.
    """

    def __init__(self, profile: RobotProfile, control_hz: float, sticky_gripper: int = 0) -> None:
        if not 0.5 <= control_hz <= 100.0:
            raise ConfigError("control_hz out of range", got=control_hz, allowed="0.5..100")
        if sticky_gripper < 0:
            raise ConfigError("sticky_gripper is negative", got=sticky_gripper, allowed="0 or more")
        self.profile = profile
        self.kinematics = profile.kinematics()
        self._dq_cap = profile.velocity_limit / control_hz
        self._bounds = np.repeat([profile.delta_position, profile.delta_rotation], 3)
        self._sticky = sticky_gripper
        self._disagreeing = 0
        self._q: FloatArray | None = None
        self._target = np.eye(4)
        self._gripper = 1.0

    def latch(self, q: FloatArray, gripper: float) -> None:
        """Make measured joints ``q [6]`` and the opening the last command and target.

        Raises:
            RobotError: joints that are not finite or clearly outside the limits.
        """
        profile = self.profile
        if np.shape(q) != (6,) or not np.isfinite(q).all():
            raise RobotError("cannot latch joints that are not six finite angles", got=q)
        inside = np.clip(q, profile.q_min, profile.q_max)
        if np.abs(q - inside).max() > OUTSIDE_LIMITS_RAD:
            worst = int(np.argmax(np.abs(q - inside)))
            raise RobotError(
                f"joint {profile.joint_names[worst]} is outside its limits",
                got=f"{q[worst]:.3f} rad",
                allowed=f"{profile.q_min[worst]:.3f}..{profile.q_max[worst]:.3f} rad",
                next_step="Move the arm by hand with its torque off, then connect again.",
            )
        self._anchor(inside)
        if np.isfinite(gripper):
            self._gripper = min(max(float(gripper), 0.0), 1.0)
        if self._sticky:
            self._gripper = float(self._gripper > 0.5)
        self._disagreeing = 0

    def plan(self, action: FloatArray, measured: RobotState) -> ControlPlan:
        """Command for one action ``[7]`` given the state measured just before it.

        Raises:
            SafetyError: the action or the measured joints are not finite or have the wrong shape;
                the controller is as before the call.
        """
        last_q = self._latched()
        if action.shape != (ACTION_DIM,) or not np.isfinite(action).all():
            raise SafetyError(
                "the action is not seven finite numbers",
                got=action.tolist(),
                allowed="[dx dy dz (m) droll dpitch dyaw (rad) gripper (0..1)]",
                next_step="The arm holds; look at the policy.",
            )
        self._check_measured(measured)
        flags = StepFlag.NONE
        if self._lags(measured.ee_pose):
            last_q = self._inside(measured.q)
            self._anchor(last_q)
            flags |= StepFlag.RELATCHED
        start = self._target
        delta = np.clip(action[:6], -self._bounds, self._bounds)
        if (delta != action[:6]).any():
            flags |= StepFlag.CLIPPED_DELTA
        wanted = start[:3, 3] + delta[:3]
        # Where the arm starts outside the box it may stay or come in, but is not pulled.
        box = self.profile.box
        position = np.clip(
            wanted, np.minimum(box.low, start[:3, 3]), np.maximum(box.high, start[:3, 3])
        )
        if (position != wanted).any():
            flags |= StepFlag.CLIPPED_BOX
        target = pose(orthonormal(rotation_from_rpy(delta[3:]) @ start[:3, :3]), position)
        found = self.kinematics.ik(target, last_q, IK_ITERATIONS)
        q, target, outcome = self._accept(found, target, last_q)
        self._q, self._target = q, target
        self._gripper = self._next_gripper(float(action[6]))
        errors = (found.position_error_m, found.rotation_error_rad)
        return self._plan(_motion(start, target), flags | outcome, *errors)

    def hold(self, measured: RobotState) -> ControlPlan:
        """Command the measured joints again; the gripper keeps its commanded opening.

        Measured joints that are not finite are replaced by the last command, flagged FAULT.
        """
        self._latched()
        flags = StepFlag.HOLD
        if np.isfinite(measured.q).all():
            self._anchor(self._inside(measured.q))
        else:
            flags |= StepFlag.FAULT
        return self._plan(np.zeros(6), flags)

    def _accept(
        self, solution: IkResult, target: FloatArray, last_q: FloatArray
    ) -> tuple[FloatArray, FloatArray, StepFlag]:
        """Joints, the pose they aim at and flags; a target out of reach gives the nearest pose."""
        flags = StepFlag.NONE
        q = solution.q
        if solution.position_error_m > RESIDUAL_M or solution.rotation_error_rad > RESIDUAL_RAD:
            flags |= StepFlag.IK_FAILED | StepFlag.RELATCHED
        share = float((np.abs(q - last_q) / self._dq_cap).max())
        if share > 1.0:
            q = last_q + (q - last_q) / share
            flags |= StepFlag.DQ_CAPPED
        if flags or not solution.ok:
            target, before = self.kinematics.fk(q), self.kinematics.fk(last_q)
            if self._leads_out(before[:3, 3], target[:3, 3]):
                flags |= StepFlag.IK_FAILED | StepFlag.RELATCHED
                return last_q, before, flags
        return q, target, flags

    def _leads_out(self, before: FloatArray, after: FloatArray) -> bool:
        box = self.profile.box
        return box.distance(after) > max(box.distance(before), BOX_TOLERANCE_M)

    def _lags(self, measured_pose: FloatArray) -> bool:
        apart = self._target[:3, 3] - measured_pose[:3, 3]
        if float(np.sqrt(apart @ apart)) > LAG_M:
            return True
        turned = rotation_between(measured_pose[:3, :3], self._target[:3, :3])
        return float(np.sqrt(turned @ turned)) > LAG_RAD

    def _check_measured(self, measured: RobotState) -> None:
        if not (np.isfinite(measured.q).all() and np.isfinite(measured.ee_pose).all()):
            raise SafetyError(
                "the measured state is not finite",
                got=f"q {measured.q}",
                next_step="The arm holds; check the motors' bus.",
            )

    def _next_gripper(self, asked: float) -> float:
        opening = min(max(asked, 0.0), 1.0)
        if not self._sticky:
            return opening
        wanted = float(opening > 0.5)
        self._disagreeing = self._disagreeing + 1 if wanted != self._gripper else 0
        if self._disagreeing < self._sticky:
            return self._gripper
        self._disagreeing = 0
        return wanted

    def _plan(
        self,
        motion: FloatArray,
        flags: StepFlag,
        ik_error_m: float = math.nan,
        ik_error_rad: float = math.nan,
    ) -> ControlPlan:
        return ControlPlan(
            target_pose=self._target.copy(),
            q_command=self._latched().copy(),
            gripper_command=self._gripper,
            action_executed=np.append(motion, self._gripper),
            flags=flags,
            ik_error_m=ik_error_m,
            ik_error_rad=ik_error_rad,
        )

    def _inside(self, q: FloatArray) -> FloatArray:
        inside: FloatArray = np.clip(q, self.profile.q_min, self.profile.q_max)
        return inside

    def _anchor(self, q: FloatArray) -> None:
        self._q, self._target = q.copy(), self.kinematics.fk(q)

    def _latched(self) -> FloatArray:
        if self._q is None:
            raise RobotError(
                "the controller has no target yet",
                next_step="Call reset() before step() or hold().",
            )
        return self._q


def _motion(start: FloatArray, end: FloatArray) -> FloatArray:
    """Translation and rotation ``[6]`` that bring pose ``start`` to ``end`` as an action would."""
    return np.concatenate(
        [end[:3, 3] - start[:3, 3], rpy_from_rotation(end[:3, :3] @ start[:3, :3].T)]
    )
