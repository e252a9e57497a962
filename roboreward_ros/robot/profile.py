# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What one kind of arm is, as data: read from ``config/robots/<name>.yaml``, checked, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import yaml

from roboreward_ros.errors import ConfigError
from roboreward_ros.files import config_folders, read_yaml
from roboreward_ros.robot.frames import pose_from_proprio
from roboreward_ros.robot.kinematics import Kinematics
from roboreward_ros.types import FloatArray, require_shape

VIRTUAL_RANGE_RAD = 1e-4
_VECTORS = ("q_min", "q_max", "velocity_limit", "effort_limit", "sleep_q", "neutral_q")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Box for the origin of the gripper frame: corners ``low [3]``, ``high [3]``, base frame, m."""

    low: FloatArray
    high: FloatArray

    def __post_init__(self) -> None:
        require_shape("workspace low", self.low, (3,))
        require_shape("workspace high", self.high, (3,))
        if not (np.isfinite(self.low).all() and np.isfinite(self.high).all()):
            raise ConfigError("workspace is not finite", got=f"{self.low} .. {self.high}")
        if not (self.low < self.high).all():
            raise ConfigError("workspace is empty", got=f"{self.low} .. {self.high}")

    def clip(self, position: FloatArray) -> FloatArray:
        """The nearest point ``[3]`` of the box."""
        nearest: FloatArray = np.clip(position, self.low, self.high)
        return nearest

    def distance(self, position: FloatArray) -> float:
        """Metres from ``position [3]`` to the box; 0 inside."""
        return float(np.linalg.norm(position - self.clip(position)))


@dataclass(frozen=True, slots=True)
class RobotProfile:
    """An arm of six hinges with a parallel gripper.

    Attributes:
        name: name of the profile.
        joint_names: names of the arm's joints, base to gripper.
        q_min, q_max: joint limits ``[6]``, rad.
        velocity_limit: joint speeds ``[6]`` that no command exceeds, rad/s.
        effort_limit: magnitudes ``[6]`` above which the arm is jammed, in the driver's unit (mA).
        slist: screw axes ``[6, 6]`` at zero joints, base frame.
        home: gripper pose ``[4, 4]`` at zero joints, base frame.
        sleep_q: joints ``[6]`` at which the arm can be switched off, rad.
        neutral_q: joints ``[6]`` on the way between any two poses, rad.
        start_state: BridgeData state ``[7]`` at which episodes start.
        finger_min, finger_max: closed and open distance of each finger from the middle, m.
        delta_position: bound of each translation of an action, m.
        delta_rotation: bound of each rotation of an action, rad.
        workspaces: boxes by name.
        workspace: name of the box in force.
        virtual_joints: joints that this arm does not have: an arm of five joints is one of six
            whose missing hinge stays at zero.
    """

    name: str
    joint_names: tuple[str, ...]
    q_min: FloatArray
    q_max: FloatArray
    velocity_limit: FloatArray
    effort_limit: FloatArray
    slist: FloatArray
    home: FloatArray
    sleep_q: FloatArray
    neutral_q: FloatArray
    start_state: FloatArray
    finger_min: float
    finger_max: float
    delta_position: float
    delta_rotation: float
    workspaces: Mapping[str, Workspace]
    workspace: str
    virtual_joints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.joint_names) != 6 or len(set(self.joint_names)) != 6:
            raise ConfigError(
                "joint_names must be six different names", got=", ".join(self.joint_names)
            )
        for name in _VECTORS:
            _require_finite(name, getattr(self, name), (6,))
        _require_finite("start_state", self.start_state, (7,))
        _require_finite("home", self.home, (4, 4))
        _require_finite("slist", self.slist, (6, 6))
        for name in ("velocity_limit", "effort_limit"):
            if not (getattr(self, name) > 0).all():
                raise ConfigError(f"{name} must be above 0", got=getattr(self, name))
        for name in ("sleep_q", "neutral_q"):
            q = getattr(self, name)
            if not ((q >= self.q_min) & (q <= self.q_max)).all():
                raise ConfigError(f"{name} is outside the joint limits", got=q)
        if not set(self.virtual_joints) < set(self.joint_names):
            raise ConfigError(
                "virtual_joints are not joints", got=self.virtual_joints, allowed=self.joint_names
            )
        for index, joint in enumerate(self.joint_names):
            range_rad = float(self.q_max[index] - self.q_min[index])
            if joint in self.virtual_joints and range_rad > VIRTUAL_RANGE_RAD:
                raise ConfigError(
                    f"virtual joint {joint} can move",
                    got=f"{range_rad:g} rad",
                    allowed=f"limits {VIRTUAL_RANGE_RAD:g} rad apart or less",
                )
        if not 0.0 <= self.finger_min < self.finger_max:
            raise ConfigError(
                "finger range out of order", got=f"{self.finger_min} .. {self.finger_max}"
            )
        for name in ("delta_position", "delta_rotation"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ConfigError(
                    f"{name} out of range", got=getattr(self, name), allowed="above 0, at most 1"
                )
        if self.workspace not in self.workspaces:
            raise ConfigError(
                "unknown workspace", got=self.workspace, allowed=sorted(self.workspaces)
            )

    @property
    def box(self) -> Workspace:
        """The workspace in force."""
        return self.workspaces[self.workspace]

    @property
    def driven_joints(self) -> tuple[str, ...]:
        """The joints that have a motor, base to gripper."""
        return tuple(joint for joint in self.joint_names if joint not in self.virtual_joints)

    def with_workspace(self, name: str) -> RobotProfile:
        """The same arm kept within another of its boxes; ConfigError if there is none so named."""
        return replace(self, workspace=name)

    def kinematics(self) -> Kinematics:
        """Forward and inverse kinematics of this arm."""
        return Kinematics(self.slist, self.home, self.q_min, self.q_max)

    def start_q(self) -> FloatArray:
        """Joints ``[6]`` of the start state, rad.

        Raises:
            ConfigError: the arm cannot reach its start state.
        """
        solution = self.kinematics().ik(
            pose_from_proprio(self.start_state), self.neutral_q, 100, (np.zeros(6), self.sleep_q)
        )
        if not solution.ok:
            raise ConfigError(
                f"{self.name} cannot reach its start_state",
                got=self.start_state,
                next_step="Choose a pose inside the arm's reach.",
            )
        return solution.q

    def gripper_from_finger(self, metres: float) -> float:
        """Normalised opening of a finger's distance from the middle; not clipped."""
        return (metres - self.finger_min) / (self.finger_max - self.finger_min)

    def finger_from_gripper(self, opening: float) -> float:
        """Distance of each finger from the middle, m, of a normalised opening; clipped to 0..1."""
        return self.finger_min + min(max(opening, 0.0), 1.0) * (self.finger_max - self.finger_min)

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> RobotProfile:
        """Build from plain YAML values.

        Raises:
            ConfigError: unknown, missing or malformed keys.
        """
        names = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - names):
            raise ConfigError("unknown key in a robot profile", got=unknown, allowed=sorted(names))
        if missing := sorted(names - {"virtual_joints"} - set(values)):
            raise ConfigError("missing key in a robot profile", got=missing)
        return cls(
            name=str(values["name"]),
            joint_names=_names("joint_names", values["joint_names"]),
            virtual_joints=_names("virtual_joints", values.get("virtual_joints", [])),
            q_min=_array("q_min", values["q_min"]),
            q_max=_array("q_max", values["q_max"]),
            velocity_limit=_array("velocity_limit", values["velocity_limit"]),
            effort_limit=_array("effort_limit", values["effort_limit"]),
            slist=_array("slist", values["slist"]),
            home=_array("home", values["home"]),
            sleep_q=_array("sleep_q", values["sleep_q"]),
            neutral_q=_array("neutral_q", values["neutral_q"]),
            start_state=_array("start_state", values["start_state"]),
            finger_min=_number("finger_min", values["finger_min"]),
            finger_max=_number("finger_max", values["finger_max"]),
            delta_position=_number("delta_position", values["delta_position"]),
            delta_rotation=_number("delta_rotation", values["delta_rotation"]),
            workspaces=_workspaces(values["workspaces"]),
            workspace=str(values["workspace"]),
        )


