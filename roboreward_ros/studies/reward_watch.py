# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A twin that looks at chosen steps of an episode: picture, privileged state, every score."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import mujoco
import numpy as np

from roboreward_ros.reward_training.dataset import Vocabulary
from roboreward_ros.sim.arm_model import FINGER_NAMES
from roboreward_ros.sim.scene import (
    CAMERA_FOCAL,
    CAMERA_FORWARD,
    CAMERA_POS,
    MAX_HEIGHT,
    MAX_WIDTH,
    look_along,
)
from roboreward_ros.sim.tasks import TASKS, TaskSpec
from roboreward_ros.sim.tasks.base import TaskScene
from roboreward_ros.sim.tasks.drawer import DrawerScene
from roboreward_ros.sim.twin import Twin
from roboreward_ros.studies.reward_sentences import SENTENCES, THINGS, Judge, Swap, judge_for
from roboreward_ros.types import Float32Array, FloatArray, RobotState, StepReport

CAMERA_SIZE, JPEG_QUALITY = 256, 95  # as sim_node draws and recorder_node stores
NAMES = tuple(dict.fromkeys(f"{key}/{name}" for key, there in THINGS.items() for name in there))
"""All things of all scenes, ``task/name``."""


class Origin(StrEnum):
    """How an episode came about."""

    SCRIPTED = "scripted"  # the task, with wide errors
    OTHER = "other"  # another pair of things, with errors
    IDLE = "idle"  # nothing at all, or stops in the middle
    BASE = "base"  # the policy under N(0, I)
    STEERED = "steered"  # the policy under constant, scaled or actor's noise


def vocabulary(control_hz: float = 5.0) -> Vocabulary:
    """What labels, tasks and states of twin clips mean."""
    return Vocabulary(
        sentences=tuple(sentence.text for sentence in SENTENCES),
        tasks=tuple(spec.sentence for spec in TASKS),
        origins=tuple(Origin),
        swaps=tuple(Swap),
        things=NAMES,
        roles=tuple(
            tuple((_number(spec, s.source), _number(spec, s.target)) for s in SENTENCES)
            for spec in TASKS
        ),
        projection=tuple(tuple(float(x) for x in row) for row in projection()),
        control_hz=control_hz,
    )


def projection() -> FloatArray:
    """The third-person camera ``[3, 4]``: base frame to homogeneous places in the picture, 0..1."""
    turn = np.zeros(9)
    mujoco.mju_quat2Mat(turn, look_along(CAMERA_FORWARD))
    right, up, back = turn.reshape(3, 3).T
    middle = np.array([0.5, 0.5, 1.0])
    across = CAMERA_FOCAL[0] / MAX_WIDTH * right
    down = -CAMERA_FOCAL[1] / MAX_HEIGHT * up
    matrix = np.stack([across, down, np.zeros(3)]) + np.outer(middle, -back)
    return np.concatenate([matrix, -(matrix @ np.array(CAMERA_POS))[:, None]], axis=1)


def _number(spec: TaskSpec, name: str) -> int:
    return NAMES.index(f"{spec.key}/{name}") if name in THINGS[spec.key] else -1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One looked-at state: JPEG, privileged state ``[D]``, score under every sentence ``[S]``."""

    jpeg: bytes
    state: Float32Array
    scores: tuple[int, ...]


def photograph(twin: Twin) -> bytes:
    """The JPEG of the present state that a run would store."""
    image = cv2.cvtColor(twin.render(CAMERA_SIZE, CAMERA_SIZE), cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return jpeg.tobytes()


class WatchedTwin(Twin):
    """Looks at the steps of an episode that are wanted."""

    wanted: frozenset[int] = frozenset()

    def reset(self, task: str, seed: int) -> RobotState:
        state = super().reset(task, seed)
        engine = self._running()
        self._judges: list[Judge] = []
        for sentence in SENTENCES:
            judge = judge_for(self.task, sentence, engine.scene, engine.model, engine.data)
            judge.begin()
            self._judges.append(judge)
        self.seen: dict[int, Snapshot] = {}
        self._step = 0
        self._look()
        return state

    def step(self, action: FloatArray) -> StepReport:
        report = super().step(action)
        self._step += 1
        self._look()
        return report

    def _look(self) -> None:
        if self._step not in self.wanted:
            return
        scores = tuple(judge.assess().score for judge in self._judges)
        self.seen[self._step] = Snapshot(photograph(self), self.privileged(), scores)

    def privileged(self) -> Float32Array:
        """See ``Shard.states``."""
        engine = self._running()
        scene, data = engine.scene, engine.data
        values = np.full(vocabulary().state_size, np.nan, dtype=np.float32)
        values[:3], values[3], values[4] = scene.ee, engine.gripper, 0.0
        if isinstance(scene, DrawerScene):
            values[4] = data.joint("drawer").qpos[0]
        robot = _robot_bodies(scene)
        bodies = engine.model.geom_bodyid[data.contact.geom].reshape(-1, 2)
        for name, thing in THINGS[self.task.key].items():
            body = engine.model.body(thing.body).id
            touching = {int(b if a == body else a) for a, b in bodies if body in (a, b)}
            place = data.xpos[body]
            if isinstance(scene, DrawerScene) and name == "drawer":
                place = scene.handle()
            at = 5 + 5 * NAMES.index(f"{self.task.key}/{name}")
            values[at : at + 3] = place
            values[at + 3] = set(robot[:2]) <= touching
            values[at + 4] = bool(set(robot) & touching)
        return values


def _robot_bodies(scene: TaskScene) -> tuple[int, ...]:
    model = scene.model
    return (*(int(model.body(n).id) for n in FINGER_NAMES), int(model.body("wrist_rotate").id))
