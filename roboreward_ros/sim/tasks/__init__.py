# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The twin's tasks as data; a scene's code (and MuJoCo) is loaded only when it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from roboreward_ros.errors import ConfigError

if TYPE_CHECKING:
    from roboreward_ros.sim.tasks.base import TaskScene


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task of the twin.

    Attributes:
        key: short name for files and arguments, ``drawer``.
        sentence: what policy and reward are told.
        max_steps: default time limit in control steps at 5 Hz.
        rubric: what the end states 1..5 are, for people and for the tests.
    """

    key: str
    sentence: str
    max_steps: int
    rubric: tuple[str, str, str, str, str]


DRAWER = TaskSpec(
    key="drawer",
    sentence="open the drawer",
    max_steps=44,
    rubric=(
        "the drawer is shut",
        "a crack: less than 30 mm",
        "30 to 65 mm open",
        "65 to 100 mm open",
        "at least 100 mm open",
    ),
)
MUSHROOM = TaskSpec(
    key="mushroom",
    sentence="put the mushroom on the cloth",
    max_steps=52,
    rubric=(
        "the mushroom stands where it was",
        "it was moved or is held, still far from the cloth",
        "it came at least half of the way",
        "it is over or touching the cloth, or still held there",
        "it lies on the cloth, let go",
    ),
)
CARROT = TaskSpec(
    key="carrot",
    sentence="put the carrot on the plate",
    max_steps=56,
    rubric=(
        "the carrot lies where it was",
        "it was moved or is held, still far from the plate",
        "it came at least half of the way",
        "it is above or leaning on the plate",
        "it lies on the plate and touches nothing else",
    ),
)
STACK = TaskSpec(
    key="stack",
    sentence="stack the green block on the yellow block",
    max_steps=56,
    rubric=(
        "the green block stands where it was",
        "it was moved or is held, still far from the yellow one",
        "it came at least half of the way",
        "it touches or is held above the yellow one",
        "it stands on the yellow one",
    ),
)

TASKS: tuple[TaskSpec, ...] = (DRAWER, MUSHROOM, CARROT, STACK)
"""All tasks, the demo's first."""


def find_task(name: str) -> TaskSpec:
    """The task with this key or sentence.

    Raises:
        ConfigError: unknown; the message names the sentences.
    """
    for spec in TASKS:
        if name in (spec.key, spec.sentence):
            return spec
    raise ConfigError(
        "unknown task",
        got=name,
        allowed=tuple(spec.sentence for spec in TASKS),
        next_step="The twin knows these only; a sentence must match exactly",
    )


REAL_MAX_STEPS = 60
"""Time limit of a task that the twin does not know: 12 s at 5 Hz."""


def default_max_steps(sentence: str) -> int:
    """Time limit of a task in control steps, also of one that only a real scene has."""
    known = {spec.sentence: spec.max_steps for spec in TASKS}
    return known.get(sentence, REAL_MAX_STEPS)


def scene_class(spec: TaskSpec) -> type[TaskScene]:
    """The scene's class; loads MuJoCo."""
    if spec is DRAWER:
        from roboreward_ros.sim.tasks.drawer import DrawerScene

        return DrawerScene
    if spec is MUSHROOM:
        from roboreward_ros.sim.tasks.mushroom import MushroomScene

        return MushroomScene
    if spec is CARROT:
        from roboreward_ros.sim.tasks.carrot import CarrotScene

        return CarrotScene
    from roboreward_ros.sim.tasks.stack import StackScene

    return StackScene
