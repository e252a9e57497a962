# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Instructions for the twin's scenes beside their own, each with its true rubric.

A scene's own judge is reused for other pairs of objects: it is asked about another source and
another target of the same physics. So a counterfactual label is ground truth, not a guess. A
sentence about something that is not in the scene scores 1, because nothing of it can be done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import mujoco
import numpy as np

from roboreward_ros.sim.tasks import CARROT, DRAWER, MUSHROOM, STACK, TaskSpec
from roboreward_ros.sim.tasks.base import Assessment, Vec3
from roboreward_ros.sim.tasks.carrot import HALF_CARROT, HALF_PLATE
from roboreward_ros.sim.tasks.mushroom import CAP_RADIUS, CLOTH_HALF
from roboreward_ros.sim.tasks.pick_place import MOVED, TOUCHED, PickPlaceScene
from roboreward_ros.sim.tasks.stack import HALF


class Swap(StrEnum):
    """How a sentence differs from the one its scene was laid out for."""

    OWN = "own"
    OBJECT = "object"  # another thing is to be moved
    GOAL = "goal"  # the same thing is to go elsewhere
    RELATION = "relation"  # the same things, another relation
    ABSENT = "absent"  # something that is not in the scene


class Judge(Protocol):
    """What ``TaskScene`` offers of itself: remember the start, judge the present state."""

    def begin(self) -> None: ...

    def assess(self) -> Assessment: ...


@dataclass(frozen=True, slots=True)
class Thing:
    """An object of a scene: its body and half its size along x, y, z, m."""

    body: str
    half: Vec3
    fixed: bool = False


THINGS: Mapping[str, Mapping[str, Thing]] = {
    DRAWER.key: {
        "drawer": Thing("drawer", (0.07, 0.085, 0.05), fixed=True),
        "cup": Thing("cup", (0.024, 0.024, 0.028)),
        "purple cube": Thing("cube", (0.017, 0.017, 0.017)),
    },
    MUSHROOM.key: {
        "mushroom": Thing("mushroom", (CAP_RADIUS, CAP_RADIUS, 0.021)),
        "cloth": Thing("cloth", (CLOTH_HALF, CLOTH_HALF, 0.001), fixed=True),
        "lemon": Thing("lemon", (0.018, 0.012, 0.018)),
        "green block": Thing("block", (0.016, 0.016, 0.016)),
    },
    CARROT.key: {
        "carrot": Thing("carrot", HALF_CARROT),
        "plate": Thing("plate", HALF_PLATE, fixed=True),
        "purple block": Thing("block", (0.016, 0.016, 0.016)),
    },
    STACK.key: {
        "green block": Thing("green", (HALF, HALF, HALF)),
        "yellow block": Thing("yellow", (HALF, HALF, HALF)),
        "red block": Thing("red", (HALF, HALF, HALF)),
    },
}
"""Task key -> what people call a thing -> the thing."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """An instruction and the things it names.

    Attributes:
        text: as asked.
        verb: ``put``, ``lift``, ``open`` or ``close``.
        source: what is to be moved.
        target: where to; "" for none.
    """

    text: str
    verb: str
    source: str
    target: str = ""


def _put(source: str, target: str) -> Sentence:
    return Sentence(f"put the {source} on the {target}", "put", source, target)


def _stack(source: str, target: str) -> Sentence:
    return Sentence(
        f"stack the {source} block on the {target} block",
        "put",
        f"{source} block",
        f"{target} block",
    )


def _lift(source: str) -> Sentence:
    return Sentence(f"lift the {source}", "lift", source)


SENTENCES: tuple[Sentence, ...] = (
    Sentence(DRAWER.sentence, "open", "drawer"),
    _put("mushroom", "cloth"),
    _put("carrot", "plate"),
    _stack("green", "yellow"),
    Sentence("close the drawer", "close", "drawer"),
    _put("cup", "purple cube"),
    _put("purple cube", "cup"),
    _lift("cup"),
    _put("lemon", "cloth"),
    _put("green block", "cloth"),
    _put("mushroom", "lemon"),
    _put("mushroom", "green block"),
    _put("cloth", "mushroom"),
    _lift("mushroom"),
    _lift("lemon"),
    _put("purple block", "plate"),
    _put("carrot", "purple block"),
    _put("plate", "carrot"),
    _lift("carrot"),
    _lift("purple block"),
    _stack("red", "yellow"),
    _stack("green", "red"),
    _stack("yellow", "green"),
    _stack("red", "green"),
    _lift("green block"),
    _lift("red block"),
)
"""The four tasks first; the columns of every label table."""


def swap_of(spec: TaskSpec, sentence: Sentence) -> Swap:
    """How ``sentence`` differs from the scene's own."""
    own = next(s for s in SENTENCES if s.text == spec.sentence)
    there = THINGS[spec.key]
    if sentence == own:
        return Swap.OWN
    if sentence.source not in there or (sentence.target and sentence.target not in there):
        return Swap.ABSENT
    if {sentence.source, sentence.target} == {own.source, own.target}:
        return Swap.RELATION
    if sentence.source == own.source:
        return Swap.GOAL if sentence.target else Swap.RELATION
    return Swap.OBJECT


