# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Simulated servos behind the driver's bus, without ROS: waiting lets simulated time pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import RobotError
from roboreward_ros.robot.interrupt import Interrupt
from roboreward_ros.robot.xs_bus import JointSample, Kind, XsInfo
from roboreward_ros.testing.fake_xs_arm import TICK_S, FakeXsArm
from roboreward_ros.types import FloatArray

SERVICE_TIMEOUT_S = 1.0
SERVICE_S = 0.002


class FakeXsBus:
    """An XsBus over :class:`FakeXsArm`; its clock moves only while somebody waits.

    Args:
        arm: the servos.
        clock: moved by waiting.
        interrupt: looked at in every wait.

    Attributes:
        alive: xs_sdk runs; without it samples stop and commands are lost.
        hangs: services do not answer.
        frozen: the same sample comes again and again, as from a driver whose bus is stuck.
        on_tick: called each simulated 10 ms, to inject faults in the middle of a wait.
    """

    def __init__(self, arm: FakeXsArm, clock: FakeClock, interrupt: Interrupt) -> None:
        self.arm = arm
        self.clock = clock
        self.interrupt = interrupt
        self.alive = True
        self.hangs = False
        self.frozen = False
        self.opened = False
        self.on_tick: Callable[[], None] = lambda: None
        self._callback: Callable[[JointSample], None] = lambda _: None
        self._sample: JointSample | None = None

    def open(self, timeout_s: float) -> None:
        self.opened = True
        self._sample = None
        if not self.alive or self.wait_sample(self.clock.steady_ns(), timeout_s) is None:
            self.opened = False
            raise RobotError("xs_sdk does not run", next_step="Start it.")

    def close(self) -> None:
        self.opened = False

    def listen(self, callback: Callable[[JointSample], None]) -> None:
        self._callback = callback

    def sample(self) -> JointSample | None:
        return self._sample

    def wait_sample(self, after_ns: int, timeout_s: float) -> JointSample | None:
        end_ns = self.clock.steady_ns() + round(timeout_s * 1e9)
        while self._sample is None or self._sample.steady_ns <= after_ns:
            if self.clock.steady_ns() >= end_ns:
                return None
            self.pass_time(TICK_S)
        return self._sample

    def pass_time(self, duration_s: float) -> None:
        """Simulate; the servos go on also when xs_sdk is gone."""
        for _ in range(max(1, round(duration_s / TICK_S))):
            self.clock.advance(TICK_S)
            self.arm.advance(TICK_S)
            self.on_tick()
            if self.alive and self.opened and not self.frozen:
                self._sample = self._measure()
                self._callback(self._sample)

    def write_group(self, name: str, command: FloatArray) -> None:
        if self.alive and self.opened:
            self.arm.write_group(name, command)

    def write_single(self, name: str, command: float) -> None:
        if self.alive and self.opened:
            self.arm.write_single(name, command)

    def info(self, kind: Kind, name: str) -> XsInfo:
        self._serve("get_robot_info")
        return self.arm.info(kind, name)

    def set_modes(
        self, kind: Kind, name: str, mode: str, profile_type: str, velocity: int, acceleration: int
    ) -> None:
        self._serve("set_operating_modes")
        self.arm.set_modes(kind, name, mode, profile_type, velocity, acceleration)

    def set_register(self, kind: Kind, name: str, register: str, value: int) -> None:
        self._serve("set_motor_registers")
        self.arm.set_register(kind, name, register, value)

    def get_register(self, kind: Kind, name: str, register: str) -> tuple[int, ...]:
        self._serve("get_motor_registers")
        return self.arm.get_register(kind, name, register)

    def ask_register(self, kind: Kind, name: str, register: str) -> _Asked:
        return _Asked(self, kind, name, register)

    def torque(self, kind: Kind, name: str, enable: bool) -> None:
        self._serve("torque_enable")
        self.arm.torque(kind, name, enable)

    def reboot(self, kind: Kind, name: str, enable: bool, smart: bool) -> None:
        self._serve("reboot_motors")
        self.arm.reboot(kind, name, enable, smart)

    def _serve(self, service: str) -> None:
        self.interrupt.check()
        if not self.alive or self.hangs:
            self.pass_time(SERVICE_TIMEOUT_S)
            raise RobotError(f"{service} did not answer", got=f"{SERVICE_TIMEOUT_S:g} s")
        self.pass_time(SERVICE_S)

    def _measure(self) -> JointSample:
        arm = self.arm
        now = (self.clock.now_ns(), self.clock.steady_ns())
        velocity, effort = arm.velocities(), arm.efforts()
        return JointSample(*now, arm.names(), np.array(arm.positions()), velocity, effort)


class _Asked:
    """A register's values, there at once unless the services hang."""

    def __init__(self, bus: FakeXsBus, kind: Kind, name: str, register: str) -> None:
        self._bus = bus
        self._arguments = (kind, name, register)
        self._asked_ns = bus.clock.steady_ns()

    def result(self) -> tuple[int, ...] | None:
        if not self._bus.alive or self._bus.hangs:
            if self._bus.clock.steady_ns() - self._asked_ns > SERVICE_TIMEOUT_S * 1e9:
                raise RobotError("get_motor_registers did not answer")
            return None
        return self._bus.arm.get_register(*self._arguments)
