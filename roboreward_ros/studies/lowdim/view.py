# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a policy over states sees of a task: proprioception and where the things that matter are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.sim.tasks import DRAWER, MUSHROOM, TASKS, TaskSpec
from roboreward_ros.sim.twin import Twin, TwinConfig
from roboreward_ros.types import PROPRIO_DIM, FloatArray, RobotState, StepReport

if TYPE_CHECKING:
    from roboreward_ros.sim.engine import TaskEngine

_YAW = 1
BYSTANDERS = {DRAWER.key: ("cup", "cube"), MUSHROOM.key: ("lemon", "block")}
"""Things of a task's scene that do not matter; here they do not collide, which halves the cost."""
VIEW_DIM = {DRAWER.key: PROPRIO_DIM + 3 + _YAW, MUSHROOM.key: PROPRIO_DIM + 3 + 2}
"""Length S of a task's states."""


def find_view_task(name: str) -> TaskSpec:
    """The task of this key or sentence, if policies over states know it.

    Raises:
        ConfigError: another task or none; the message names the keys.
    """
    for task in TASKS:
        if name in (task.key, task.sentence) and task.key in VIEW_DIM:
            return task
    raise ConfigError(
        "the studies over states do not have this task", got=name, allowed=sorted(VIEW_DIM)
    )


def view_dim(task: TaskSpec) -> int:
    """Length S of the states of ``task``.

    Raises:
        ConfigError: a task that has no such view.
    """
    if task.key not in VIEW_DIM:
        raise ConfigError(
            "there is no low-dimensional view of this task",
            got=task.sentence,
            allowed=sorted(VIEW_DIM),
        )
    return VIEW_DIM[task.key]


class WatchedTwin(Twin):
    """The twin as it is; it notes its state before every step of an episode.

    Attributes:
        seen: states ``[S]`` since the last reset, one before each step.
    """

    def __init__(self, config: TwinConfig | None = None) -> None:
        super().__init__(config)
        self.seen: list[FloatArray] = []

    def reset(self, task: str, seed: int) -> RobotState:
        self.seen = []
        return super().reset(task, seed)

    def step(self, action: FloatArray) -> StepReport:
        self.seen.append(self.look())
        return super().step(action)

    def look(self) -> FloatArray:
        """The present state ``[S]``: BridgeData state, then places (m) and a yaw (rad)."""
        things, state = self.object_state(), self.state()
        if self.task is DRAWER:
            handle = things["handle"]
            yaw = np.arctan2(handle[1, 0], handle[0, 0])
            return np.concatenate([state.proprio, handle[:3, 3], [yaw]])
        return np.concatenate([state.proprio, things["mushroom"][:3, 3], things["cloth"][:2, 3]])


class ViewTwin(WatchedTwin):
    """The same without what does not matter: bystanders do not collide."""

    def joints(self) -> FloatArray:
        """Measured arm joints ``[6]`` rad."""
        return self._running().q

    def drive(self, q: FloatArray, gripper: float) -> None:
        """Simulate one control period towards joints ``[6]`` rad and an opening 0..1.

        Raises:
            SimulationError: the physics diverged.
        """
        period = 1.0 / self.config.control_hz
        self._running().advance(q, gripper, period, period * self.config.ramp)

    def _build(self, spec: TaskSpec) -> TaskEngine:
        view_dim(spec)
        engine = super()._build(spec)
        model = engine.model
        for name in BYSTANDERS[spec.key]:
            body = model.body(name).id
            mine = model.geom_bodyid == body
            model.geom_contype[mine] = model.geom_conaffinity[mine] = 0
            model.body_gravcomp[body] = 1.0  # nothing holds it any more
        return engine
