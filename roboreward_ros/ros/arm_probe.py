# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m roboreward_ros.ros.arm_probe PROFILE NAMESPACE``: how an arm behind xs_sdk is.

Reads only: nothing is commanded, no setting is changed, no motor is switched. Prints one JSON
object. A process of its own, so that whoever asks never joins the domain.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import RoboRewardError
from roboreward_ros.robot.interrupt import Interrupt
from roboreward_ros.robot.profile import RobotProfile, load_profile
from roboreward_ros.robot.xs_bus import ARM, GRIPPER, XsBus
from roboreward_ros.robot.xs_health import ERROR, TEMPERATURE, TORQUE, by_motor, problems
from roboreward_ros.robot.xs_setup import require_profile
from roboreward_ros.ros import dds

VOLTAGE = "Present_Input_Voltage"
OPEN_S, LISTEN_S = 6.0, 1.0
SLOW_HZ = 50.0
WARM_C = 55
LOW_V = 11.0
"""The power supply gives 12 V; under load a weak one drops until motors report errors."""


@dataclass(slots=True)
class ArmFindings:
    """What was found.

    Attributes:
        problems: what keeps the arm from working.
        notes: what is worth knowing.
        rate_hz: of the joint states.
        mode, gripper_mode: operating modes now.
        temperatures: deg C by motor.
        volts: by motor.
    """

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rate_hz: float = 0.0
    mode: str = ""
    gripper_mode: str = ""
    temperatures: dict[str, int] = field(default_factory=dict)
    volts: dict[str, float] = field(default_factory=dict)


def examine(bus: XsBus, profile: RobotProfile, clock: Clock) -> ArmFindings:
    """Look at an arm whose bus is open.

    Raises:
        RobotError: xs_sdk stops to answer.
    """
    found = ArmFindings(rate_hz=_rate(bus, clock))
    if found.rate_hz < SLOW_HZ:
        found.notes.append(
            f"joint states come at {found.rate_hz:.0f} Hz, not at about 100: set the latency timer "
            "of its USB adapter to 1 ms (udev rule of the vendor)"
        )
    arm, gripper = bus.info("group", ARM), bus.info("single", GRIPPER)
    found.mode, found.gripper_mode = f"{arm.mode}, {arm.profile_type}", gripper.mode
    if (arm.mode, arm.profile_type) != ("position", "time"):
        found.notes.append(
            f"the arm is in mode {found.mode}: the stack sets position, time once it lies in its "
            "sleep pose"
        )
    try:
        require_profile(profile, arm, gripper)
    except RoboRewardError as error:
        found.problems.append(str(error))
        return found
    motors = (*profile.driven_joints, GRIPPER)
    found.problems += problems(motors, ERROR, by_motor(bus, motors, ERROR))
    limp = [m for m, on in by_motor(bus, motors, TORQUE).items() if not on]
    if limp:
        found.notes.append(f"without torque: {', '.join(limp)}")
    found.temperatures = by_motor(bus, motors, TEMPERATURE)
    warm = [f"{m} {c} deg C" for m, c in found.temperatures.items() if c > WARM_C]
    if warm:
        found.notes.append(f"warm: {', '.join(warm)}; let it rest")
    found.volts = {m: v / 10.0 for m, v in by_motor(bus, motors, VOLTAGE).items() if v}
    low = [f"{m} {v:.1f} V" for m, v in found.volts.items() if v < LOW_V]
    if low:
        found.notes.append(f"low voltage: {', '.join(low)}; look at the power supply")
    return found


def _rate(bus: XsBus, clock: Clock) -> float:
    began_ns, seen_ns, count = clock.steady_ns(), -1, 0
    while clock.steady_ns() - began_ns < LISTEN_S * 1e9:
        sample = bus.wait_sample(seen_ns, LISTEN_S)
        if sample is None:
            break
        seen_ns, count = sample.steady_ns, count + 1
    return count / LISTEN_S


def main() -> int:
    name, namespace = sys.argv[1:3]
    dds.prepare()
    import rclpy

    from roboreward_ros.ros.xs_link import XsLink

    context = rclpy.Context()
    rclpy.init(context=context)
    clock = SystemClock()
    try:
        profile = load_profile(name)
        bus = XsLink(namespace, context, clock, Interrupt())
        try:
            bus.open(OPEN_S)
            found = examine(bus, profile, clock)
        finally:
            bus.close()
    except RoboRewardError as error:
        found = ArmFindings(problems=[str(error)])
    finally:
        rclpy.shutdown(context=context)
    sys.stdout.write(json.dumps(asdict(found)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
