# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``put the carrot on the plate`` with SIMPLER's sizes and success test."""

from __future__ import annotations

import mujoco
import numpy as np

from roboreward_ros.sim.tasks import CARROT
from roboreward_ros.sim.tasks.base import (
    BOX,
    CAPSULE,
    CYLINDER,
    ELLIPSOID,
    Rgba,
    drawn,
    free_body,
    solid,
)
from roboreward_ros.sim.tasks.pick_place import PickPlaceScene, Thing

HALF_CARROT = (0.0575, 0.016, 0.019)  # m, leaves included
HALF_PLATE = (0.055, 0.055, 0.003)
ORANGE: Rgba = (0.95, 0.46, 0.10, 1)
LEAF: Rgba = (0.22, 0.52, 0.18, 1)


class CarrotScene(PickPlaceScene):
    """Success: SIMPLER's boxes meet and the carrot touches nothing but the plate."""

    spec = CARROT
    source, target = "carrot", "plate"
    half_source, half_target = HALF_CARROT, HALF_PLATE
    apart = 0.125
    things = (
        Thing("carrot", 0.014, 0.045),
        Thing("plate", HALF_PLATE[2], 0.058, free=False),
        Thing("block", 0.016, 0.028),
    )

    @staticmethod
    def build(spec: mujoco.MjSpec) -> None:
        plate = spec.worldbody.add_body(name="plate", pos=(0.3, 0.1, HALF_PLATE[2]))
        solid(plate, CYLINDER, (0.055, 0.003), (0.96, 0.96, 0.95, 1), mass=0.1, material="glossy")
        drawn(plate, CYLINDER, (0.0545, 0.0003), (0.26, 0.42, 0.72, 1), pos=(0, 0, 0.0030))
        drawn(plate, CYLINDER, (0.0500, 0.0003), (0.96, 0.96, 0.95, 1), pos=(0, 0, 0.0033))
        drawn(plate, CYLINDER, (0.0360, 0.0003), (0.84, 0.86, 0.88, 1), pos=(0, 0, 0.0036))
        _add_carrot(spec)
        block = free_body(spec, "block")
        solid(block, BOX, (0.016, 0.016, 0.016), (0.55, 0.25, 0.60, 1), mass=0.03)

    def succeeded(self) -> bool:
        return self.boxes_meet() and self.touches_only_target()


def _add_carrot(spec: mujoco.MjSpec) -> None:
    carrot = free_body(spec, "carrot")
    # A box grips and lies still where a round root would roll; the eye sees the round one.
    grip = solid(carrot, BOX, (0.040, 0.0125, 0.014), (0, 0, 0, 0), mass=0.05, friction=1.0)
    grip.group = 5
    for x, length, radius in (
        (0.022, 0.026, 0.0160),
        (0.006, 0.028, 0.0148),
        (-0.010, 0.026, 0.0128),
        (-0.024, 0.024, 0.0102),
        (-0.036, 0.020, 0.0072),
        (-0.047, 0.012, 0.0040),
    ):
        drawn(carrot, ELLIPSOID, (length, radius, radius * 0.95), ORANGE, pos=(x, 0, 0))
    for angle in (-0.5, -0.2, 0.15, 0.5):
        leaf = drawn(carrot, CAPSULE, (0.0035,), LEAF)
        end = (0.064, 0.020 * np.sin(angle) * 1.4, 0.004 + 0.010 * np.cos(4 * angle) ** 2)
        leaf.fromto = (0.040, 0.0, 0.002, *end)
