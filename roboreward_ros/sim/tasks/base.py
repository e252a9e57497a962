# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a task adds to the shared scene: objects, a layout for a seed, and its own judgement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np

from roboreward_ros.sim.tasks import TaskSpec
from roboreward_ros.types import FloatArray

BOX = mujoco.mjtGeom.mjGEOM_BOX
CYLINDER = mujoco.mjtGeom.mjGEOM_CYLINDER
CAPSULE = mujoco.mjtGeom.mjGEOM_CAPSULE
SPHERE = mujoco.mjtGeom.mjGEOM_SPHERE
ELLIPSOID = mujoco.mjtGeom.mjGEOM_ELLIPSOID

Rgba = tuple[float, float, float, float]
Vec3 = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Assessment:
    """A task's judgement of the present state.

    Attributes:
        progress: 0 at the start .. 1 exactly at success.
        success: the task's own test.
        score: rubric 1..5 of the state as an end state.
        stage: index into the scene's ``stages``.
    """

    progress: float
    success: bool
    score: int
    stage: int


class TaskScene(ABC):
    """Objects of one task inside a compiled model.

    Args:
        model: compiled from ``base_spec()`` after ``build``.
        data: its state; the scene reads and, in ``lay_out``, writes it.
    """

    spec: ClassVar[TaskSpec]
    stages: ClassVar[tuple[str, ...]]

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self.model = model
        self.data = data
        self._ee = model.site("ee").id

    @staticmethod
    @abstractmethod
    def build(spec: mujoco.MjSpec) -> None:
        """Add the task's bodies."""

    @abstractmethod
    def lay_out(self, rng: np.random.Generator) -> None:
        """Place everything for one episode; ``data`` is freshly reset."""

    @abstractmethod
    def begin(self) -> None:
        """Remember the initial state that progress is measured from, after settling."""

    @abstractmethod
    def assess(self) -> Assessment:
        """Judge the present state."""

    @abstractmethod
    def objects(self) -> dict[str, FloatArray]:
        """Poses ``[4, 4]`` in the base frame by object name; for demonstrators only."""

    @property
    def ee(self) -> FloatArray:
        """Position of the gripper frame ``[3]``, m."""
        position: FloatArray = self.data.site_xpos[self._ee]
        return position

    def body_pose(self, name: str) -> FloatArray:
        """Pose of a body in the base frame ``[4, 4]``."""
        body = self.data.body(name)
        pose = np.eye(4)
        pose[:3, :3] = body.xmat.reshape(3, 3)
        pose[:3, 3] = body.xpos
        return pose

    def place(self, name: str, position: FloatArray, yaw: float) -> None:
        """Set a free body's pose."""
        start = self.model.joint(name).qposadr[0]
        self.data.qpos[start : start + 3] = position
        self.data.qpos[start + 3 : start + 7] = yaw_quat(yaw)


def yaw_quat(yaw: float) -> FloatArray:
    """Quaternion (wxyz) of a turn about z."""
    return np.array([np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])


def padded(size: tuple[float, ...]) -> list[float]:
    """MuJoCo wants three sizes for every geom."""
    return [*size, *([0.0] * (3 - len(size)))]


def solid(
    body: mujoco.MjsBody,
    kind: mujoco.mjtGeom,
    size: tuple[float, ...],
    rgba: Rgba,
    *,
    pos: Vec3 = (0, 0, 0),
    mass: float = 0.02,
    friction: float = 0.8,
    material: str = "matte",
    name: str = "",
) -> mujoco.MjsGeom:
    """A colliding geom with a mass (kg)."""
    return body.add_geom(
        type=kind,
        size=padded(size),
        pos=pos,
        rgba=rgba,
        mass=mass,
        friction=(friction, 0.02, 0.001),
        condim=4,
        material=material,
        **({"name": name} if name else {}),
    )


def drawn(
    body: mujoco.MjsBody,
    kind: mujoco.mjtGeom,
    size: tuple[float, ...],
    rgba: Rgba,
    *,
    pos: Vec3 = (0, 0, 0),
    quat: tuple[float, float, float, float] = (1, 0, 0, 0),
    material: str = "matte",
) -> mujoco.MjsGeom:
    """A geom that is only looked at."""
    return body.add_geom(
        type=kind,
        size=padded(size),
        pos=pos,
        quat=quat,
        rgba=rgba,
        mass=0.0,
        contype=0,
        conaffinity=0,
        group=1,
        material=material,
    )


def free_body(spec: mujoco.MjSpec, name: str, armature: float = 0.0) -> mujoco.MjsBody:
    """A body with a free joint of the same name and enough damping to come to rest.

    Args:
        spec: the scene.
        name: of body and joint.
        armature: inertia added to every axis of the joint, kg and kg m^2. A light body that the
            fingers press on the table spins up within one time step unless its turning has some.
    """
    body = spec.worldbody.add_body(name=name, pos=(0, 0, 0.05))
    body.add_joint(
        name=name,
        type=mujoco.mjtJoint.mjJNT_FREE,
        damping=[1e-4, 1e-4, 1e-4],
        armature=armature,
    )
    return body
