# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Is it the arm of the profile, and are its motors set as the driver needs them: check and repair.

Every setting is read back, because xs_sdk's services answer nothing. Changing an operating mode
makes the joints limp for a moment, so the arm's is changed only while it lies in its sleep pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roboreward_ros.errors import ConfigError, RobotError
from roboreward_ros.robot.profile import RobotProfile
from roboreward_ros.robot.xs_bus import ARM, GRIPPER, XsBus, XsInfo
from roboreward_ros.robot.xs_health import ERROR, TORQUE, by_motor, problems
from roboreward_ros.types import FloatArray

LIMIT_TOLERANCE_RAD = 0.01
FINGER_TOLERANCE_M = 0.003
SLEEP_TOLERANCE_RAD = 0.25
PROFILE_TIME, PROFILE_ACCELERATION = "Profile_Velocity", "Profile_Acceleration"


@dataclass(frozen=True, slots=True)
class MotorSettings:
    """How the motors are to move.

    Attributes:
        moving_time_ms: time of a position command's profile.
        accel_time_ms: of it spent accelerating.
        gripper_mode: ``pwm`` or ``linear_position``.
    """

    moving_time_ms: int
    accel_time_ms: int
    gripper_mode: str

    def __post_init__(self) -> None:
        if not 20 <= self.moving_time_ms <= 10_000:
            raise ConfigError("moving time out of range", got=self.moving_time_ms, allowed="20 ms+")
        if not 0 <= 2 * self.accel_time_ms <= self.moving_time_ms:
            raise ConfigError(
                "acceleration time out of range",
                got=self.accel_time_ms,
                allowed=f"0..{self.moving_time_ms // 2} ms, half of the moving time",
            )
        if self.gripper_mode not in ("pwm", "linear_position"):
            raise ConfigError(
                "unknown gripper mode", got=self.gripper_mode, allowed="pwm, linear_position"
            )


def require_profile(profile: RobotProfile, arm: XsInfo, gripper: XsInfo) -> None:
    """Raise ConfigError, listing every difference, unless the device is the profile's arm."""
    driven = profile.driven_joints
    different = []
    if arm.joint_names != driven:
        told = ", ".join(arm.joint_names) or "none"
        different.append(f"joints: device {told}; profile {', '.join(driven)}")
    else:
        places = [profile.joint_names.index(joint) for joint in driven]
        for what, device, ours in (
            ("lower limit", arm.lower, profile.q_min),
            ("upper limit", arm.upper, profile.q_max),
        ):
            different += [
                f"{joint} {what}: device {device[k]:.3f}, profile {ours[place]:.3f} rad"
                for k, (joint, place) in enumerate(zip(driven, places, strict=True))
                if not abs(device[k] - ours[place]) <= LIMIT_TOLERANCE_RAD
            ]
        different += [
            f"{joint} speed: device {arm.velocity[k]:.2f}, profile "
            f"{profile.velocity_limit[place]:.2f} rad/s"
            for k, (joint, place) in enumerate(zip(driven, places, strict=True))
            if profile.velocity_limit[place] > arm.velocity[k] + LIMIT_TOLERANCE_RAD
        ]
    fingers = (profile.finger_min, profile.finger_max)
    told_fingers = (*gripper.lower.tolist(), *gripper.upper.tolist())
    if len(told_fingers) != 2 or np.abs(np.subtract(told_fingers, fingers)).max() > (
        FINGER_TOLERANCE_M
    ):
        different.append(f"finger range: device {told_fingers}, profile {fingers} m")
    if different:
        raise ConfigError(
            f"the arm is not the profile's {profile.name}",
            got="; ".join(different),
            next_step="Give the profile of this arm (robot:=), or correct it in config/robots/.",
        )


