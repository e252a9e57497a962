# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Blocking mode: a step ends once the arm is there, after a bounded wait, or by a stop."""

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import ConfigError
from roboreward_ros.robot.interrupt import Interrupt, MotionInterruptedError
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.robot.xs_arm import XsArm, XsArmConfig
from roboreward_ros.testing.fake_xs_arm import FakeXsArm
from roboreward_ros.testing.fake_xs_bus import FakeXsBus

PROFILE = load_profile("wx250s")
HZ = 5.0
PERIOD_S = 1.0 / HZ
ASIDE = np.array([0.0, 0.05, 0.0, 0.0, 0.0, 0.25, 1.0])  # the largest step of BridgeData


class Blocking:
    """A driver that is ready, its servos and their clock."""

    def __init__(self, blocking_s: float) -> None:
        self.clock = FakeClock()
        self.servos = FakeXsArm(PROFILE)
        self.interrupt = Interrupt()
        bus = FakeXsBus(self.servos, self.clock, self.interrupt)
        config = XsArmConfig(control_hz=HZ, blocking_s=blocking_s, settle_rad=0.01)
        self.arm = XsArm(bus, PROFILE, config, self.clock, self.interrupt)
        self.arm.connect()
        self.arm.reset("", 0)

    def step(self) -> tuple[float, float]:
        """How long a step took, s, and how far from its command it ended, rad."""
        began_ns = self.clock.steady_ns()
        report = self.arm.step(ASIDE)
        off = float(np.abs(report.state.q - report.q_command).max())
        return (self.clock.steady_ns() - began_ns) * 1e-9, off


def test_a_step_that_does_not_block_ends_with_its_period_on_the_way():
    took_s, off = Blocking(0.0).step()
    assert took_s == pytest.approx(PERIOD_S, abs=0.02)
    assert off > 0.02


def test_a_blocking_step_ends_as_soon_as_the_arm_is_there_and_still():
    bench = Blocking(2.0)
    took_s, off = bench.step()
    assert off <= 0.01
    assert PERIOD_S < took_s < 2.0 * PERIOD_S  # not the whole of what it might have waited
    assert np.abs(bench.arm.state().dq).max() <= bench.arm.config.settle_speed


def test_the_next_blocking_step_starts_where_the_last_one_led():
    bench = Blocking(2.0)
    before = bench.arm.state().ee_pose[1, 3]
    for _ in range(3):
        bench.step()
    # The way of three steps as asked: none was cut short by the next.
    assert bench.arm.state().ee_pose[1, 3] - before == pytest.approx(0.15, abs=0.01)


def test_an_arm_that_does_not_come_there_is_waited_for_no_longer_than_allowed():
    bench = Blocking(0.5)
    bench.servos.faults.jammed = set(PROFILE.joint_names)
    took_s, off = bench.step()
    assert PERIOD_S + 0.5 <= took_s <= PERIOD_S + 0.7
    assert off > 0.02


class _StopAfter:
    """Asks for a stop once the period is over."""

    def __init__(self, bench: Blocking) -> None:
        self._bench = bench
        self._end_ns = bench.clock.steady_ns() + round(1.5 * PERIOD_S * 1e9)

    def seen(self, state) -> None:
        if self._bench.clock.steady_ns() > self._end_ns:
            self._bench.interrupt.set("stop")

    def silent(self, age_s: float) -> None:
        """Samples always come here."""


def test_a_stop_ends_a_blocking_step_at_once():
    bench = Blocking(5.0)
    bench.servos.faults.jammed = set(PROFILE.joint_names)
    bench.arm.watch = _StopAfter(bench)
    began_ns = bench.clock.steady_ns()
    with pytest.raises(MotionInterruptedError):
        bench.arm.step(ASIDE)
    assert (bench.clock.steady_ns() - began_ns) * 1e-9 < 2.0 * PERIOD_S + 0.1


@pytest.mark.parametrize("blocking_s", [-0.1, 5.1, float("nan")])
def test_a_wait_out_of_range_is_refused(blocking_s):
    with pytest.raises(ConfigError, match="blocking_s"):
        XsArmConfig(blocking_s=blocking_s)
