# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the servos say about themselves: errors, torque, temperature; polled without waiting.

xs_sdk reports nothing on its own: an arm with a motor that switched itself off goes on with the
others.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

from roboreward_ros.clock import Clock
from roboreward_ros.errors import RobotError
from roboreward_ros.robot.safety import ArmFaultError, Fault, FaultKind
from roboreward_ros.robot.xs_bus import ALL, Pending, XsBus

ERROR, TORQUE, TEMPERATURE = "Hardware_Error_Status", "Torque_Enable", "Present_Temperature"
_BITS = {
    0x01: "input voltage out of range",
    0x04: "overheated",
    0x08: "encoder failed",
    0x10: "electrical shock or not enough current",
    0x20: "overload",
}


def error_text(status: int) -> str:
    """The bits of a Hardware_Error_Status in words."""
    known = [text for bit, text in _BITS.items() if status & bit]
    return ", ".join(known) or f"error 0x{status:02x}"


def by_motor(bus: XsBus, motors: tuple[str, ...], register: str) -> dict[str, int]:
    """Values of a register; motors that do not answer are left out. Waits."""
    values = bus.get_register("group", ALL, register)
    if len(values) == len(motors):
        return dict(zip(motors, values, strict=True))
    answers = {motor: bus.get_register("single", motor, register) for motor in motors}
    return {motor: found[0] for motor, found in answers.items() if len(found) == 1}


def problems(motors: tuple[str, ...], register: str, values: Mapping[str, int]) -> list[str]:
    """Sentences about values that are not as they should be."""
    found = [f"{motor} does not answer" for motor in motors if motor not in values]
    if register == ERROR:
        found += [f"{m} reports {error_text(v)}" for m, v in values.items() if v]
    if register == TORQUE:
        found += [f"{m} has no torque" for m, v in values.items() if not v]
    return found


class HealthPoll:
    """Asks one register after the other; faults are raised where the answers are looked at.

    Args:
        bus: asked.
        motors: in the order of the group ``all``.
        clock: spaces the questions.
        interval_s: between questions; 0 asks nothing.
        max_temperature_c: hotter motors are a fault.

    Attributes:
        temperatures: newest, deg C by motor.
        paused: nothing is asked: while a recovery deals with the motors.
    """

    def __init__(
        self,
        bus: XsBus,
        motors: tuple[str, ...],
        clock: Clock,
        interval_s: float,
        max_temperature_c: int,
    ) -> None:
        self._bus = bus
        self._motors = motors
        self._clock = clock
        self._interval_ns = round(interval_s * 1e9)
        self._limit_c = max_temperature_c
        self.temperatures: dict[str, int] = {}
        self.paused = False
        self.restart()

    def restart(self) -> None:
        """Forget what was asked: after opening the link."""
        self._registers = cycle((ERROR, TORQUE, ERROR, TORQUE, TEMPERATURE))
        self._asked: tuple[str, Pending] | None = None
        self._due_ns = self._clock.steady_ns() + self._interval_ns

    def poll(self) -> None:
        """Look at an answer, or ask the next question when it is due.

        Raises:
            ArmFaultError: a motor is faulty, or xs_sdk does not answer.
        """
        if not self._interval_ns or self.paused:
            return
        if self._asked is None:
            if self._clock.steady_ns() >= self._due_ns:
                register = next(self._registers)
                self._asked = (register, self._bus.ask_register("group", ALL, register))
                self._due_ns = self._clock.steady_ns() + self._interval_ns
            return
        register, pending = self._asked
        try:
            values = pending.result()
        except RobotError as error:
            self._asked = None
            raise ArmFaultError(Fault(FaultKind.LINK, str(error))) from error
        if values is not None:
            self._asked = None
            self._judge(register, values)

    def _judge(self, register: str, values: tuple[int, ...]) -> None:
        if len(values) != len(self._motors):
            text = f"{len(values)} of {len(self._motors)} motors answer"
            raise ArmFaultError(Fault(FaultKind.MOTOR, text))
        named = dict(zip(self._motors, values, strict=True))
        found = problems(self._motors, register, named)
        if register == TEMPERATURE:
            self.temperatures = named
            hot = {m: v for m, v in named.items() if v > self._limit_c}
            found = [f"{m} is at {v} deg C, limit {self._limit_c}" for m, v in hot.items()]
        if found:
            raise ArmFaultError(*(Fault(FaultKind.MOTOR, text) for text in found))
