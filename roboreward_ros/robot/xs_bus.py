# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the driver of an X-series arm needs of the vendor's ``xs_sdk``, whatever carries it.

Carriers: ``ros.xs_link`` (topics and services), ``ros.xs_api`` (the vendor's Python modules),
``testing.fake_xs_bus`` (simulated servos). Services of xs_sdk answer nothing and report no errors,
so whoever changes something reads it back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from roboreward_ros.errors import RobotError
from roboreward_ros.types import FloatArray

Kind = Literal["group", "single"]
ARM, GRIPPER, ALL = "arm", "gripper", "all"
FINGER = "left_finger"
"""Joint whose position is half the opening, m; infos of the gripper are about it."""


@dataclass(frozen=True, slots=True)
class JointSample:
    """One message of ``joint_states``.

    Attributes:
        stamp_ns: acquisition, ns since the epoch.
        steady_ns: when it arrived, steady clock.
        names: of the joints.
        position: ``[n]`` rad; fingers m.
        velocity: ``[n]`` rad/s; NaN where the driver does not tell.
        effort: ``[n]`` mA; NaN where the driver does not tell.
    """

    stamp_ns: int
    steady_ns: int
    names: tuple[str, ...]
    position: FloatArray
    velocity: FloatArray
    effort: FloatArray

    def indices(self, joints: tuple[str, ...]) -> list[int]:
        """Places of joints in the arrays; raises RobotError for one that is not there."""
        missing = [joint for joint in joints if joint not in self.names]
        if missing:
            raise RobotError(
                "joint_states lacks joints of the profile",
                got=missing,
                allowed=self.names,
                next_step="Give the profile of this arm (robot:=).",
            )
        return [self.names.index(joint) for joint in joints]


@dataclass(frozen=True, slots=True)
class XsInfo:
    """Answer of ``get_robot_info`` about a group or a joint.

    Attributes:
        mode: operating mode, such as ``position``.
        profile_type: ``time`` or ``velocity``.
        joint_names: of the joints.
        lower, upper: limits ``[n]``, rad; m of a finger for the gripper.
        velocity: speed limits ``[n]``.
    """

    mode: str
    profile_type: str
    joint_names: tuple[str, ...]
    lower: FloatArray
    upper: FloatArray
    velocity: FloatArray


class Pending(Protocol):
    """Register values that are on their way."""

    def result(self) -> tuple[int, ...] | None:
        """The values; None while they have not come. Raises RobotError when they never will."""


class XsBus(Protocol):
    """Commands and services of one arm's xs_sdk. Calls block for a bounded time.

    All raise RobotError when xs_sdk does not answer in time, MotionInterruptedError when told to
    end.
    Used by one thread, except ``listen``'s callback.
    """

    def open(self, timeout_s: float) -> None:
        """Wait for xs_sdk and its first joint states; the error lists what is missing."""

    def close(self) -> None:
        """Let the last command go out, then drop the link; idempotent."""

    def listen(self, callback: Callable[[JointSample], None]) -> None:
        """Call back with every sample, on the carrier's thread; it may write_single."""

    def sample(self) -> JointSample | None:
        """The newest sample."""

    def wait_sample(self, after_ns: int, timeout_s: float) -> JointSample | None:
        """The newest sample that arrived after steady time ``after_ns``; None at the time-out."""

    def write_group(self, name: str, command: FloatArray) -> None:
        """Command a group, rad."""

    def write_single(self, name: str, command: float) -> None:
        """Command one joint; the gripper: PWM or m between the fingers, by its mode."""

    def info(self, kind: Kind, name: str) -> XsInfo:
        """Mode, names and limits."""

    def set_modes(
        self, kind: Kind, name: str, mode: str, profile_type: str, velocity: int, acceleration: int
    ) -> None:
        """Change operating modes; the joints are limp for a moment."""

    def set_register(self, kind: Kind, name: str, register: str, value: int) -> None:
        """Write a register of every motor of a group, or of one."""

    def get_register(self, kind: Kind, name: str, register: str) -> tuple[int, ...]:
        """Values of a register; fewer than motors where some do not answer."""

    def ask_register(self, kind: Kind, name: str, register: str) -> Pending:
        """The same without waiting."""

    def torque(self, kind: Kind, name: str, enable: bool) -> None:
        """Switch motors on or off; without torque the arm falls."""

    def reboot(self, kind: Kind, name: str, enable: bool, smart: bool) -> None:
        """Reboot motors; ``smart``: only those with an error. RAM registers are lost."""


def not_told(count: int) -> FloatArray:
    """NaN ``[count]`` for what a driver does not measure."""
    return np.full(count, np.nan)
