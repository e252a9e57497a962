# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Physics of one task: compiled scene, servos, settling; the only part that steps MuJoCo."""

from __future__ import annotations

import mujoco
import numpy as np

from roboreward_ros.errors import SimulationError
from roboreward_ros.sim.arm_model import (
    FINGER_MAX,
    FINGER_MIN,
    FINGER_NAMES,
    JOINT_NAMES,
    forward_pose,
)
from roboreward_ros.sim.render import SceneRenderer
from roboreward_ros.sim.scene import CAMERA, CAMERA_POS, TIMESTEP, base_spec
from roboreward_ros.sim.tasks import TaskSpec, scene_class
from roboreward_ros.types import FloatArray, ImageU8

RAMP_TICKS = 2  # physics steps per servo set-point while ramping
SETTLE_S = 0.1


class TaskEngine:
    """One task's scene in MuJoCo. One thread uses it.

    Args:
        spec: the task.
        gl: OpenGL backend for ``draw``; nothing of OpenGL is touched before its first call.
    """

    def __init__(self, spec: TaskSpec, gl: str) -> None:
        scene = scene_class(spec)
        model_spec = base_spec()
        scene.build(model_spec)
        self.model = model_spec.compile()
        self.data = mujoco.MjData(self.model)
        self.scene = scene(self.model, self.data)
        self._gl = gl
        self._light = self.model.light_diffuse.copy()
        self._renderer: SceneRenderer | None = None
        joints = [self.model.joint(name) for name in (*JOINT_NAMES, *FINGER_NAMES)]
        self._qpos = np.array([int(j.qposadr[0]) for j in joints])
        self._dof = np.array([int(j.dofadr[0]) for j in joints])
        self._ctrl = np.array([self.model.actuator(j.name).id for j in joints])

    def reset(self, rng: np.random.Generator, q: FloatArray, gripper: float) -> None:
        """Lay the task out, put the arm at ``q`` ``[6]`` rad and let everything come to rest."""
        mujoco.mj_resetData(self.model, self.data)
        finger = _finger(gripper)
        self.data.qpos[self._qpos] = (*q, finger, finger)
        self.data.ctrl[self._ctrl] = (*q, finger, finger)
        self.scene.lay_out(rng)
        mujoco.mj_step(self.model, self.data, round(SETTLE_S / TIMESTEP))
        self.data.time = 0.0
        mujoco.mj_forward(self.model, self.data)
        self.scene.begin()

    def advance(self, q: FloatArray, gripper: float, duration_s: float, ramp_s: float) -> None:
        """Move the servos' set-points to ``q`` over ``ramp_s`` and simulate ``duration_s``.

        Raises:
            SimulationError: the physics diverged.
        """
        finger = _finger(gripper)
        goal = np.array((*q, finger, finger))
        start = self.data.ctrl[self._ctrl].copy()
        ticks = round(duration_s / TIMESTEP)
        ramp = round(ramp_s / TIMESTEP / RAMP_TICKS)
        for i in range(ramp):
            self.data.ctrl[self._ctrl] = start + (goal - start) * ((i + 1) / ramp)
            mujoco.mj_step(self.model, self.data, RAMP_TICKS)
        self.data.ctrl[self._ctrl] = goal
        mujoco.mj_step(self.model, self.data, ticks - ramp * RAMP_TICKS)
        mujoco.mj_forward(self.model, self.data)
        if not np.isfinite(self.data.qpos).all() or self.data.warning.number.any():
            raise SimulationError(
                "the twin's physics diverged",
                got=f"t = {self.data.time:.2f} s",
                next_step="Reset the episode; report task and seed",
            )

    @property
    def q(self) -> FloatArray:
        """Arm joints ``[6]`` rad."""
        joints: FloatArray = self.data.qpos[self._qpos[:6]].copy()
        return joints

    @property
    def dq(self) -> FloatArray:
        """Joint velocities ``[6]`` rad/s."""
        velocity: FloatArray = self.data.qvel[self._dof[:6]].copy()
        return velocity

    @property
    def gripper(self) -> float:
        """Opening, 0 closed .. 1 open."""
        width = float(self.data.qpos[self._qpos[6:]].mean())
        return float(np.clip((width - FINGER_MIN) / (FINGER_MAX - FINGER_MIN), 0.0, 1.0))

    @property
    def ee_pose(self) -> FloatArray:
        """Gripper frame in the base frame ``[4, 4]``."""
        return forward_pose(self.model, self.data)

    def vary_view(self, rng: np.random.Generator, camera_m: float, light: float) -> None:
        """Move the camera by N(0, camera_m) metres and scale the lights by 1 + N(0, light)."""
        camera = self.model.camera(CAMERA).id
        self.model.cam_pos[camera] = CAMERA_POS + camera_m * rng.standard_normal(3)
        scale = float(np.clip(1.0 + light * rng.standard_normal(), 0.5, 1.5))
        self.model.light_diffuse[:] = self._light * scale

    def draw(self, width: int, height: int) -> ImageU8:
        """Third-person picture ``[height, width, 3]`` uint8 RGB."""
        if self._renderer is None:
            self._renderer = SceneRenderer(self.model, self._gl)
        return self._renderer.draw(self.data, width, height)

    def close(self) -> None:
        """Free the OpenGL context; idempotent."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None


def _finger(gripper: float) -> float:
    return FINGER_MIN + float(np.clip(gripper, 0.0, 1.0)) * (FINGER_MAX - FINGER_MIN)
