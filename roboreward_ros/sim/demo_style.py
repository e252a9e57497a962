# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How imperfect the scripted demonstrators are: continuous errors, some of them systematic.

A cloned policy shall fail about half of the time when its noise is drawn, when it is zero, and
when it is any constant, and yet have all that is needed to succeed. So the mean error depends on
the layout: it points away from the middle and grows towards the sides, beyond what works. Around
it lies a wide spread. Only noise that looks where things are can repair both sides.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from roboreward_ros.errors import ConfigError


def _require_non_negative(owner: object, *names: str) -> None:
    for name in names:
        value = getattr(owner, name)
        if not value >= 0.0:
            raise ConfigError(
                f"{type(owner).__name__}.{name} is negative", got=value, allowed="0 or more"
            )


@dataclass(frozen=True, slots=True)
class MotionStyle:
    """How a demonstrator moves, whatever the task.

    Attributes:
        speed_m: length of a free move's step, m per control period.
        speed_spread: relative standard deviation of the speed between episodes.
        noise_m: standard deviation added to each translation of an action, m.
        noise_rad: the same for rotations, rad.
    """

    speed_m: float = 0.018
    speed_spread: float = 0.08
    noise_m: float = 0.0015
    noise_rad: float = 0.004

    def __post_init__(self) -> None:
        _require_non_negative(self, "speed_spread", "noise_m", "noise_rad")
        if not 0.004 <= self.speed_m <= 0.05:
            raise ConfigError("speed_m out of range", got=self.speed_m, allowed="0.004..0.05")


@dataclass(frozen=True, slots=True)
class DrawerStyle:
    """Errors at the drawer.

    The gripper comes down beside the bar's middle, on average by ``lateral_offset + lateral_bias
    * tanh(y / lateral_turn)``: on the bar where the drawer stands in front of the robot, past its
    outer end where it stands aside. It then pulls towards the robot's own -x rather than along the
    drawer, and slips off the bar the more easily, the further out the drawer stands.

    Attributes:
        lateral_offset: mean error along the bar in every layout, m; > 0 is to the left (+y).
        lateral_bias: part of it that depends on the layout, m; > 0 is away from y = 0.
        lateral_turn: distance of the handle from the middle at which the bias sets in, m.
        lateral_spread: standard deviation of that error, m.
        depth_bias: mean error along base x, m; < 0 is in front of the bar, > 0 towards the face.
        depth_spread: standard deviation of that error, m.
        height_spread: standard deviation of the hook's height, m.
        pull_m: length of the pull, m.
        pull_straight: 1 pulls along base -x, 0 along the drawer's axis.
    """

    lateral_offset: float = 0.0
    lateral_bias: float = 0.100
    lateral_turn: float = 0.085
    lateral_spread: float = 0.022
    depth_bias: float = 0.002
    depth_spread: float = 0.004
    height_spread: float = 0.003
    pull_m: float = 0.155
    pull_straight: float = 1.0

    def __post_init__(self) -> None:
        _require_non_negative(self, "lateral_spread", "depth_spread", "height_spread", "pull_m")
        if not self.lateral_turn > 0:
            raise ConfigError(
                "lateral_turn is not positive", got=self.lateral_turn, allowed="above 0"
            )


@dataclass(frozen=True, slots=True)
class PickStyle:
    """Errors of a pick and place.

    Attributes:
        grasp_bias: mean error across the fingers, m, times tanh((y - middle) / turn) of the
            object; > 0 is away from the middle.
        grasp_spread: standard deviation of the grasp's position, m.
        height_spread: standard deviation of the grasp's height, m.
        place_bias: mean overshoot of the place, away from the object's start, m.
        place_spread: standard deviation of the place's position, m.
        turn: distance of the object from the middle at which the grasp's bias sets in, m.
        middle: y where that error changes its sign, m; things lie on both sides alike.
    """

    grasp_bias: float = 0.055
    grasp_spread: float = 0.011
    height_spread: float = 0.003
    place_bias: float = 0.0
    place_spread: float = 0.015
    turn: float = 0.10
    middle: float = 0.015

    def __post_init__(self) -> None:
        _require_non_negative(self, "grasp_spread", "height_spread", "place_spread")
        if not self.turn > 0:
            raise ConfigError("turn is not positive", got=self.turn, allowed="above 0")


STACK_STYLE = PickStyle(grasp_bias=0.045, grasp_spread=0.009, place_spread=0.006)
NO_PICK_ERROR = PickStyle(
    grasp_bias=0.0, grasp_spread=0.0, height_spread=0.0, place_bias=0.0, place_spread=0.0
)


@dataclass(frozen=True, slots=True)
class DemoStyle:
    """All of it; ``DemoStyle.ideal()`` makes no error at all."""

    motion: MotionStyle = field(default_factory=MotionStyle)
    drawer: DrawerStyle = field(default_factory=DrawerStyle)
    mushroom: PickStyle = field(default_factory=PickStyle)
    carrot: PickStyle = field(default_factory=PickStyle)
    stack: PickStyle = STACK_STYLE

    @classmethod
    def ideal(cls) -> DemoStyle:
        """No bias, no spread, no noise, pulling along the drawer."""
        return cls(
            motion=MotionStyle(speed_spread=0.0, noise_m=0.0, noise_rad=0.0),
            drawer=DrawerStyle(
                lateral_offset=0.0,
                lateral_bias=0.0,
                lateral_spread=0.0,
                depth_spread=0.0,
                height_spread=0.0,
                pull_straight=0.0,
            ),
            mushroom=NO_PICK_ERROR,
            carrot=NO_PICK_ERROR,
            stack=NO_PICK_ERROR,
        )


def flat(style: DemoStyle) -> dict[str, float]:
    """All numbers by dotted name, for provenance."""
    return {
        f"{group.name}.{item.name}": float(getattr(getattr(style, group.name), item.name))
        for group in fields(style)
        for item in fields(getattr(style, group.name))
    }
