# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What simulated servos move: the twin's arm over its table, so that efforts come from forces.

The servos' set-points drive the twin's joints; what is measured, and the current that it takes, is
the twin's. Three things differ from the twin that policies learn on. Servos cannot push harder
than they stall. They carry the arm's weight, of which the twin relieves its joints. The fingers
follow a PWM, as a motor with back-EMF. Position control is as stiff as the twin's, stiffer than a
servo's: an effort rises within millimetres of a contact.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from roboreward_ros.errors import ConfigError, SimulationError
from roboreward_ros.robot.profile import RobotProfile
from roboreward_ros.sim.arm_model import FINGER_NAMES, JOINT_NAMES, forward_pose
from roboreward_ros.sim.scene import TIMESTEP, base_spec
from roboreward_ros.types import FloatArray

MA_PER_NM = 2300.0 / 4.1
"""An XM430-W350 at 12 V: 4.1 Nm and 2.3 A where it stalls."""
SERVOS = np.array([1.0, 2.0, 2.0, 1.0, 1.0, 1.0])
"""Servos on each joint; their currents are equal and one of them reports."""
STALL_NM = 4.1 * SERVOS
FRICTION_NM_S = 0.3  # of a joint; its servo's own damping comes on top
NEWTON_PER_PWM = 0.01  # of a finger: 3.5 N at the driver's 350
BACK_EMF_N_S = 31.0  # with the fingers' friction: 0.1 m/s at 350
MA_PER_PWM = 2300.0 / 885.0


@dataclass(frozen=True, slots=True)
class Block:
    """A wooden block that is free to move.

    Attributes:
        centre: ``[3]`` m, base frame.
        size: edges ``[3]`` m.
        mass: kg.
    """

    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    mass: float = 0.05


class TwinLoad:
    """The twin's arm, its table and perhaps a block. One thread uses it.

    Args:
        profile: must have the twin's joints.
        q: joints ``[6]`` at first, rad.
        finger: distance of each finger from the middle at first, m.
        block: something to grasp.
    """

    def __init__(
        self, profile: RobotProfile, q: FloatArray, finger: float, block: Block | None = None
    ) -> None:
        if profile.name != "wx250s" or profile.driven_joints != JOINT_NAMES:
            raise ConfigError("the twin is another arm", got=profile.name, allowed="wx250s")
        spec = base_spec()
        if block is not None:
            body = spec.worldbody.add_body(name="block", pos=block.centre)
            body.add_freejoint()
            half = [edge / 2.0 for edge in block.size]
            body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=half, mass=block.mass, condim=4)
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        names = (*JOINT_NAMES, *FINGER_NAMES)
        joints = [self._model.joint(name) for name in names]
        self._qpos = np.array([int(joint.qposadr[0]) for joint in joints])
        self._dof = np.array([int(joint.dofadr[0]) for joint in joints])
        self._actuator = np.array([self._model.actuator(name).id for name in names])
        self._make_servos()
        self._data.qpos[self._qpos] = (*q, finger, finger)
        self._data.ctrl[self._actuator[:6]] = q
        mujoco.mj_forward(self._model, self._data)

    def _make_servos(self) -> None:
        model, arm, fingers = self._model, self._actuator[:6], self._actuator[6:]
        model.dof_damping[self._dof[:6]] = FRICTION_NM_S
        model.actuator_forcerange[arm] = np.stack([-STALL_NM, STALL_NM], axis=1)
        model.actuator_gainprm[fingers, 0] = NEWTON_PER_PWM
        model.actuator_biasprm[fingers, :3] = (0.0, 0.0, -BACK_EMF_N_S)
        stall = 885.0 * NEWTON_PER_PWM
        model.actuator_forcerange[fingers] = (-stall, stall)

    def advance(self, goal: FloatArray, pwm: float, dt: float) -> None:
        """Let ``dt`` seconds pass.

        Args:
            goal: where the servos want the joints now, ``[6]`` rad.
            pwm: of the gripper, positive opens; -885..885.
            dt: a multiple of the twin's time step, s.

        Raises:
            SimulationError: the physics diverged.
        """
        self._data.ctrl[self._actuator[:6]] = goal
        self._data.ctrl[self._actuator[6:]] = pwm
        mujoco.mj_step(self._model, self._data, max(1, round(dt / TIMESTEP)))
        if not np.isfinite(self._data.qpos).all() or self._data.warning.number.any():
            raise SimulationError("the load's physics diverged", got=f"t = {self._data.time:.2f} s")

    @property
    def q(self) -> FloatArray:
        """Joints ``[6]`` rad."""
        joints: FloatArray = self._data.qpos[self._qpos[:6]].copy()
        return joints

    @property
    def dq(self) -> FloatArray:
        """Joint speeds ``[6]`` rad/s."""
        speeds: FloatArray = self._data.qvel[self._dof[:6]].copy()
        return speeds

    @property
    def finger(self) -> float:
        """Distance of the left finger from the middle, m."""
        return float(self._data.qpos[self._qpos[6]])

    @property
    def ee_height(self) -> float:
        """Height of the gripper frame's origin, m; the fingertips reach 18 mm beyond it."""
        mujoco.mj_kinematics(self._model, self._data)
        return float(forward_pose(self._model, self._data)[2, 3])

    @property
    def block_height(self) -> float:
        """Height of the block's centre, m."""
        return float(self._data.body("block").xpos[2])

    def efforts(self) -> FloatArray:
        """Signed currents ``[7]`` of joints and gripper, mA, in the last step of the physics."""
        data = self._data
        carried = data.actuator_force[self._actuator[:6]] + data.qfrc_gravcomp[self._dof[:6]]
        arm = carried / SERVOS * MA_PER_NM
        grip = float(data.actuator_force[self._actuator[6]]) / NEWTON_PER_PWM * MA_PER_PWM
        return np.append(arm, grip)