def _require_finite(name: str, array: FloatArray, shape: tuple[int, ...]) -> None:
    require_shape(name, array, shape)
    if not np.isfinite(array).all():
        raise ConfigError(f"{name} is not finite", got=array)
    array.setflags(write=False)


def _names(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{name} must be a list", got=value)
    return tuple(str(item) for item in value)


def _array(name: str, value: object) -> FloatArray:
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} must hold numbers", got=str(value)) from error


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ConfigError(f"{name} must be a finite number", got=value)
    return float(value)


def _workspaces(value: object) -> dict[str, Workspace]:
    if not isinstance(value, dict) or not value:
        raise ConfigError("workspaces must map names to boxes", got=str(value))
    boxes: dict[str, Workspace] = {}
    for name, corners in value.items():
        if not isinstance(corners, dict) or set(corners) != {"low", "high"}:
            raise ConfigError(
                f"workspace {name} is malformed", got=str(corners), allowed="low, high"
            )
        boxes[str(name)] = Workspace(
            _array("workspace low", corners["low"]), _array("workspace high", corners["high"])
        )
    return boxes


def profile_dirs() -> list[Path]:
    """Folders of robot profiles, nearest first: the checkout's, then installed shares above us."""
    return config_folders("robots")


def load_profile(name: str) -> RobotProfile:
    """The profile ``name``, or the one in the YAML file at path ``name``.

    Raises:
        ConfigError: no such profile, unreadable YAML, or a bad value; names the file.
    """
    given = Path(name)
    found = [folder / f"{name}.yaml" for folder in profile_dirs()]
    if given.suffix in {".yaml", ".yml"}:
        found = [given]
    path = next((path for path in found if path.is_file()), None)
    if path is None:
        available = sorted({p.stem for folder in profile_dirs() for p in folder.glob("*.yaml")})
        raise ConfigError("no such robot profile", got=name, allowed=available)
    try:
        values = read_yaml(path)
    except yaml.YAMLError as error:
        raise ConfigError("robot profile is not YAML", got=f"{path}: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError("robot profile is not a mapping", got=str(path))
    return RobotProfile.from_mapping(values)
