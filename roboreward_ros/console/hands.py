# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the operator's keys, gamepad and pedals mean, read from ``config/hands/<name>.yaml``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import yaml

from roboreward_ros.errors import ConfigError
from roboreward_ros.files import config_folders, read_yaml
from roboreward_ros.session.events import KEYS, LABELS
from roboreward_ros.types import FloatArray

AXES = ("x", "y", "z", "roll", "pitch", "yaw")
MOTIONS = (*(f"{axis}{sign}" for axis in AXES for sign in "+-"), "open", "close")
GRIPPER = {"open": 1.0, "close": 0.0}
CONSOLE_KEYS = (*(key for key in KEYS if key not in ("t", "q")), *LABELS, "a")
"""Keys that a pad or pedal may press: none that wants words, none that leaves."""
RESERVED = frozenset({*KEYS, *LABELS, "a", "c", "g", "x", "?"})


class Hand(Protocol):
    """Carries a person's commands to whoever owns the arm; returns at once."""

    def move(self, velocity: FloatArray) -> None:
        """Velocity of the gripper ``[6]``, m/s and rad/s, base frame and base axes."""

    def grip(self, opening: float) -> None:
        """Opening of the gripper, 0 closed .. 1 open."""


@dataclass(frozen=True, slots=True)
class PadMap:
    """Attributes: axes: number -> motion; buttons: number -> motion or key of the console."""

    axes: Mapping[int, str] = field(default_factory=dict)
    buttons: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HandMap:
    """See the file.

    Attributes:
        speed: of the gripper at full deflection, m/s.
        turn: the same about an axis, rad/s.
        dead_zone: share of an axis' way that counts as rest.
        keys: of a keyboard -> motion, while the operator moves the arm.
        aliases: other key -> key of the console.
        pad: a gamepad at the browser.
        joy: a gamepad at the robot.

    Raises:
        ConfigError: a motion or key that there is none, or one that is taken.
    """

    speed: float = 0.1
    turn: float = 0.6
    dead_zone: float = 0.15
    keys: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    pad: PadMap = field(default_factory=PadMap)
    joy: PadMap = field(default_factory=PadMap)

    def __post_init__(self) -> None:
        for name, low, high in (("speed", 0, 0.5), ("turn", 0, 3), ("dead_zone", -1, 0.9)):
            if not low < getattr(self, name) <= high:
                raise ConfigError(f"{name} of a hand map", got=getattr(self, name), allowed=high)
        _require("keys", self.keys.values(), MOTIONS)
        _require("aliases", self.aliases.values(), CONSOLE_KEYS)
        for kind, pad in (("pad", self.pad), ("joy", self.joy)):
            _require(f"{kind}.axes", pad.axes.values(), MOTIONS[:-2])
            _require(f"{kind}.buttons", pad.buttons.values(), (*MOTIONS, *CONSOLE_KEYS))
        for key in (*self.keys, *self.aliases):
            if key in RESERVED or key != key.lower():
                raise ConfigError(
                    "a hand map takes a key that is not free",
                    got=key,
                    allowed=f"small letters, none of {' '.join(sorted(RESERVED))}",
                )

    def velocity(self, deflections: Mapping[str, float]) -> FloatArray:
        """Velocity ``[6]`` from motions and how far each is pushed, 0..1; others are ignored."""
        velocity = np.zeros(6)
        for k, axis in enumerate(AXES):
            push = deflections.get(f"{axis}+", 0.0) - deflections.get(f"{axis}-", 0.0)
            velocity[k] = np.clip(push, -1.0, 1.0) * (self.speed if k < 3 else self.turn)
        return velocity

    def beyond_rest(self, value: float) -> float:
        """An axis' value -1..1 without its dead zone."""
        way = (abs(value) - self.dead_zone) / (1.0 - self.dead_zone)
        return float(np.sign(value) * np.clip(way, 0.0, 1.0))

    def for_page(self) -> str:
        """What the page needs, as JSON that is safe inside a script element."""
        words = {
            "deadZone": self.dead_zone,
            "keys": dict(self.keys),
            "aliases": dict(self.aliases),
            "axes": dict(self.pad.axes),
            "buttons": dict(self.pad.buttons),
        }
        return json.dumps(words).replace("<", "\\u003c")


def load_hands(name: str) -> HandMap:
    """The map of a name below ``config/hands``, or of a file's path.

    Raises:
        ConfigError: there is none, or it is wrong.
    """
    folders = config_folders("hands")
    found = [p for p in (Path(name), *(f / f"{name}.yaml" for f in folders)) if p.is_file()]
    if not found:
        names = sorted(path.stem for folder in folders for path in folder.glob("*.yaml"))
        raise ConfigError("there is no such hand map", got=name, allowed=names)
    try:
        values = read_yaml(found[0])
        for kind in ("pad", "joy"):
            values[kind] = PadMap(**_numbers(values.get(kind, {})))
        for kind in ("keys", "aliases"):
            values[kind] = {str(k): str(v) for k, v in values.get(kind, {}).items()}
        return HandMap(**values)
    except (yaml.YAMLError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError("this is no hand map", got=f"{found[0]}: {error}") from None


def _numbers(pad: Mapping[str, Mapping[object, object]]) -> dict[str, dict[int, str]]:
    return {name: {int(str(k)): str(v) for k, v in some.items()} for name, some in pad.items()}


def _require(what: str, given: Iterable[str], allowed: Iterable[str]) -> None:
    allowed = tuple(allowed)
    for word in given:
        if word not in allowed:
            raise ConfigError(f"{what} of a hand map", got=word, allowed=allowed)
