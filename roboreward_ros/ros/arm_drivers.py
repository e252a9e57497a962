# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes the driver of a real arm: the vendor's node over the wire, or by its Python modules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rclpy.context import Context

from roboreward_ros.errors import ConfigError
from roboreward_ros.robot.drivers import ArmDriver, XsDriver
from roboreward_ros.robot.interrupt import Interrupt
from roboreward_ros.robot.profile import RobotProfile
from roboreward_ros.robot.xs_arm import XsArm, XsArmConfig
from roboreward_ros.robot.xs_bus import XsBus
from roboreward_ros.ros.arm_beat import PeriodClock

REAL_DRIVERS = ("xs_sdk", "interbotix_api")


@dataclass(frozen=True, slots=True)
class ArmParts:
    """What a driver is made of.

    Attributes:
        driver: one of REAL_DRIVERS.
        namespace: of the vendor's node.
        profile: the arm.
        config: how it moves.
        interrupt: ends its waits.
        context: of rclpy.
        say: takes lines for people.
    """

    driver: str
    namespace: str
    profile: RobotProfile
    config: XsArmConfig
    interrupt: Interrupt
    context: Context | None
    say: Callable[[str], None]


def require_driver(driver: str) -> None:
    """Raise ConfigError, with the install line, when the vendor's packages are not there."""
    if driver == "xs_sdk":
        from roboreward_ros.ros.xs_link import message_package

        message_package()
    elif driver == "interbotix_api":
        from roboreward_ros.ros.xs_api import vendor_class

        vendor_class()
    else:
        raise ConfigError("unknown driver", got=driver, allowed=REAL_DRIVERS)


def make_driver(parts: ArmParts, clock: PeriodClock) -> ArmDriver:
    """The driver, not connected; raises ConfigError.

    Args:
        parts: see ``ArmParts``.
        clock: of the arm's loop.
    """
    require_driver(parts.driver)
    bus: XsBus
    if parts.driver == "xs_sdk":
        from roboreward_ros.ros.xs_link import XsLink

        bus = XsLink(parts.namespace, parts.context, clock, parts.interrupt)
    else:
        from roboreward_ros.ros.xs_api import XsApi

        bus = XsApi(parts.profile.name, parts.namespace, clock, parts.interrupt)
    arm = XsArm(bus, parts.profile, parts.config, clock, parts.interrupt, lambda: clock.end_ns)
    return XsDriver(arm, clock, parts.say)
