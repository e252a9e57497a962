# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``stack the green block on the yellow block`` with SIMPLER's sizes and success test."""

from __future__ import annotations

import mujoco

from roboreward_ros.sim.tasks import STACK
from roboreward_ros.sim.tasks.base import BOX, Rgba, drawn, free_body, solid
from roboreward_ros.sim.tasks.pick_place import PickPlaceScene, Thing

HALF = 0.015  # m
COLOURS: tuple[tuple[str, Rgba], ...] = (
    ("green", (0.16, 0.56, 0.24, 1)),
    ("yellow", (0.96, 0.80, 0.14, 1)),
    ("red", (0.78, 0.20, 0.16, 1)),
)


class StackScene(PickPlaceScene):
    """Success: SIMPLER's boxes meet and the green block touches nothing but the yellow one."""

    spec = STACK
    source, target = "green", "yellow"
    half_source = half_target = (HALF, HALF, HALF)
    apart = 0.09
    things = tuple(Thing(name, HALF, 0.034) for name, _ in COLOURS)

    @staticmethod
    def build(spec: mujoco.MjSpec) -> None:
        for name, colour in COLOURS:
            block = free_body(spec, name, armature=2e-5)
            solid(block, BOX, (HALF, HALF, HALF), colour, mass=0.027, friction=1.0)
            red, green, blue, _ = (0.8 * part + 0.2 for part in colour)
            paler: Rgba = (red, green, blue, 1.0)
            drawn(block, BOX, (HALF - 0.003, HALF - 0.003, 0.0003), paler, pos=(0, 0, HALF))

    def succeeded(self) -> bool:
        return self.boxes_meet() and self.touches_only_target()
