# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scripted demonstrators over the twin: data for behaviour cloning, imperfect on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from roboreward_ros.sim.demo_scripts import Move, PickPlace, drawer_script, pick_script
from roboreward_ros.sim.demo_style import DemoStyle, MotionStyle
from roboreward_ros.sim.tasks import CARROT, DRAWER, MUSHROOM, TaskSpec, find_task
from roboreward_ros.sim.twin import Twin
from roboreward_ros.types import FloatArray, GroundTruth, ImageU8, require_shape

ARRIVED_M, ARRIVED_RAD = 0.004, 0.05
PATIENCE = 6  # control periods without coming closer, then the next move
MAX_TURN = 0.15  # rad per control period

Pictures = Literal["none", "all"]
Script = Callable[[Twin, np.random.Generator], Iterator[Move]]
"""What a demonstrator does in a scene that has just been laid out."""

MUSHROOM_PICK = PickPlace("mushroom", "cloth", grasp_z=0.004, carry_z=0.11, place_z=0.022)
CARROT_PICK = PickPlace(
    "carrot", "plate", grasp_z=0.007, carry_z=0.10, place_z=0.020, symmetry=np.pi
)
STACK_PICK = PickPlace(
    "green", "yellow", grasp_z=0.006, carry_z=0.11, place_z=0.0325, symmetry=np.pi / 2
)


@dataclass(frozen=True, slots=True)
class DemoEpisode:
    """One demonstration of T steps.

    Attributes:
        task: sentence.
        seed: layout.
        images: pictures before each step and after the last ``[T + 1, H, W, 3]`` uint8, or empty.
        proprio: states ``[T + 1, 7]`` float64.
        actions: as commanded, noise included ``[T, 7]`` float64.
        truth: ground truth of every state, T + 1 entries.
        success: of the last state.
        style: what the demonstrator was told to be like.
    """

    task: str
    seed: int
    images: ImageU8
    proprio: FloatArray
    actions: FloatArray
    truth: tuple[GroundTruth, ...]
    success: bool
    style: DemoStyle

    def __post_init__(self) -> None:
        require_shape("DemoEpisode.proprio", self.proprio, (len(self.actions) + 1, 7))
        require_shape("DemoEpisode.actions", self.actions, (None, 7))


def demonstrate(
    twin: Twin,
    task: str,
    seed: int,
    style_rng: np.random.Generator,
    *,
    style: DemoStyle | None = None,
    ideal: bool = False,
    pictures: Pictures = "none",
    image_size: int = 64,
    max_steps: int | None = None,
    script: Script | None = None,
) -> DemoEpisode:
    """Reset the twin to (task, seed) and demonstrate for the task's full length.

    Args:
        twin: used and left at the episode's end.
        task: sentence or key.
        seed: layout; take it from ``sim.seeds.demo_seed``.
        style_rng: draws the errors of this episode and the noise of its actions.
        style: how imperfect; default ``DemoStyle()``.
        ideal: make no error (``style`` is not used).
        pictures: ``all`` renders every state at ``image_size``.
        image_size: side of the pictures in pixels.
        max_steps: length of the episode; default the task's.
        script: what to do instead of the task; moves with the style's errors.
    """
    spec = find_task(task)
    kind = DemoStyle.ideal() if ideal else style or DemoStyle()
    limit = spec.max_steps if max_steps is None else max_steps
    state = twin.reset(spec.sentence, seed)
    states, truths = [state.proprio], [twin.truth()]
    images = [twin.render(image_size, image_size)] if pictures == "all" else []
    actions: list[FloatArray] = []
    moves = script(twin, style_rng) if script else _script(twin, spec, kind, style_rng)
    for action in _actions(twin, moves, kind.motion, style_rng):
        report = twin.step(action)
        actions.append(action)
        states.append(report.state.proprio)
        truths.append(twin.truth())
        if pictures == "all":
            images.append(twin.render(image_size, image_size))
        if len(actions) == limit:
            break
    size = image_size if images else 0
    return DemoEpisode(
        task=spec.sentence,
        seed=seed,
        images=np.array(images, dtype=np.uint8).reshape(-1, size, size, 3)
        if images
        else np.zeros((0, 0, 0, 3), np.uint8),
        proprio=np.array(states),
        actions=np.array(actions),
        truth=tuple(truths),
        success=truths[-1].success,
        style=kind,
    )


def _script(
    twin: Twin, spec: TaskSpec, style: DemoStyle, rng: np.random.Generator
) -> Iterator[Move]:
    if spec is DRAWER:
        return drawer_script(twin, style.drawer, rng)
    if spec is MUSHROOM:
        return pick_script(twin, MUSHROOM_PICK, style.mushroom, rng)
    if spec is CARROT:
        return pick_script(twin, CARROT_PICK, style.carrot, rng)
    return pick_script(twin, STACK_PICK, style.stack, rng)


def _actions(
    twin: Twin, script: Iterator[Move], style: MotionStyle, rng: np.random.Generator
) -> Iterator[FloatArray]:
    """Follow the moves from the measured pose; then stay for ever."""
    speed = style.speed_m * float(np.exp(style.speed_spread * rng.standard_normal()))
    gripper = 1.0
    for move in script:
        gripper = move.gripper
        best, waited, dwell = np.inf, 0, move.dwell
        while True:
            pose = twin.state().ee_pose
            step = move.position - pose[:3, 3]
            turn = _turn_to(pose, move.yaw)
            far, twist = float(np.linalg.norm(step)), float(np.linalg.norm(turn))
            if far < ARRIVED_M and twist < ARRIVED_RAD:
                if dwell == 0:
                    break
                dwell -= 1
            else:
                waited = 0 if far < best - 0.001 else waited + 1
                best = min(best, far)
                if waited >= PATIENCE:
                    break
            step *= min(1.0, move.pace * speed / max(far, 1e-9))
            turn *= min(1.0, MAX_TURN / max(twist, 1e-9))
            yield _noisy(step, turn, gripper, style, rng)
    while True:
        yield _noisy(np.zeros(3), np.zeros(3), gripper, style, rng)


def _noisy(
    step: FloatArray, turn: FloatArray, gripper: float, style: MotionStyle, rng: np.random.Generator
) -> FloatArray:
    return np.concatenate(
        [
            step + style.noise_m * rng.standard_normal(3),
            turn + style.noise_rad * rng.standard_normal(3),
            [gripper],
        ]
    )


def _turn_to(pose: FloatArray, yaw: float) -> FloatArray:
    """Rotation vector (base axes) from the present pose to gripper-down with this yaw."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    down = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    goal = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]) @ down
    error = goal @ pose[:3, :3].T
    axis = 0.5 * np.array(
        [error[2, 1] - error[1, 2], error[0, 2] - error[2, 0], error[1, 0] - error[0, 1]]
    )
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return np.zeros(3)
    angle = float(np.arctan2(sine, 0.5 * (np.trace(error) - 1.0)))
    turn: FloatArray = axis * (angle / sine)
    return turn
