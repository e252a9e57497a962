# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What arms and cameras measure and do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntFlag

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.types.arrays import PROPRIO_DIM, FloatArray, ImageU8, require_shape

MOTORS = 7
"""Six joints and the gripper."""


class StepFlag(IntFlag):
    """What happened to an action between the policy and the motors."""

    NONE = 0
    CLIPPED_DELTA = 1  # beyond the per-step bounds of the profile
    CLIPPED_BOX = 2  # target outside the workspace box
    IK_FAILED = 4  # no joint solution near the target
    DQ_CAPPED = 8  # joint step scaled down to the velocity limit
    RELATCHED = 16  # target set back to the measured pose (wind-up guard)
    HOLD = 32  # no action: measured joints commanded again
    LATE = 64  # the action came after its control period
    TAKEOVER = 128  # the operator's command replaced the policy's
    FAULT = 256


def _not_measured() -> FloatArray:
    return np.full(MOTORS, np.nan)


@dataclass(frozen=True, slots=True)
class RobotState:
    """One measured state of the arm.

    Attributes:
        stamp_ns: acquisition time, ns since the epoch.
        q: measured arm joints ``[6]`` float64, rad.
        dq: joint velocities ``[6]``, rad/s.
        effort: joint efforts ``[6]``, mA on the arm; NaN where not measured.
        gripper: normalised opening, 0 closed .. 1 open.
        ee_pose: gripper frame in the base frame ``[4, 4]``.
        proprio: BridgeData state ``[7]`` (see the package's text).
        temperature: newest of joints and gripper ``[7]``, deg C; NaN where not measured.
    """

    stamp_ns: int
    q: FloatArray
    dq: FloatArray
    effort: FloatArray
    gripper: float
    ee_pose: FloatArray
    proprio: FloatArray
    temperature: FloatArray = field(default_factory=_not_measured)

    def __post_init__(self) -> None:
        require_shape("RobotState.temperature", self.temperature, (MOTORS,))
        for name, shape in (("q", (6,)), ("dq", (6,)), ("effort", (6,)), ("ee_pose", (4, 4))):
            require_shape(f"RobotState.{name}", getattr(self, name), shape)
        require_shape("RobotState.proprio", self.proprio, (PROPRIO_DIM,))


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one control period did.

    Attributes:
        action_raw: the action as asked ``[7]`` float64.
        action_executed: after all clipping ``[7]``; zero deltas for a hold.
        target_pose: commanded gripper pose in the base frame ``[4, 4]``.
        q_command: joints sent to the motors ``[6]``, rad.
        flags: what was changed on the way.
        state: measured state at the end of the period.
        ik_error_m: distance between the pose asked of the inverse kinematics and the joints found,
            m; NaN where no pose was asked for (a hold).
        ik_error_rad: the same for the rotation, rad.
        fault: what was wrong, in words; empty when nothing was.
    """

    action_raw: FloatArray
    action_executed: FloatArray
    target_pose: FloatArray
    q_command: FloatArray
    flags: StepFlag
    state: RobotState
    ik_error_m: float = math.nan
    ik_error_rad: float = math.nan
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """One camera image ``[H, W, 3]`` uint8 RGB with its acquisition stamp (ns, epoch)."""

    image: ImageU8
    stamp_ns: int
    camera: str = "image"

    def __post_init__(self) -> None:
        require_shape("Frame.image", self.image, (None, None, 3))
        if self.image.dtype != np.uint8:
            raise ConfigError(
                "Frame.image has the wrong dtype", got=self.image.dtype, allowed="uint8"
            )


@dataclass(frozen=True, slots=True)
class Observation:
    """What a policy sees at one step: image ``[H, W, 3]`` uint8 RGB and proprio ``[7]``."""

    step: int
    stamp_ns: int
    image: ImageU8
    proprio: FloatArray

    def __post_init__(self) -> None:
        require_shape("Observation.image", self.image, (None, None, 3))
        require_shape("Observation.proprio", self.proprio, (PROPRIO_DIM,))
