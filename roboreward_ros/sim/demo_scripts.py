# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the demonstrators do, as sequences of straight moves; errors are drawn once an episode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from roboreward_ros.sim.demo_style import DrawerStyle, PickStyle
from roboreward_ros.sim.twin import Twin
from roboreward_ros.types import FloatArray

OPEN, CLOSED = 1.0, 0.0


@dataclass(frozen=True, slots=True)
class Move:
    """A straight move of the gripper.

    Attributes:
        position: goal of the gripper frame ``[3]``, base frame, m.
        yaw: turn of the jaws about base z, rad; 0 opens along base y.
        gripper: opening commanded all the way.
        pace: speed relative to the style's.
        dwell: control periods to stay after arriving.
    """

    position: FloatArray
    yaw: float
    gripper: float
    pace: float = 1.0
    dwell: int = 0


HOOK_Z = 0.064  # gripper frame; the fingertips are 26 mm below the bar's axis
DRAWER_HOVER_Z = 0.130
BEHIND_BAR = 0.031  # m from the bar's axis to the middle of the gap


def drawer_script(twin: Twin, style: DrawerStyle, rng: np.random.Generator) -> Iterator[Move]:
    """Close, come down behind the bar, pull, lift."""
    handle = twin.object_state()["handle"]
    bar, inward, along = handle[:3, 3], handle[:3, 0], handle[:3, 1]
    mean = style.lateral_offset + style.lateral_bias * np.tanh(bar[1] / style.lateral_turn)
    lateral = mean + style.lateral_spread * rng.standard_normal()
    depth = style.depth_bias + style.depth_spread * rng.standard_normal()
    height = style.height_spread * rng.standard_normal()
    hook = bar + BEHIND_BAR * inward + lateral * along + np.array([depth, 0.0, 0.0])
    hook[2] = HOOK_Z + height
    hover = np.array([hook[0], hook[1], DRAWER_HOVER_Z])
    yield Move(hover, 0.0, CLOSED)
    yield Move(hook, 0.0, CLOSED)
    towards = style.pull_straight * np.array([1.0, 0.0, 0.0]) + (1 - style.pull_straight) * inward
    pulled = hook - style.pull_m * towards / np.linalg.norm(towards)
    yield Move(pulled, 0.0, CLOSED)
    yield Move(pulled + np.array([0.0, 0.0, 0.06]), 0.0, CLOSED)


@dataclass(frozen=True, slots=True)
class PickPlace:
    """Geometry of a pick and place.

    Attributes:
        source: name of the object that is moved.
        target: name of the object it is put on.
        grasp_z: height of the gripper frame at the grasp, relative to the source's origin, m.
        carry_z: height of the gripper frame while carrying, m.
        place_z: height of the source's origin over the target's when let go, m.
        symmetry: turns of the jaws by this angle grasp equally well, rad (0: any yaw does).
    """

    source: str
    target: str
    grasp_z: float
    carry_z: float
    place_z: float
    symmetry: float = 0.0


def pick_script(
    twin: Twin, plan: PickPlace, style: PickStyle, rng: np.random.Generator
) -> Iterator[Move]:
    """Above, down, close, lift, across, down, open, up."""
    poses = twin.object_state()
    source, target = poses[plan.source], poses[plan.target]
    start = source[:3, 3]
    yaw = grasp_yaw(source, plan.symmetry)
    jaws = np.array([-np.sin(yaw), np.cos(yaw), 0.0])
    bias = style.grasp_bias * np.tanh((start[1] - style.middle) / style.turn)
    error = (bias + style.grasp_spread * rng.standard_normal()) * jaws
    error[:2] += 0.5 * style.grasp_spread * rng.standard_normal(2)
    grasp = start + error
    grasp[2] = start[2] + plan.grasp_z + abs(style.height_spread * rng.standard_normal())
    above = np.array([grasp[0], grasp[1], plan.carry_z])
    yield Move(above, yaw, OPEN, pace=1.3)
    yield Move(grasp, yaw, OPEN, pace=0.9)
    yield Move(grasp, yaw, CLOSED, dwell=2)
    yield Move(above, yaw, CLOSED)
    away = target[:2, 3] - start[:2]
    away /= max(float(np.linalg.norm(away)), 1e-6)
    goal = target[:3, 3].copy()
    goal[:2] += style.place_bias * away + style.place_spread * rng.standard_normal(2)
    # What is held rarely sits in the middle of the jaws: aim with the object, not the gripper.
    held = twin.object_state()[plan.source][:3, 3] - twin.state().ee_pose[:3, 3]
    shift = held if float(np.linalg.norm(held)) < 0.05 else np.array([0.0, 0.0, -plan.grasp_z])
    over = np.array([goal[0] - shift[0], goal[1] - shift[1], plan.carry_z])
    yield Move(over, yaw, CLOSED, pace=1.2)
    down = np.array([over[0], over[1], goal[2] + plan.place_z - shift[2]])
    yield Move(down, yaw, CLOSED, pace=0.8)
    yield Move(down, yaw, OPEN, dwell=2)
    yield Move(over + np.array([0.0, 0.0, 0.04]), yaw, OPEN, pace=1.2)


def grasp_yaw(source: FloatArray, symmetry: float) -> float:
    """The equally good grasp that turns the wrist least."""
    if symmetry == 0.0:
        return 0.0
    yaw = float(np.arctan2(source[1, 0], source[0, 0]))
    return yaw - symmetry * round(yaw / symmetry)
