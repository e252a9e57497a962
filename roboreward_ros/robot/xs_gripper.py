# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The PWM gripper: xs_sdk only passes a PWM on, so reaching and keeping a width is ours."""

from __future__ import annotations

import math
from dataclasses import dataclass

from roboreward_ros.errors import ConfigError

DEADBAND_M = 5e-4
STALL_M, STALL_NS = 2e-4, 500_000_000
RESEND_NS = 200_000_000


@dataclass(frozen=True, slots=True)
class GripperConfig:
    """Force of the gripper.

    Attributes:
        gain: PWM per metre of a finger's error, before the cap.
        max_pwm: cap while moving, of the servo's 885.
        hold_pwm: cap once the finger stands still against something: keeps the motor cool.
    """

    gain: float = 105_000.0
    max_pwm: float = 350.0
    hold_pwm: float = 200.0

    def __post_init__(self) -> None:
        if not 0.0 < self.hold_pwm <= self.max_pwm <= 885.0:
            raise ConfigError(
                "gripper PWM out of order",
                got=f"hold {self.hold_pwm:g}, max {self.max_pwm:g}",
                allowed="0 < hold_pwm <= max_pwm <= 885",
            )
        if not self.gain > 0.0:
            raise ConfigError("gripper gain must be above 0", got=self.gain)


class GripperServo:
    """Proportional control of a finger's distance from the middle; its owner locks it.

    Args:
        config: see ``GripperConfig``.
    """

    def __init__(self, config: GripperConfig) -> None:
        self._config = config
        self.target: float | None = None
        """Wanted distance of each finger from the middle, m; None leaves the gripper alone."""
        self._anchor_m = 0.0
        self._anchor_ns = 0
        self._sent: float | None = None
        self._sent_ns = 0

    def update(self, finger_m: float, now_ns: int) -> float | None:
        """PWM to send for a measured finger at steady time ``now_ns``; None: nothing new."""
        if self.target is None or math.isnan(finger_m):
            return None
        if abs(finger_m - self._anchor_m) > STALL_M:
            self._anchor_m, self._anchor_ns = finger_m, now_ns
        error = self.target - finger_m
        stalled = now_ns - self._anchor_ns > STALL_NS
        cap = self._config.hold_pwm if stalled else self._config.max_pwm
        pwm = 0.0 if abs(error) < DEADBAND_M else max(-cap, min(cap, self._config.gain * error))
        if pwm == self._sent and now_ns - self._sent_ns < RESEND_NS:
            return None
        self._sent, self._sent_ns = pwm, now_ns
        return pwm

    def release(self) -> float:
        """PWM to leave behind: 0, or the holding force when something is between the fingers."""
        self.target = None
        kept = self._sent or 0.0
        hold = self._config.hold_pwm
        return max(-hold, min(hold, kept))