class _Never:
    """Judges what cannot be done or was so from the start: nothing changed towards it."""

    def begin(self) -> None:
        pass

    def assess(self) -> Assessment:
        return Assessment(0.0, False, 1, 0)


class _Pair(PickPlaceScene):
    """The pick-and-place rubric for another pair of a scene's things.

    Args:
        model: the scene's.
        data: its state.
        source: what is to be moved.
        target: where to.
    """

    def __init__(
        self, model: mujoco.MjModel, data: mujoco.MjData, source: Thing, target: Thing
    ) -> None:
        # The rubric reads these where the tasks have them as class attributes.
        self.source, self.target = source.body, target.body  # type: ignore[misc]
        self.half_source, self.half_target = source.half, target.half  # type: ignore[misc]
        super().__init__(model, data)

    @staticmethod
    def build(spec: mujoco.MjSpec) -> None:
        """Adds nothing: the bodies are another scene's."""

    def succeeded(self) -> bool:
        if self.target != "cloth":
            return self.boxes_meet() and self.touches_only_target()
        offset = self.offset()
        turned = self.data.xmat[self._target].reshape(3, 3).T @ offset
        inside = bool((np.abs(turned[:2]) <= CLOTH_HALF).all())
        return inside and 0.0 < offset[2] <= 0.03 and not self.touching() & self._robot


class _Lift(_Pair):
    """1 where it was; 2 moved or held; 3, 4: held 15, 30 mm up; 5: held 50 mm up at the end."""

    def assess(self) -> Assessment:
        moved = self.data.xpos[self._source] - self._start
        away, held = float(np.linalg.norm(moved)), self.held()
        if not held and away < MOVED:
            return Assessment(0.0, False, 1, int(away >= TOUCHED))
        risen = float(moved[2]) if held else 0.0
        score = 2 + int(risen >= 0.015) + int(risen >= 0.030) + int(risen >= 0.050)
        return Assessment(min(1.0, max(risen, 0.0) / 0.05), score == 5, score, score - 1)


def judge_for(
    spec: TaskSpec, sentence: Sentence, own: Judge, model: mujoco.MjModel, data: mujoco.MjData
) -> Judge:
    """The judge of ``sentence`` over a running scene.

    Args:
        spec: task of the scene.
        sentence: what is asked.
        own: the scene's own judge.
        model: compiled scene.
        data: its state.
    """
    kind = swap_of(spec, sentence)
    if kind is Swap.OWN:
        return own
    there = THINGS[spec.key]
    # Nothing can be closed that begins shut, and nothing fixed to the table can be moved.
    if kind is Swap.ABSENT or there[sentence.source].fixed:
        return _Never()
    if sentence.verb == "lift":
        thing = there[sentence.source]
        return _Lift(model, data, thing, thing)
    return _Pair(model, data, there[sentence.source], there[sentence.target])
