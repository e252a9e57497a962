# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``open the drawer``: a small cabinet whose drawer has a bar handle, hooked from behind.

Local frame of the cabinet: origin on the table under the middle of the face, x into the cabinet.
The bar stands on two uprights, so that closed fingers fit behind it at any place along it.
"""

from __future__ import annotations

import mujoco
import numpy as np

from roboreward_ros.sim.tasks import DRAWER
from roboreward_ros.sim.tasks.base import (
    BOX,
    CAPSULE,
    CYLINDER,
    Assessment,
    Rgba,
    TaskScene,
    Vec3,
    drawn,
    free_body,
    solid,
    yaw_quat,
)
from roboreward_ros.types import FloatArray

HALF_WIDTH, DEPTH, HEIGHT = 0.085, 0.15, 0.100  # m, cabinet
WALL = 0.006
BAR_X, BAR_Z = -0.070, 0.072  # m, bar's axis in the cabinet's frame
BAR_HALF = 0.036  # m, half length
BAR_RADIUS = 0.005
TRAVEL = 0.14  # m until the stop
OPEN = 0.10  # m that count as open
CRACK, PART, MOST = 0.004, 0.030, 0.065  # m, lower ends of the scores 2, 3 and 4

CABINET: Rgba = (0.33, 0.45, 0.57, 1)
FRONT: Rgba = (0.93, 0.91, 0.86, 1)
INSIDE: Rgba = (0.98, 0.70, 0.22, 1)
HANDLE: Rgba = (0.80, 0.16, 0.13, 1)


class DrawerScene(TaskScene):
    """The cabinet, its drawer and two objects that do not matter."""

    spec = DRAWER
    stages = ("approach", "at the handle", "opening", "mostly open", "open")

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        super().__init__(model, data)
        self._slide = int(model.joint("drawer").qposadr[0])
        self._cabinet = model.body("cabinet").id
        self._reach = 0.2

    @staticmethod
    def build(spec: mujoco.MjSpec) -> None:
        cabinet = spec.worldbody.add_body(name="cabinet", pos=(0.4, 0, 0))
        middle = DEPTH / 2
        for size, pos in (
            ((middle, HALF_WIDTH, WALL / 2), (middle, 0, HEIGHT - WALL / 2)),
            ((middle, HALF_WIDTH, WALL / 2), (middle, 0, WALL / 2)),
            ((middle, WALL / 2, HEIGHT / 2), (middle, HALF_WIDTH - WALL / 2, HEIGHT / 2)),
            ((middle, WALL / 2, HEIGHT / 2), (middle, -HALF_WIDTH + WALL / 2, HEIGHT / 2)),
            ((WALL / 2, HALF_WIDTH, HEIGHT / 2), (DEPTH - WALL / 2, 0, HEIGHT / 2)),
        ):
            drawn(cabinet, BOX, size, CABINET, pos=pos)
        # One block for contacts: the gripper can stand on the cabinet but not look into it.
        hull = solid(
            cabinet, BOX, (middle, HALF_WIDTH, HEIGHT / 2), CABINET, pos=(middle, 0, HEIGHT / 2)
        )
        hull.rgba, hull.group = (0, 0, 0, 0), 5
        hull.contype, hull.conaffinity = 2, 1
        _add_drawer(cabinet)
        cup = free_body(spec, "cup")
        solid(cup, CYLINDER, (0.024, 0.028), (0.20, 0.50, 0.34, 1), mass=0.05, material="glossy")
        drawn(cup, CYLINDER, (0.020, 0.0005), (0.08, 0.20, 0.14, 1), pos=(0, 0, 0.0282))
        cube = free_body(spec, "cube")
        solid(cube, BOX, (0.017, 0.017, 0.017), (0.52, 0.30, 0.58, 1), mass=0.03)

    def lay_out(self, rng: np.random.Generator) -> None:
        y = rng.uniform(-0.09, 0.09)
        x = 0.330 + rng.uniform(-0.012, 0.012)
        yaw = 0.5 * np.arctan2(y, x) + rng.uniform(-0.05, 0.05)
        inward = np.array([np.cos(yaw), np.sin(yaw), 0.0])
        self.model.body_pos[self._cabinet] = np.array([x, y, 0.0]) - BAR_X * inward
        self.model.body_quat[self._cabinet] = yaw_quat(yaw)
        sides = rng.permutation([-1.0, 1.0])
        for name, side, rest in zip(("cup", "cube"), sides, (0.028, 0.017), strict=True):
            along = rng.uniform(0.20, 0.36)
            aside = np.clip(y + side * rng.uniform(0.15, 0.20), -0.24, 0.26)
            self.place(name, np.array([along, aside, rest]), rng.uniform(-np.pi, np.pi))

    def begin(self) -> None:
        self._reach = float(np.linalg.norm(self.handle() - self.ee))

    def handle(self) -> FloatArray:
        """Middle of the bar ``[3]``, base frame."""
        pose = self.body_pose("drawer")
        position: FloatArray = pose[:3, 3] + pose[:3, :3] @ np.array([BAR_X, 0.0, BAR_Z])
        return position

    def assess(self) -> Assessment:
        opened = float(self.data.qpos[self._slide])
        distance = float(np.linalg.norm(self.handle() - self.ee))
        score = 1 + int(opened >= CRACK) + int(opened >= PART) + int(opened >= MOST)
        success = opened >= OPEN
        if success:
            return Assessment(1.0, True, 5, 4)
        if opened >= CRACK:
            return Assessment(0.15 + 0.84 * opened / OPEN, False, score, 3 if score == 4 else 2)
        near = float(np.clip(1.0 - distance / self._reach, 0.0, 1.0))
        return Assessment(0.15 * near, False, 1, int(distance < 0.05))

    def objects(self) -> dict[str, FloatArray]:
        handle = self.body_pose("drawer")
        handle[:3, 3] = self.handle()
        return {"handle": handle, "cup": self.body_pose("cup"), "cube": self.body_pose("cube")}


def _add_drawer(cabinet: mujoco.MjsBody) -> None:
    drawer = cabinet.add_body(name="drawer")
    drawer.add_joint(
        name="drawer",
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=(-1, 0, 0),
        range=(0, TRAVEL),
        limited=True,
        damping=6.0,
        frictionloss=0.8,
        armature=0.1,
    )
    wide, tall = HALF_WIDTH - 0.004, HEIGHT / 2 - 0.005
    front = solid(drawer, BOX, (0.006, wide, tall), FRONT, pos=(-0.006, 0, tall + 0.005), mass=0.2)
    front.contype, front.conaffinity = 2, 1
    drawn(
        drawer,
        BOX,
        (0.0005, wide - 0.010, tall - 0.010),
        (0.85, 0.83, 0.77, 1),
        pos=(-0.0122, 0, tall + 0.005),
    )
    deep, side = 0.066, HALF_WIDTH - 0.014
    for size, pos in (
        ((deep, side, 0.002), (deep, 0, 0.014)),
        ((deep, 0.002, 0.030), (deep, side, 0.042)),
        ((deep, 0.002, 0.030), (deep, -side, 0.042)),
        ((0.002, side, 0.030), (2 * deep, 0, 0.042)),
    ):
        drawn(drawer, BOX, size, INSIDE, pos=pos)
    _add_handle(drawer)


def _add_handle(drawer: mujoco.MjsBody) -> None:
    def rod(start: Vec3, end: Vec3, radius: float) -> mujoco.MjsGeom:
        geom = solid(drawer, CAPSULE, (radius,), HANDLE, mass=0.01, friction=0.3, material="glossy")
        geom.fromto = (*start, *end)
        geom.contype, geom.conaffinity = 2, 1
        return geom

    rod((BAR_X, -BAR_HALF, BAR_Z), (BAR_X, BAR_HALF, BAR_Z), BAR_RADIUS).name = "bar"
    low = 0.030
    for y in (-0.027, 0.027):
        rod((BAR_X, y, BAR_Z), (BAR_X, y, low), 0.004)
        rod((BAR_X, y, low), (-0.010, y, low), 0.004)
