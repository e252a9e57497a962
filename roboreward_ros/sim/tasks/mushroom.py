# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``put the mushroom on the cloth``: cap and stem, a gingham cloth, a lemon and a block beside."""

from __future__ import annotations

import mujoco
import numpy as np

from roboreward_ros.sim.tasks import MUSHROOM
from roboreward_ros.sim.tasks.base import (
    BOX,
    CYLINDER,
    ELLIPSOID,
    SPHERE,
    drawn,
    free_body,
    solid,
)
from roboreward_ros.sim.tasks.pick_place import PickPlaceScene, Thing
from roboreward_ros.types import ImageU8

CAP_RADIUS = 0.0175  # m
CLOTH_HALF = 0.055
REST = 0.020


class MushroomScene(PickPlaceScene):
    """Success: the mushroom rests on the cloth, let go."""

    spec = MUSHROOM
    source, target = "mushroom", "cloth"
    half_source, half_target = (CAP_RADIUS, CAP_RADIUS, 0.021), (CLOTH_HALF, CLOTH_HALF, 0.001)
    things = (
        Thing("mushroom", REST, 0.03),
        Thing("cloth", 0.001, 0.058, free=False, turn=0.5),
        Thing("lemon", 0.018, 0.035),
        Thing("block", 0.016, 0.035),
    )

    @staticmethod
    def build(spec: mujoco.MjSpec) -> None:
        cloth = spec.worldbody.add_body(name="cloth", pos=(0.3, 0.1, 0.001))
        check = gingham()
        spec.add_texture(
            name="gingham",
            type=mujoco.mjtTexture.mjTEXTURE_2D,
            width=check.shape[1],
            height=check.shape[0],
            nchannel=3,
            data=check.reshape(-1),
        )
        material = spec.add_material(name="gingham", specular=0.0, shininess=0.0)
        material.textures[int(mujoco.mjtTextureRole.mjTEXROLE_RGB)] = "gingham"
        drawn(cloth, BOX, (CLOTH_HALF, CLOTH_HALF, 0.001), (1, 1, 1, 1), material="gingham")
        _add_mushroom(spec)
        lemon = free_body(spec, "lemon")
        solid(lemon, BOX, (0.018, 0.012, 0.018), (0, 0, 0, 0), mass=0.04).group = 5
        drawn(lemon, ELLIPSOID, (0.026, 0.018, 0.018), (0.96, 0.85, 0.22, 1), material="glossy")
        drawn(lemon, SPHERE, (0.006,), (0.93, 0.80, 0.20, 1), pos=(0.024, 0, 0))
        block = free_body(spec, "block")
        solid(block, BOX, (0.016, 0.016, 0.016), (0.20, 0.45, 0.30, 1), mass=0.03)

    def succeeded(self) -> bool:
        offset = self.offset()
        turned = self.data.xmat[self._target].reshape(3, 3).T @ offset
        inside = bool((np.abs(turned[:2]) <= CLOTH_HALF).all())
        return inside and 0.0 < offset[2] <= 0.03 and not self.touching() & self._robot


def _add_mushroom(spec: mujoco.MjSpec) -> None:
    mushroom = free_body(spec, "mushroom", armature=2e-5)
    stem, cap, gill = (0.95, 0.91, 0.82, 1), (0.72, 0.20, 0.13, 1), (0.86, 0.74, 0.62, 1)
    solid(mushroom, CYLINDER, (0.011, 0.012), stem, pos=(0, 0, -0.008), mass=0.02, friction=1.0)
    rim = solid(
        mushroom, CYLINDER, (CAP_RADIUS, 0.006), gill, pos=(0, 0, 0.009), mass=0.01, friction=1.0
    )
    rim.rgba = gill
    drawn(
        mushroom,
        ELLIPSOID,
        (CAP_RADIUS + 0.002, CAP_RADIUS + 0.002, 0.017),
        cap,
        pos=(0, 0, 0.009),
        material="glossy",
    )
    for angle, tilt in ((0.3, 0.5), (1.9, 0.9), (3.3, 0.55), (4.6, 0.95), (5.7, 0.9), (2.6, 0.1)):
        out = CAP_RADIUS * np.sin(tilt)
        spot = (out * np.cos(angle), out * np.sin(angle), 0.009 + 0.0155 * np.cos(tilt))
        drawn(mushroom, SPHERE, (0.0035,), (0.97, 0.95, 0.90, 1), pos=spot)


def gingham(size: int = 128, checks: int = 7) -> ImageU8:
    """Blue and white checks with a plain hem ``[size, size, 3]``."""
    stripe = (np.arange(size) * checks // size) % 2
    depth = stripe[:, None] + stripe[None, :]
    white, blue = np.array([0.93, 0.94, 0.96]), np.array([0.16, 0.33, 0.66])
    colour = white + (blue - white) * (depth[..., None] / 2.0)
    edge = np.minimum(np.arange(size), np.arange(size)[::-1])
    hem = np.minimum(edge[:, None], edge[None, :]) < size // 32
    colour[hem] = blue * 0.85
    pixels: ImageU8 = (colour * 255).astype(np.uint8)
    return pixels
