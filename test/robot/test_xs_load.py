# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The driver over servos that move the twin: efforts are forces, too much is a fault."""

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import ConfigError, RobotError
from roboreward_ros.robot.drivers import XsDriver
from roboreward_ros.robot.duty import DutyLimits
from roboreward_ros.robot.faults import ArmState
from roboreward_ros.robot.interrupt import Interrupt
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.robot.safety import SafetyLimits
from roboreward_ros.robot.supervisor import ArmSupervisor
from roboreward_ros.robot.xs_arm import XsArm, XsArmConfig
from roboreward_ros.testing.conformance_robot import act
from roboreward_ros.testing.fake_xs_arm import FakeXsArm
from roboreward_ros.testing.fake_xs_bus import FakeXsBus
from roboreward_ros.testing.fake_xs_load import Block, TwinLoad

PROFILE = load_profile("wx250s").with_workspace("bridge")
LIMIT = PROFILE.effort_limit
BLOCK = Block(centre=(0.30, 0.0, 0.02), size=(0.03, 0.03, 0.04))


class Rig:
    """A supervised driver over loaded servos, in an episode; remembers the largest efforts."""

    def __init__(self, block=None, gripper_mode="pwm") -> None:
        self.clock = FakeClock()
        self.load = TwinLoad(PROFILE, PROFILE.sleep_q, PROFILE.finger_max, block)
        self.servos = FakeXsArm(PROFILE, gripper_mode, self.load)
        interrupt = Interrupt()
        self.bus = FakeXsBus(self.servos, self.clock, interrupt)
        config = XsArmConfig(gripper_mode=gripper_mode)
        self.driver = XsArm(self.bus, PROFILE, config, self.clock, interrupt)
        self.arm = ArmSupervisor(
            XsDriver(self.driver, self.clock, lambda _: None),
            PROFILE,
            SafetyLimits(max_state_age_s=0.25, jam_states=10),
            DutyLimits(),
            self.clock,
            interrupt,
            lambda _: None,
        )
        self.most = np.zeros(6)
        self.bus.on_tick = self._look
        self.arm.connect()
        self.arm.reset("", 0)
        self.arm.begin()

    def press(self, steps) -> None:
        """Straight down, 2 cm a step."""
        for _ in range(steps):
            self.arm.step(act(0.0, 0.0, -0.02))

    def _look(self) -> None:
        self.most = np.maximum(self.most, np.abs(self.servos.efforts()[:6]))


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_free_motion_at_full_size_is_no_fault_and_carries_the_arm_s_weight(rig):
    resting = rig.servos.efforts()[:6]
    # Upper arm and forearm lean forward: their servos pull back, and nothing turns waist or wrist.
    assert (resting[[1, 2]] < -200.0).all()
    assert np.abs(resting[[0, 3, 5]]).max() < 50.0
    for k in range(24):
        side = -1.0 if k // 3 % 2 else 1.0
        rig.arm.step(act(0.03 * side, -0.04 * side, 0.03 * side, 0.0, 0.0, 0.2 * side))
    assert rig.arm.status.state is ArmState.RUNNING


def test_pressing_on_the_table_raises_the_effort_until_the_guard_holds(rig):
    rig.press(6)
    assert 0.03 < rig.load.ee_height < 0.05
    assert (np.abs(rig.servos.efforts()[:6]) < 0.5 * LIMIT).all()  # nothing touched yet
    with pytest.raises(RobotError, match=r"effort -?\d+ for \d+ states, limit"):
        rig.press(5)
    assert (rig.most > LIMIT).any()
    assert rig.arm.status.state is ArmState.FAULT
    assert rig.servos.commands[-1].is_hold
    assert 0.01 < rig.load.ee_height < 0.03  # on the table, not in it
    rig.bus.pass_time(0.5)
    assert (np.abs(rig.servos.efforts()[:6]) < 0.5 * LIMIT).all()  # a hold takes the pressure away
    rig.arm.reset("", 0)
    assert rig.arm.status.state is ArmState.HOLDING


@pytest.mark.parametrize("block", [BLOCK, None], ids=["block", "nothing"])
def test_the_pwm_gripper_stalls_on_what_it_grasps_and_keeps_it_with_less_force(block):
    rig = Rig(block)
    for _ in range(7):
        rig.arm.step(act(0.0, 0.0, -0.018, gripper=1.0))
    for _ in range(10):
        rig.arm.step(act(gripper=0.0))
    hold = rig.driver.config.gripper.hold_pwm
    grip = rig.servos.efforts()[6]
    if block is None:
        assert rig.servos.finger == pytest.approx(PROFILE.finger_min, abs=1e-3)
        return
    assert rig.servos.finger == pytest.approx(0.013 + 0.015, abs=2e-3)  # pads on the block
    assert rig.servos.pwm == pytest.approx(-hold)
    assert grip == pytest.approx(-hold * 2300.0 / 885.0, rel=0.05)  # nothing moves: all is force
    for _ in range(5):
        rig.arm.step(act(0.0, 0.0, 0.02, gripper=0.0))
    assert rig.load.block_height > 0.08
    assert rig.arm.status.state is ArmState.RUNNING


def test_a_gripper_under_position_control_pushes_harder():
    firm = Rig(BLOCK, gripper_mode="linear_position")
    for _ in range(7):
        firm.arm.step(act(0.0, 0.0, -0.018, gripper=1.0))
    for _ in range(4):
        firm.arm.step(act(gripper=0.0))
    assert firm.servos.efforts()[6] < -2000.0
    assert firm.servos.finger == pytest.approx(0.028, abs=2e-3)


def test_a_limp_motor_takes_no_current(rig):
    assert abs(rig.servos.efforts()[1]) > 200.0
    rig.servos.overload("shoulder")
    rig.servos.advance()
    assert rig.servos.efforts()[1] == 0.0


def test_another_arm_than_the_twin_s_is_refused():
    other = load_profile("vx300s")
    with pytest.raises(ConfigError, match="wx250s"):
        TwinLoad(other, other.sleep_q, other.finger_max)
