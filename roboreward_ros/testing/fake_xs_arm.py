# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Servos of an X-series arm as xs_sdk shows them: profiles, PWM gripper, registers, and faults.

A position command's set-point is reached in its profile's time. Without a load the joints are where
their set-points are; with one (``fake_xs_load``) they are where the forces leave them, and efforts
are those forces. It imitates what the driver's safety depends on: registers lost by a reboot (a
profile time of 0 is full speed), joints that go limp and fall while modes change, motors that stop
answering, and no check of any command.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from roboreward_ros.clock import Clock
from roboreward_ros.robot.profile import RobotProfile
from roboreward_ros.robot.xs_bus import ALL, ARM, FINGER, GRIPPER, Kind, XsInfo
from roboreward_ros.types import FloatArray

OVERLOAD = 0x20
FULL_SPEED = 12.0  # rad/s, what the motors do without a profile
FALL_SPEED = 1.0  # rad/s of a limp arm towards its sleep pose
FINGER_SPEED = 0.10  # m/s at a PWM of 350
TICK_S = 0.01
SLEEP_TOLERANCE = 0.15
FINGER_GAIN = 105_000.0  # PWM per metre, the servo's own loop in mode linear_position
HOLD_RAD, HISTORY_S = 1e-4, 2.0


@dataclass(frozen=True, slots=True)
class GroupCommand:
    """One command that reached the arm.

    Attributes:
        time_s: simulated time.
        command: ``[6]`` rad.
        measured: joints at that moment ``[6]`` rad.
        last: command before it ``[6]``; what was measured at first.
        moving_time_s: profile time of the motors then; 0 is full speed.
        is_hold: it equals what was measured at some moment of the last two seconds.
    """

    time_s: float
    command: FloatArray
    measured: FloatArray
    last: FloatArray
    moving_time_s: float
    is_hold: bool


@dataclass(slots=True)
class ServoFaults:
    """What is broken now; tests set and clear the fields.

    Attributes:
        jammed: joints that do not move and draw twice their effort limit.
        dead: motors that answer no register; their joints stay where they are.
        nan: joints read NaN.
        overload_on_reboot: joints whose overload comes back at each reboot.
    """

    jammed: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    nan: bool = False
    overload_on_reboot: set[str] = field(default_factory=set)


class Load(Protocol):
    """What the servos move; see :class:`~roboreward_ros.testing.fake_xs_load.TwinLoad`."""

    @property
    def q(self) -> FloatArray: ...

    @property
    def dq(self) -> FloatArray: ...

    @property
    def finger(self) -> float: ...

    def advance(self, goal: FloatArray, pwm: float, dt: float) -> None:
        """Let ``dt`` seconds pass with set-points ``[6]`` rad and a gripper's PWM."""

    def efforts(self) -> FloatArray:
        """Currents of joints and gripper ``[7]``, mA."""


