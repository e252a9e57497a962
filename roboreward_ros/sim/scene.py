# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What all tasks share: physics options, wooden table, lights and BridgeData's camera."""

from __future__ import annotations

import mujoco
import numpy as np

from roboreward_ros.sim.arm_model import add_arm
from roboreward_ros.types import FloatArray, ImageU8

TIMESTEP = 0.005  # s; contacts are stable from 2 to 5 ms with the pyramidal cone
CAMERA = "third_person"
CAMERA_POS = (0.0, -0.16, 0.36)  # m, base frame
CAMERA_FORWARD = (1.0, 0.553, -1.085)
CAMERA_FOCAL = (623.588, 623.588)  # pixels at 640x480, a Logitech C920
MAX_WIDTH, MAX_HEIGHT = 640, 480

SKY = (0.74, 0.79, 0.83)


def wood(seed: int = 7, size: int = 256, planks: int = 4) -> ImageU8:
    """Procedural planks ``[size, size, 3]``: warm boards with grain along the first axis."""
    rng = np.random.default_rng(seed)
    u, v = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, planks, size), indexing="ij")
    board = np.minimum(v.astype(int), planks - 1)
    tone = rng.uniform(-0.045, 0.045, planks)[board]
    phase = rng.uniform(0, 50, planks)[board]
    bend = 0.10 * np.sin(2 * np.pi * u + phase) + 0.03 * np.sin(6 * np.pi * u + 2 * phase)
    rings = np.sin(2 * np.pi * 9 * (v - board + bend))
    fine = rng.normal(0, 1, (1, size)).repeat(size, axis=0) * 0.012
    light = 1.0 + tone + 0.035 * rings + fine
    seam = np.abs(v - np.round(v)) < planks / size
    light = np.where(seam & (v > 0.05) & (v < planks - 0.05), light * 0.84, light)
    colour = np.array([0.80, 0.65, 0.47]) * light[..., None]
    pixels: ImageU8 = (np.clip(colour, 0, 1) * 255).astype(np.uint8)
    return pixels


def look_along(forward: tuple[float, float, float]) -> FloatArray:
    """Camera quaternion (wxyz) looking along ``forward`` with the image's up side upwards."""
    z = -np.asarray(forward) / np.linalg.norm(forward)
    x = np.cross((0.0, 0.0, 1.0), z)
    x /= np.linalg.norm(x)
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.stack([x, np.cross(z, x), z], axis=1).reshape(-1))
    return quat


def base_spec() -> mujoco.MjSpec:
    """A spec with options, lights, table, camera and arm; a task adds its objects to it."""
    spec = mujoco.MjSpec()
    spec.compiler.autolimits = False
    spec.compiler.degree = False
    option = spec.option
    option.timestep = TIMESTEP
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_PYRAMIDAL
    option.impratio = 1.0
    option.iterations = 20
    _appearance(spec)
    _table(spec)
    add_arm(spec)
    return spec


def _appearance(spec: mujoco.MjSpec) -> None:
    visual = spec.visual
    visual.global_.offwidth, visual.global_.offheight = MAX_WIDTH, MAX_HEIGHT
    visual.quality.offsamples = 0
    visual.quality.shadowsize = 1  # shadows cost five times the rest of the picture
    visual.headlight.ambient = (0.38, 0.38, 0.39)
    visual.headlight.diffuse = (0.18, 0.18, 0.18)
    visual.headlight.specular = (0.0, 0.0, 0.0)
    visual.map.znear, visual.map.zfar = 0.02, 8.0
    spec.stat.extent = 1.0
    spec.stat.center = (0.3, 0, 0.1)
    world = spec.worldbody
    for pos, target, diffuse in (
        ((-0.3, 0.9, 1.4), (0.3, 0.0, 0.0), 0.46),
        ((0.1, -1.1, 1.1), (0.3, 0.0, 0.0), 0.18),
    ):
        world.add_light(
            type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
            pos=pos,
            dir=np.subtract(target, pos),
            diffuse=(diffuse, diffuse * 0.98, diffuse * 0.94),
            specular=(0.12, 0.12, 0.12),
            castshadow=False,
        )
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        rgb1=SKY,
        rgb2=SKY,
        width=8,
        height=48,
    )
    boards = wood()
    spec.add_texture(
        name="wood",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        width=boards.shape[1],
        height=boards.shape[0],
        nchannel=3,
        data=boards.reshape(-1),
    )
    material = spec.add_material(name="wood", specular=0.15, shininess=0.2)
    material.textures[int(mujoco.mjtTextureRole.mjTEXROLE_RGB)] = "wood"
    material.texrepeat = (1, 1)
    spec.add_material(name="arm", specular=0.5, shininess=0.4, rgba=(1, 1, 1, 1))
    spec.add_material(name="matte", specular=0.05, shininess=0.05, rgba=(1, 1, 1, 1))
    spec.add_material(name="glossy", specular=0.6, shininess=0.6, rgba=(1, 1, 1, 1))
    world.add_camera(
        name=CAMERA,
        pos=CAMERA_POS,
        quat=look_along(CAMERA_FORWARD),
        resolution=(MAX_WIDTH, MAX_HEIGHT),
        focal_pixel=CAMERA_FOCAL,
        sensor_size=(MAX_WIDTH * 1e-5, MAX_HEIGHT * 1e-5),
    )


def _table(spec: mujoco.MjSpec) -> None:
    world = spec.worldbody
    world.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=(0.65, 0.65, 0.05),
        pos=(0.35, 0, 0),
        material="wood",
        friction=(0.8, 0.02, 0.001),
    )
    world.add_geom(
        name="wall",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=(0.02, 3.0, 1.0),
        pos=(1.6, 0, 0.0),
        rgba=(*SKY, 1.0),
        contype=0,
        conaffinity=0,
    )
