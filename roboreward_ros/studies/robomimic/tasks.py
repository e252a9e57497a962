# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The three tasks as data, and what an end state of theirs is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.sim.tasks import TaskSpec
from roboreward_ros.types import FloatArray, GroundTruth

PREFIX = "robomimic_"
STATE_KEYS = ("robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos", "object")
"""Observations of robomimic's low-dimensional policies, side by side."""
CONTROL_HZ = 20.0
_RUBRIC = (
    "the thing is where it was",
    "it was pushed or raised by a centimetre or more",
    "it came 40 % of the way",
    "it came 75 % of the way",
    "robosuite calls it a success",
)
_STAGES = ("start", "moved", "on its way", "near", "success")
_MOVED_M = 0.01


@dataclass(frozen=True, slots=True)
class SuiteTask:
    """One task of robomimic.

    Attributes:
        spec: key, sentence, time limit (20 Hz steps) and rubric.
        env_name: robosuite's name of the environment; the data must be of it.
        thing: observation with the place of what is handled ``[3]`` m.
    """

    spec: TaskSpec
    env_name: str
    thing: str


def _task(name: str, sentence: str, steps: int, env_name: str, thing: str) -> SuiteTask:
    return SuiteTask(TaskSpec(PREFIX + name, sentence, steps, _RUBRIC), env_name, thing)


# Time limits of DSRL's released settings (arXiv 2506.15799, appendix).
SUITE_TASKS = (
    _task("lift", "lift the red cube", 300, "Lift", "cube_pos"),
    _task("can", "put the can into its bin", 300, "PickPlaceCan", "Can_pos"),
    _task("square", "put the square nut on its peg", 400, "NutAssemblySquare", "SquareNut_pos"),
)


def find_suite_task(key: str) -> SuiteTask:
    """By key, ``robomimic_can``.

    Raises:
        ConfigError: no such task.
    """
    for task in SUITE_TASKS:
        if task.spec.key == key:
            return task
    keys = ", ".join(task.spec.key for task in SUITE_TASKS)
    raise ConfigError("unknown task of robomimic", got=key, allowed=keys)


def judge(start: FloatArray, place: FloatArray, goal: FloatArray, success: bool) -> GroundTruth:
    """What a state is worth; success is robosuite's, the rest is the way that is behind.

    Args:
        start: where the thing lay when the episode began ``[3]`` m.
        place: of the thing now ``[3]`` m.
        goal: where it belongs ``[3]`` m; NaN in an axis that does not count.
        success: robosuite's own test.
    """
    counts = np.isfinite(goal)
    whole = float(np.linalg.norm((goal - start)[counts]))
    left = float(np.linalg.norm((goal - place)[counts]))
    progress = 1.0 if success else float(np.clip(1.0 - left / max(whole, 1e-6), 0.0, 0.99))
    if success:
        level = 5
    elif progress >= 0.75:
        level = 4
    elif progress >= 0.4:
        level = 3
    else:
        along, up = float(np.linalg.norm((place - start)[:2])), float((place - start)[2])
        level = 2 if max(along, up) >= _MOVED_M else 1  # it may fall: robosuite drops what it lays
    return GroundTruth(progress, success, level, _STAGES[level - 1])