class Pace:
    """Ticks that are due: motors turn on however busy the process is that imitates them.

    Args:
        clock: its steady clock counts.
    """

    MOST = 20
    """Ticks at a time; of a process that was stopped for longer the rest is left out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told_ns = clock.steady_ns()

    def due(self) -> int:
        """Number of ticks since the last call."""
        tick_ns, now_ns = round(TICK_S * 1e9), self._clock.steady_ns()
        self._told_ns = max(self._told_ns, now_ns - self.MOST * tick_ns)
        count = (now_ns - self._told_ns) // tick_ns
        self._told_ns += count * tick_ns
        return count


class FakeXsArm:
    """See the module's text.

    Args:
        profile: arm to imitate.
        mode: gripper's operating mode at power-on.
        load: moved by the servos; it starts in the sleep pose with open fingers.
    """

    def __init__(self, profile: RobotProfile, mode: str = "pwm", load: Load | None = None) -> None:
        self.profile = profile
        self.load = load
        self.joints = profile.driven_joints
        self.motors = (*self.joints, GRIPPER)
        self.faults = ServoFaults()
        self.time_s = 0.0
        self.q = profile.sleep_q[self._driven].copy()
        self.dq = np.zeros(len(self.joints))
        self.finger = profile.finger_max
        self.object_width = 0.0  # m between the fingers; 0: nothing
        self.pwm = 0.0
        self.commands: list[GroupCommand] = []
        self._history: deque[FloatArray] = deque([self.q], maxlen=round(HISTORY_S / TICK_S))
        self.falls = 0
        self.modes = {ARM: ("position", "time"), GRIPPER: (mode, "time")}
        start = {"Profile_Velocity": 2000, "Profile_Acceleration": 300, "Torque_Enable": 1}
        rest = {"Hardware_Error_Status": 0, "Present_Temperature": 34, "Present_Input_Voltage": 121}
        self.registers: dict[str, dict[str, int]] = {m: {**start, **rest} for m in self.motors}
        self._point = self.q.copy()  # set-points now
        self._goal, self._from = self.q.copy(), self.q.copy()
        self._began_s = self._span_s = 0.0
        self._finger_goal = self.finger

    @property
    def _driven(self) -> list[int]:
        return [self.profile.joint_names.index(joint) for joint in self.profile.driven_joints]

    def advance(self, dt: float = TICK_S) -> None:
        """Let ``dt`` seconds pass."""
        self.time_s += dt
        share = 1.0 if self._span_s <= 0 else min((self.time_s - self._began_s) / self._span_s, 1.0)
        wanted = self._from + (self._goal - self._from) * share
        step = np.clip(wanted - self._point, -FULL_SPEED * dt, FULL_SPEED * dt)
        sleep = self.profile.sleep_q[self._driven]
        for index, joint in enumerate(self.joints):
            if joint in self.faults.jammed or joint in self.faults.dead:
                step[index] = 0.0
            elif not self.registers[joint]["Torque_Enable"]:
                away = sleep[index] - self._point[index]
                step[index] = np.clip(away, -FALL_SPEED * dt, FALL_SPEED * dt)
        low, high = self.profile.q_min[self._driven], self.profile.q_max[self._driven]
        before = self._point
        self._point = np.clip(before + step, low - 0.05, high + 0.05)
        if self.load is None:
            self.q, self.dq = self._point, (self._point - before) / dt
            self._move_finger(dt)
        else:
            self._move_load(self.load, dt)
        self._history.append(self.q)

    def _move_finger(self, dt: float) -> None:
        if not self.registers[GRIPPER]["Torque_Enable"] or GRIPPER in self.faults.jammed:
            return
        moved = self.finger + self.pwm / 350.0 * FINGER_SPEED * dt
        low = max(self.profile.finger_min, min(self.object_width / 2.0, self.finger))
        self.finger = float(np.clip(moved, low, self.profile.finger_max))

    def _move_load(self, load: Load, dt: float) -> None:
        if self.modes[GRIPPER][0] == "linear_position":
            error = self._finger_goal - load.finger
            self.pwm = float(np.clip(FINGER_GAIN * error, -885.0, 885.0))
        load.advance(self._point, self.pwm if self.registers[GRIPPER]["Torque_Enable"] else 0.0, dt)
        self.q, self.dq, self.finger = load.q, load.dq, load.finger

    def names(self) -> tuple[str, ...]:
        """Joints of ``joint_states`` in the vendor's order."""
        return (*self.joints, GRIPPER, FINGER, "right_finger")

    def positions(self) -> FloatArray:
        """Positions of ``names()``."""
        q = np.full(len(self.q), np.nan) if self.faults.nan else self.q
        return np.array([*q, 0.0, self.finger, -self.finger])

    def velocities(self) -> FloatArray:
        return np.array([*self.dq, 0.0, 0.0, 0.0])

    def efforts(self) -> FloatArray:
        """mA; of the forces where there is a load, else by the distance from the goal."""
        limit = self.profile.effort_limit[self._driven]
        if self.load is None:
            lag = np.minimum(np.abs(self._goal - self.q) * 300.0, 0.5 * limit)
            effort = np.append(lag, abs(self.pwm))
        else:
            effort = self.load.efforts()
            effort[[not self.registers[motor]["Torque_Enable"] for motor in self.motors]] = 0.0
        for index, joint in enumerate(self.joints):
            if joint in self.faults.jammed:
                effort[index] = 2.0 * limit[index]
        return np.array([*effort, 0.0, 0.0])

    # What xs_sdk takes and answers. Unknown names change nothing, as there.

    def write_group(self, name: str, command: FloatArray) -> None:
        if name != ARM or len(command) != len(self.q):
            return
        time_s = min(self.registers[joint]["Profile_Velocity"] for joint in self.joints) / 1000.0
        last = self._goal if self.commands else self.q
        asked, measured, before = (self._full(v) for v in (np.asarray(command), self.q, last))
        seen = tuple(self._history)  # at once: another thread may let time pass
        is_hold = any(np.abs(asked - self._full(q)).max() < HOLD_RAD for q in seen)
        self.commands.append(GroupCommand(self.time_s, asked, measured, before, time_s, is_hold))
        self._goal, self._from = np.array(command, dtype=np.float64), self._point
        self._began_s, self._span_s = self.time_s, time_s

    def write_single(self, name: str, command: float) -> None:
        if name != GRIPPER:
            return
        if self.modes[GRIPPER][0] == "linear_position":
            low, high = self.profile.finger_min, self.profile.finger_max
            self._finger_goal = float(np.clip(command / 2.0, low, high))
            if self.load is None:
                self.finger = self._finger_goal
        else:
            self.pwm = float(np.clip(command, -885.0, 885.0))

    def info(self, kind: Kind, name: str) -> XsInfo:
        profile = self.profile
        if kind == "single" and name == GRIPPER:
            low, high = np.array([profile.finger_min]), np.array([profile.finger_max])
            return XsInfo(*self.modes[GRIPPER], (FINGER,), low, high, np.ones(1))
        if kind == "group" and name == ARM:
            limits = (profile.q_min, profile.q_max, np.full(6, np.pi))
            low, high, speed = (np.asarray(v)[self._driven] for v in limits)
            return XsInfo(*self.modes[ARM], self.joints, low, high, speed)
        return XsInfo("", "", (), np.zeros(0), np.zeros(0), np.zeros(0))

    def set_modes(
        self, kind: Kind, name: str, mode: str, profile_type: str, velocity: int, acceleration: int
    ) -> None:
        for motor in self._motors(kind, name):
            self._limp(motor)
            self.registers[motor].update(
                Profile_Velocity=velocity, Profile_Acceleration=acceleration, Torque_Enable=1
            )
        for part in self.modes:
            if name in (part, ALL):
                self.modes[part] = (mode, profile_type)
        self._stay()

    def set_register(self, kind: Kind, name: str, register: str, value: int) -> None:
        for motor in self._motors(kind, name):
            if register == "Torque_Enable":
                self.torque("single", motor, bool(value))
            elif register in self.registers[motor]:
                self.registers[motor][register] = value

    def get_register(self, kind: Kind, name: str, register: str) -> tuple[int, ...]:
        return tuple(self.registers[motor].get(register, 0) for motor in self._motors(kind, name))

    def torque(self, kind: Kind, name: str, enable: bool) -> None:
        for motor in self._motors(kind, name):
            if enable and not self.registers[motor]["Hardware_Error_Status"]:
                self.registers[motor]["Torque_Enable"] = 1
            elif not enable:
                self._limp(motor)
                self.registers[motor]["Torque_Enable"] = 0

    def reboot(self, kind: Kind, name: str, enable: bool, smart: bool) -> None:
        for motor in self._motors(kind, name):
            registers = self.registers[motor]
            if smart and not registers["Hardware_Error_Status"]:
                continue
            self._limp(motor)
            again = motor in self.faults.overload_on_reboot
            registers.update(
                Profile_Velocity=0,
                Profile_Acceleration=0,
                Hardware_Error_Status=OVERLOAD if again else 0,
                Torque_Enable=int(enable and not again),
            )
        self._stay()

    def overload(self, motor: str) -> None:
        """The motor protects itself: error bit, no torque."""
        self._limp(motor)
        self.registers[motor].update(Hardware_Error_Status=OVERLOAD, Torque_Enable=0)

    def _limp(self, motor: str) -> None:
        """Count a fall: torque went away where the arm is not lying."""
        away = np.abs(self.q - self.profile.sleep_q[self._driven]).max()
        if motor != GRIPPER and self.registers[motor]["Torque_Enable"] and away > SLEEP_TOLERANCE:
            self.falls += 1

    def _stay(self) -> None:
        """Servos whose torque comes back hold where they are."""
        self._point = self._goal = self._from = self.q.copy()
        self._span_s = 0.0

    def _motors(self, kind: Kind, name: str) -> list[str]:
        groups = {ARM: self.joints, ALL: self.motors}
        found = groups.get(name, ()) if kind == "group" else (name,)
        return [m for m in found if m in self.registers and m not in self.faults.dead]

    def _full(self, driven: FloatArray) -> FloatArray:
        full = np.zeros(6)
        full[self._driven] = driven
        return full
