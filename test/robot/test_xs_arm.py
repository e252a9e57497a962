# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The driver over simulated servos."""

import threading
from collections.abc import Callable

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.protocols import Robot
from roboreward_ros.robot.interrupt import Interrupt, MotionInterruptedError
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.robot.xs_arm import XsArm, XsArmConfig
from roboreward_ros.testing.conformance_robot import RobotConformance
from roboreward_ros.testing.fake_xs_arm import FakeXsArm
from roboreward_ros.testing.fake_xs_bus import FakeXsBus

PROFILE = load_profile("wx250s")


class Bench:
    """A driver, its servos and their clock."""

    def __init__(self, profile=PROFILE, gripper_mode="pwm", **config) -> None:
        self.clock = FakeClock()
        self.servos = FakeXsArm(profile, gripper_mode)
        self.interrupt = Interrupt()
        self.bus = FakeXsBus(self.servos, self.clock, self.interrupt)
        made = XsArmConfig(gripper_mode=gripper_mode, **config)
        self.arm = XsArm(self.bus, profile, made, self.clock, self.interrupt)

    def ready(self) -> "Bench":
        self.arm.connect()
        self.arm.reset("", 0)
        return self

    @property
    def last(self):
        return self.servos.commands[-1]


@pytest.fixture
def bench() -> Bench:
    return Bench().ready()


@pytest.mark.parametrize("gripper_mode", ["pwm", "linear_position"])
class TestConformance(RobotConformance):
    @pytest.fixture
    def make_robot(self, gripper_mode: str) -> Callable[[], Robot]:
        return lambda: Bench(gripper_mode=gripper_mode).arm


class _BlindHalfway:
    """Joints read NaN from the middle of a motion on; then the driver is asked to end it."""

    def __init__(self, bench: Bench, commands: int) -> None:
        self._bench, self._left = bench, commands + len(bench.servos.commands)

    def seen(self, state) -> None:
        if len(self._bench.servos.commands) > self._left:
            self._bench.servos.faults.nan = True
        if not np.isfinite(state.q).all():
            self._bench.interrupt.set("blind")

    def silent(self, age_s: float) -> None:
        """Samples always come here."""


def test_a_hold_that_cannot_measure_stays_where_the_motion_was(bench):
    bench.arm.travel(PROFILE.neutral_q, "the neutral pose")
    goal = PROFILE.neutral_q.copy()
    goal[0] += 1.2
    bench.arm.watch = _BlindHalfway(bench, 30)
    with pytest.raises(MotionInterruptedError):
        bench.arm.travel(goal, "the far side")
    streamed = bench.last.command
    assert abs(streamed[0] - PROFILE.neutral_q[0]) > 0.3
    bench.arm.hold()
    assert bench.last.command == pytest.approx(streamed)


class _SlowCarrier(FakeXsBus):
    """Its own thread's commands to the gripper linger on their way."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.lingers, self.go_on = threading.Event(), threading.Event()

    def write_single(self, name, command) -> None:
        if threading.current_thread().name == "carrier":
            self.lingers.set()
            assert self.go_on.wait(60.0)
        super().write_single(name, command)


def test_the_carrier_s_last_pwm_cannot_overtake_the_end(bench):
    slow = _SlowCarrier(bench.servos, bench.clock, bench.interrupt)
    arm = XsArm(slow, PROFILE, XsArmConfig(), bench.clock, bench.interrupt)
    arm.connect()
    arm.set_gripper(0.0)
    limit = arm.config.gripper.hold_pwm
    carrier = threading.Thread(target=lambda: slow.pass_time(0.01), name="carrier")
    carrier.start()
    assert slow.lingers.wait(60.0)
    closer = threading.Thread(target=arm.close)
    closer.start()
    closer.join(0.2)  # as far as it comes
    slow.go_on.set()
    carrier.join()
    closer.join()
    assert abs(bench.servos.pwm) <= limit < arm.config.gripper.max_pwm