class MotorSetup:
    """Settings of the motors over the bus.

    Args:
        bus: link to xs_sdk.
        profile: the arm.
        settings: wanted.
    """

    def __init__(self, bus: XsBus, profile: RobotProfile, settings: MotorSettings) -> None:
        self._bus = bus
        self._profile = profile
        self._settings = settings
        self.motors = (*profile.driven_joints, GRIPPER)

    def check(self, q: FloatArray) -> None:
        """Compare device and profile, then bring modes and registers where they must be.

        Args:
            q: measured joints ``[6]``, rad.

        Raises:
            ConfigError: the device is another arm.
            RobotError: a setting cannot be made, or motors are faulty.
        """
        arm = self._bus.info("group", ARM)
        gripper = self._bus.info("single", GRIPPER)
        require_profile(self._profile, arm, gripper)
        self.require_health()
        if (arm.mode, arm.profile_type) != ("position", "time"):
            self.set_arm_modes(q)
        if gripper.mode != self._settings.gripper_mode:
            self.set_gripper_mode()
        self.set_profile()
        self.torque_on()

    def healthy(self) -> bool:
        """Whether nothing has to be repaired: no errors, torque everywhere, profiles in force."""
        errors = by_motor(self._bus, self.motors, ERROR)
        torque = by_motor(self._bus, self.motors, TORQUE)
        if problems(self.motors, ERROR, errors) or problems(self.motors, TORQUE, torque):
            return False
        return not self._wrong_profiles()

    def require_health(self) -> None:
        """Raise RobotError when a motor reports an error or does not answer."""
        found = problems(self.motors, ERROR, by_motor(self._bus, self.motors, ERROR))
        if found:
            raise RobotError("motors are not well", got="; ".join(found))

    def lies(self, q: FloatArray) -> bool:
        """Whether joints ``q [6]`` are at the sleep pose, where the arm may go limp."""
        return float(np.abs(q - self._profile.sleep_q).max()) <= SLEEP_TOLERANCE_RAD

    def set_arm_modes(self, q: FloatArray) -> None:
        """Position control with time profiles; only where the arm cannot fall."""
        if not self.lies(q):
            raise RobotError(
                "the arm's operating mode must be changed, and its joints go limp meanwhile",
                got="an arm away from its sleep pose",
                next_step="Lay it into its sleep pose, then reset again.",
            )
        settings = self._settings
        self._bus.set_modes(
            "group", ARM, "position", "time", settings.moving_time_ms, settings.accel_time_ms
        )
        told = self._bus.info("group", ARM)
        if (told.mode, told.profile_type) != ("position", "time"):
            raise RobotError(
                "the arm did not take its operating mode",
                got=f"{told.mode}, {told.profile_type}",
                allowed="position, time",
                next_step="Look at the log of xs_sdk.",
            )

    def set_gripper_mode(self) -> None:
        """The gripper's operating mode."""
        mode = self._settings.gripper_mode
        self._bus.set_modes("single", GRIPPER, mode, "time", 250, 0)
        told = self._bus.info("single", GRIPPER).mode
        if told != mode:
            raise RobotError("the gripper did not take its operating mode", got=told, allowed=mode)

    def set_profile(self) -> None:
        """Times of the arm's motion; a profile that a reboot wiped would mean full speed."""
        wanted = self._wanted()
        for register, value in wanted.items():
            self._bus.set_register("group", ARM, register, value)
        if wrong := self._wrong_profiles():
            raise RobotError(
                "motors did not take their profile",
                got="; ".join(wrong),
                allowed=", ".join(f"{name} {value} ms" for name, value in wanted.items()),
                next_step="Look at the log of xs_sdk.",
            )

    def torque_on(self) -> None:
        """Torque on every motor; command the measured joints first."""
        for motor in self._limp():
            self._bus.torque("single", motor, enable=True)
        if limp := self._limp():
            raise RobotError("motors have no torque", got=", ".join(limp))

    def _limp(self) -> list[str]:
        torque = by_motor(self._bus, self.motors, TORQUE)
        return [motor for motor in self.motors if not torque.get(motor)]

    def _wanted(self) -> dict[str, int]:
        settings = self._settings
        return {
            PROFILE_TIME: settings.moving_time_ms,
            PROFILE_ACCELERATION: settings.accel_time_ms,
        }

    def _wrong_profiles(self) -> list[str]:
        joints = self._profile.driven_joints
        found = []
        for register, value in self._wanted().items():
            told = self._bus.get_register("group", ARM, register)
            if len(told) != len(joints) or set(told) != {value}:
                found.append(f"{register} reads {list(told)}")
        return found
