# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the pick-and-place tasks share: layouts without overlaps, progress, rubric, contacts.

The bounding-box test is SIMPLER's (half sizes of world boxes at the start; tolerances 3 mm and
20 mm); objects are primitives, so numbers do not compare with SIMPLER's tables.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np

from roboreward_ros.errors import SimulationError
from roboreward_ros.sim.arm_model import FINGER_NAMES
from roboreward_ros.sim.tasks.base import Assessment, TaskScene, Vec3, yaw_quat
from roboreward_ros.types import FloatArray

AREA_LOW, AREA_HIGH = np.array([0.215, -0.10]), np.array([0.385, 0.13])  # m, where things lie
TOUCHED = 0.008  # m that tell a moved object from a settling one
MOVED = 0.02  # m that a person calls moved
LIFT = 0.05  # m of a full lift
TRIES = 500


@dataclass(frozen=True, slots=True)
class Thing:
    """An object of a layout.

    Attributes:
        name: its body.
        rest: height of its origin when it lies on the table, m.
        radius: of the circle that nothing else may enter, m.
        free: has a free joint; otherwise it is fixed to the table.
        turn: its yaw is drawn from -turn..turn, rad.
    """

    name: str
    rest: float
    radius: float
    free: bool = True
    turn: float = float(np.pi)


class PickPlaceScene(TaskScene):
    """Source is to be put on target."""

    stages = ("approach", "at the object", "moved", "half way", "at the target", "done")
    source: ClassVar[str]
    target: ClassVar[str]
    half_source: ClassVar[Vec3]
    half_target: ClassVar[Vec3]
    things: ClassVar[tuple[Thing, ...]]
    apart: ClassVar[float] = 0.11  # m between source and target at the start

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        super().__init__(model, data)
        self._source = model.body(self.source).id
        self._target = model.body(self.target).id
        self._pads = frozenset(model.body(name).id for name in FINGER_NAMES)
        self._robot = self._pads | {model.body("wrist_rotate").id}
        self._start = np.zeros(3)
        self._way = self._reach = 0.2

    def lay_out(self, rng: np.random.Generator) -> None:
        spots = _spread(rng, self.things, self.apart)
        for thing, spot in zip(self.things, spots, strict=True):
            yaw = float(rng.uniform(-thing.turn, thing.turn))
            position = np.array([*spot, thing.rest])
            if thing.free:
                self.place(thing.name, position, yaw)
            else:
                body = self.model.body(thing.name).id
                self.model.body_pos[body] = position
                self.model.body_quat[body] = yaw_quat(yaw)

    def begin(self) -> None:
        self._start = self.data.xpos[self._source].copy()
        self._way = float(np.linalg.norm(self.offset()[:2]))
        self._reach = float(np.linalg.norm(self._start - self.ee))

    def offset(self) -> FloatArray:
        """Source minus target ``[3]``, base frame, m."""
        difference: FloatArray = self.data.xpos[self._source] - self.data.xpos[self._target]
        return difference

    def touching(self) -> frozenset[int]:
        """Ids of the bodies that touch the source."""
        bodies = self.model.geom_bodyid[self.data.contact.geom]
        first, second = bodies[:, 0], bodies[:, 1]
        others = (*second[first == self._source], *first[second == self._source])
        return frozenset(int(body) for body in others)

    def held(self) -> bool:
        """Whether both fingers touch the source."""
        return self._pads <= self.touching()

    def boxes_meet(self) -> bool:
        """SIMPLER's test: source over the target and no higher than resting on it."""
        offset = self.offset()
        inside = np.linalg.norm(offset[:2]) <= np.linalg.norm(self.half_target[:2]) + 0.003
        gap = offset[2] - self.half_target[2] - self.half_source[2]
        return bool(inside and offset[2] > 0 and gap <= 0.02)

    def touches_only_target(self) -> bool:
        """SIMPLER's contact test: nothing but the target and the robot touches the source."""
        return self.touching() - self._robot == {self._target}

    @abstractmethod
    def succeeded(self) -> bool:
        """The task's own test."""

    @property
    def near(self) -> float:
        """Horizontal distance that counts as being at the target, m."""
        return self.half_target[0] + self.half_source[1] + 0.01

    def assess(self) -> Assessment:
        if self.succeeded():
            return Assessment(1.0, True, 5, 5)
        away = float(np.linalg.norm(self.data.xpos[self._source] - self._start))
        left = float(np.linalg.norm(self.offset()[:2]))
        across = float(np.clip((self._way - left) / (self._way - 0.5 * self.near), 0.0, 1.0))
        held = self.held()
        if away < TOUCHED and not held:
            distance = float(np.linalg.norm(self.data.xpos[self._source] - self.ee))
            near = float(np.clip(1.0 - distance / self._reach, 0.0, 1.0))
            return Assessment(0.2 * near, False, 1, int(distance < 0.04))
        lift = float(np.clip((self.data.xpos[self._source, 2] - self._start[2]) / LIFT, 0.0, 1.0))
        lift = max(lift, float(np.clip(2.0 * across, 0.0, 1.0)))
        progress = 0.2 + 0.2 * lift + 0.55 * across
        if left <= self.near:
            return Assessment(progress, False, 4, 4)
        if left <= self.near + 0.5 * (self._way - self.near):
            return Assessment(progress, False, 3, 3)
        return Assessment(progress, False, 2 if held or away >= MOVED else 1, 2)

    def objects(self) -> dict[str, FloatArray]:
        return {thing.name: self.body_pose(thing.name) for thing in self.things}


def _spread(rng: np.random.Generator, things: tuple[Thing, ...], apart: float) -> list[FloatArray]:
    """Draw places ``[2]`` until no two things overlap and the first two are ``apart``."""
    for _ in range(TRIES):
        spots = [rng.uniform(AREA_LOW, AREA_HIGH) for _ in things]
        gaps = [
            float(np.linalg.norm(spots[i] - spots[j])) - things[i].radius - things[j].radius
            for i in range(len(things))
            for j in range(i)
        ]
        if min(gaps) > 0.0 and float(np.linalg.norm(spots[0] - spots[1])) >= apart:
            return spots
    raise SimulationError("no layout without overlaps", got=", ".join(t.name for t in things))
