# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Brings an X-series arm back after a fault without letting it fall.

A motor that protected itself has lost its torque already, so a smart reboot drops nothing that has
not dropped. What must not happen on the way: a command while a rebooted motor's profile is wiped
(full speed), and limp joints away from the sleep pose (operating modes).
"""

from __future__ import annotations

from collections.abc import Callable

from roboreward_ros.clock import Clock
from roboreward_ros.errors import RobotError
from roboreward_ros.robot.interrupt import MotionInterruptedError
from roboreward_ros.robot.xs_arm import XsArm
from roboreward_ros.robot.xs_bus import ALL
from roboreward_ros.robot.xs_health import ERROR, by_motor, problems

REBOOT_S = 8.0
REBOOT_POLL_S = 0.5


class XsRecovery:
    """See the module's text. Runs on the arm's thread.

    Args:
        arm: the driver; its watch should let motor faults pass meanwhile.
        clock: times the waits.
        say: told of each stage, for people.
    """

    def __init__(self, arm: XsArm, clock: Clock, say: Callable[[str], None]) -> None:
        self._arm = arm
        self._clock = clock
        self._say = say

    def run(self) -> None:
        """Hold, and if anything is wrong with the motors: sleep pose, reboot, settings, neutral.

        Raises:
            RobotError: something stayed wrong; the arm holds as far as it can.
        """
        health = self._arm.health
        health.restart()
        health.paused = True
        try:
            self._recover()
        finally:
            health.paused = False

    def _recover(self) -> None:
        arm = self._arm
        arm.relatch()
        arm.hold()
        if arm.setup.healthy():
            return
        errors = by_motor(arm.bus, arm.setup.motors, ERROR)
        if not arm.setup.lies(arm.state().q):
            self._support(bool(problems(arm.setup.motors, ERROR, errors)))
        if problems(arm.setup.motors, ERROR, errors):
            self._reboot()
        arm.relatch()
        arm.hold()  # goal = measured, before torque and before anything moves
        arm.setup.set_profile()
        arm.setup.torque_on()
        if not arm.setup.lies(arm.state().q):
            self._say("going to the sleep pose")
            arm.travel(arm.profile.sleep_q, "the sleep pose")
        self._say("setting the motors' modes")
        arm.setup.set_arm_modes(arm.state().q)
        arm.setup.set_gripper_mode()
        arm.relatch()
        arm.hold()
        arm.setup.check(arm.state().q)
        self._say("going to the neutral pose")
        arm.travel(arm.profile.neutral_q, "the neutral pose")

    def _support(self, faulty: bool) -> None:
        """Lie down with what still moves, before anything is rebooted."""
        arm = self._arm
        try:
            # Motors that were rebooted by hand have no profile: give it back before moving.
            arm.setup.set_profile()
            self._say("going to the sleep pose")
            arm.travel(arm.profile.sleep_q, "the sleep pose")
        except MotionInterruptedError:
            raise
        except RobotError as error:
            arm.relatch()
            arm.hold()
            if not faulty:
                raise
            self._say(f"cannot lie down ({error}); rebooting in place what has failed already")

    def _reboot(self) -> None:
        arm = self._arm
        self._say("rebooting motors with errors")
        arm.bus.reboot("group", ALL, enable=True, smart=True)
        end_ns = self._clock.steady_ns() + round(REBOOT_S * 1e9)
        while True:
            left = problems(arm.setup.motors, ERROR, by_motor(arm.bus, arm.setup.motors, ERROR))
            if not left:
                return
            if self._clock.steady_ns() > end_ns:
                raise RobotError(
                    "rebooting did not help",
                    got="; ".join(left),
                    next_step="Switch the arm's power off and on with a hand under it; check the "
                    "cable of the motors named.",
                )
            arm.pause(REBOOT_POLL_S)
