# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The supervised arm over simulated servos: what each fault does, and how the arm comes back."""

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import ConfigError, RobotError, SafetyError
from roboreward_ros.robot.drivers import XsDriver
from roboreward_ros.robot.duty import DutyLimits
from roboreward_ros.robot.faults import MAX_RECOVERIES, ArmState
from roboreward_ros.robot.interrupt import Interrupt
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.robot.safety import SafetyLimits
from roboreward_ros.robot.supervisor import ArmSupervisor
from roboreward_ros.robot.xs_arm import XsArm, XsArmConfig
from roboreward_ros.testing.conformance_robot import act
from roboreward_ros.testing.fake_xs_arm import FakeXsArm
from roboreward_ros.testing.fake_xs_bus import FakeXsBus
from roboreward_ros.types import StepFlag

PROFILE = load_profile("wx250s")


class Rig:
    """A supervised driver, its servos, their clock and what was logged."""

    def __init__(self, profile=PROFILE, duty=None, **config) -> None:
        self.clock = FakeClock()
        self.servos = FakeXsArm(profile)
        self.interrupt = Interrupt()
        self.bus = FakeXsBus(self.servos, self.clock, self.interrupt)
        made = XsArmConfig(**config)
        self.driver = XsArm(self.bus, profile, made, self.clock, self.interrupt)
        self.lines: list[str] = []
        self.arm = ArmSupervisor(
            XsDriver(self.driver, self.clock, self.lines.append),
            profile,
            SafetyLimits(jam_states=10),
            duty or DutyLimits(),
            self.clock,
            self.interrupt,
            self.lines.append,
        )

    def start(self) -> "Rig":
        """Connected, reset, in an episode."""
        self.arm.connect()
        self.arm.reset("", 0)
        self.arm.begin()
        return self

    @property
    def state(self) -> ArmState:
        return self.arm.status.state

    def holds(self) -> bool:
        """Whether the last command was what was measured then."""
        last = self.servos.commands[-1]
        return bool(np.abs(last.command - last.measured).max() < 1e-6)

    def step_until_fault(self, steps: int = 60) -> RobotError:
        try:
            for k in range(steps):
                self.arm.step(act(0.02 if k % 2 else -0.02, 0.01))
        except RobotError as error:
            return error
        pytest.fail(f"no fault in {steps} steps")

    def later(self, delay_s: float, action) -> None:
        """Do something in the middle of a wait."""
        due = self.servos.time_s + delay_s

        def tick() -> None:
            if self.servos.time_s >= due:
                self.bus.on_tick = lambda: None
                action()

        self.bus.on_tick = tick


@pytest.fixture
def rig() -> Rig:
    return Rig().start()


def test_an_episode_runs_and_ends_with_a_hold(rig):
    before = rig.arm.state().ee_pose[0, 3]
    reports = [rig.arm.step(act(0.01)) for _ in range(5)]
    assert all(not report.flags & StepFlag.HOLD for report in reports)
    assert rig.arm.state().ee_pose[0, 3] - before == pytest.approx(0.05, abs=0.01)
    rig.arm.end()
    assert rig.state is ArmState.HOLDING
    assert rig.holds()
    with pytest.raises(RobotError, match="holding"):
        rig.arm.step(act())


def test_a_late_hold_lasts_a_period_and_reports_its_end(rig):
    rig.arm.step(act(0.05))
    began = rig.servos.time_s
    report = rig.arm.hold()
    assert rig.servos.time_s - began == pytest.approx(0.2, abs=0.02)
    assert report.flags & StepFlag.HOLD
    np.testing.assert_allclose(report.state.q, rig.servos.q, atol=0.01)


def test_a_jam_holds_within_the_period_and_the_next_reset_recovers(rig):
    rig.later(0.3, lambda: rig.servos.faults.jammed.add("elbow"))
    error = rig.step_until_fault()
    assert "elbow effort" in str(error)
    assert rig.state is ArmState.FAULT
    assert rig.holds()
    rig.servos.faults.jammed.clear()
    rig.arm.reset("", 0)
    assert rig.state is ArmState.HOLDING
    assert rig.arm.status.recoveries == 1
    rig.arm.begin()
    rig.arm.step(act())
    rig.arm.end()
    assert rig.arm.status.recoveries == 0


def test_an_overloaded_motor_is_rebooted_with_its_profile_restored_before_it_moves(rig):
    rig.later(0.3, lambda: rig.servos.overload("wrist_rotate"))
    error = rig.step_until_fault()
    assert "wrist_rotate" in str(error)
    falls, commands = rig.servos.falls, len(rig.servos.commands)
    rig.arm.reset("", 0)
    assert rig.state is ArmState.HOLDING
    assert rig.servos.falls == falls, "the recovery let the arm fall"
    for command in rig.servos.commands[commands:]:
        step = np.abs(command.command - command.measured).max()
        assert command.moving_time_s > 0 or step < 0.02, "a move at full speed"
    assert rig.servos.modes["gripper"][0] == "pwm"
    assert any("rebooting" in line for line in rig.lines)


def test_a_motor_that_stays_dead_asks_for_a_person_after_so_many_tries(rig):
    rig.later(0.3, lambda: rig.servos.faults.dead.add("elbow"))
    assert "6 of 7 motors" in str(rig.step_until_fault())
    for _ in range(MAX_RECOVERIES):
        with pytest.raises(RobotError, match="elbow"):
            rig.arm.reset("", 0)
        assert rig.state is ArmState.FAULT
    assert any("a person must look" in line for line in rig.lines)
    with pytest.raises(RobotError, match="clear the fault"):
        rig.arm.reset("", 0)
    rig.servos.faults.dead.clear()
    rig.arm.clear()
    rig.arm.reset("", 0)
    assert rig.state is ArmState.HOLDING


def test_an_overload_that_comes_back_stays_a_fault(rig):
    rig.servos.faults.overload_on_reboot.add("shoulder")
    rig.servos.overload("shoulder")
    rig.step_until_fault()
    with pytest.raises(RobotError, match="shoulder reports overload"):
        rig.arm.reset("", 0)
    assert rig.state is ArmState.FAULT
    assert rig.holds()


def test_joint_states_that_stop_are_stale_and_the_link_is_taken_up_again(rig):
    rig.later(0.1, lambda: setattr(rig.bus, "alive", False))
    assert "no new joint state" in str(rig.step_until_fault())
    rig.bus.pass_time(2.0)
    with pytest.raises(RobotError, match="stopped"):
        rig.arm.state()
    assert rig.state is ArmState.DISCONNECTED
    with pytest.raises(RobotError, match="does not run"):
        rig.arm.reset("", 0)
    rig.bus.alive = True
    rig.arm.reset("", 0)
    assert rig.state is ArmState.HOLDING


def test_frozen_joint_states_hold_at_once(rig):
    rig.later(0.1, lambda: setattr(rig.bus, "frozen", True))
    rig.step_until_fault()
    assert rig.state is ArmState.FAULT


def test_services_that_hang_are_a_fault_without_delaying_the_beat(rig):
    rig.bus.hangs = True
    began, commands = rig.servos.time_s, len(rig.servos.commands)
    assert "did not answer" in str(rig.step_until_fault())
    steps = len(rig.servos.commands) - commands - 1
    assert rig.servos.time_s - began <= 0.2 * steps + 0.05
    rig.bus.hangs = False
    rig.arm.reset("", 0)


def test_joints_that_read_nan_are_a_fault(rig):
    rig.later(0.3, lambda: setattr(rig.servos.faults, "nan", True))
    assert "nan" in str(rig.step_until_fault())
    assert np.isfinite(rig.servos.commands[-1].command).all()


def test_a_bad_action_holds_and_is_no_fault_of_the_arm(rig):
    rig.arm.step(act(0.03))
    with pytest.raises(SafetyError):
        rig.arm.step(np.full(7, np.nan))
    assert rig.holds()
    assert rig.state is ArmState.RUNNING
    rig.arm.step(act(0.01))


@pytest.mark.parametrize("when", ["reset", "step"])
def test_a_stop_ends_a_motion_at_once_and_latches(rig, when):
    rig.later(0.07 if when == "step" else 1.5, rig.arm.stop)
    began = rig.servos.time_s
    motion = (
        (lambda: rig.arm.reset("", 0)) if when == "reset" else (lambda: rig.arm.step(act(0.05)))
    )
    with pytest.raises(RobotError, match="stopped by a person"):
        motion()
    assert rig.servos.time_s - began < 1.7
    assert rig.holds()
    count = len(rig.servos.commands)
    with pytest.raises(RobotError, match="release it first"):
        rig.arm.reset("", 0)
    rig.bus.pass_time(1.0)
    rig.arm.state()
    assert len(rig.servos.commands) == count
    rig.arm.release()
    rig.arm.reset("", 0)
    assert rig.state is ArmState.HOLDING


def test_a_stop_while_idle_is_held_and_latched(rig):
    rig.arm.end()
    rig.arm.stop()
    rig.arm.state()
    assert rig.holds()
    rig.arm.begin()
    with pytest.raises(RobotError, match="release it first"):
        rig.arm.step(act())
    rig.arm.release()
    rig.arm.reset("", 0)


def test_the_end_of_the_process_interrupts_a_reset_and_a_hold_comes_last(rig):
    rig.later(1.2, lambda: rig.interrupt.set("stopping", final=True))
    with pytest.raises(RobotError, match="interrupted"):
        rig.arm.reset("", 0)
    rig.arm.hold()
    rig.arm.close()
    assert rig.holds()


def test_a_stop_during_a_recovery_leaves_the_fault(rig):
    rig.servos.overload("wrist_rotate")
    rig.step_until_fault()
    rig.later(1.0, rig.arm.stop)
    with pytest.raises(RobotError, match="stopped by a person"):
        rig.arm.reset("", 0)
    assert rig.state is ArmState.FAULT
    assert rig.holds()
    rig.arm.release()
    rig.arm.reset("", 0)
    assert rig.state is ArmState.HOLDING


def test_a_faulty_motor_at_start_is_no_reason_not_to_start():
    rig = Rig()
    rig.servos.overload("elbow")
    rig.arm.connect()
    assert rig.state is ArmState.FAULT
    rig.arm.reset("", 0)
    assert rig.state is ArmState.HOLDING


def test_another_arm_is_refused_with_every_difference():
    rig = Rig(load_profile("vx300s"))
    other = Rig(PROFILE)
    other.bus.arm = rig.servos
    with pytest.raises(ConfigError, match=r"shoulder lower limit.*finger range"):
        other.arm.connect()
    assert other.state is ArmState.DISCONNECTED


def test_a_hot_motor_is_a_fault(rig):
    rig.servos.registers["shoulder"]["Present_Temperature"] = 70
    assert "shoulder is at 70 deg C" in str(rig.step_until_fault())


def test_after_long_work_the_arm_lies_down_and_says_for_how_long():
    rig = Rig(duty=DutyLimits(work_s=20.0, rest_s=60.0)).start()
    for _ in range(100):
        rig.arm.step(act())
    with pytest.raises(RobotError, match="cool down"):
        rig.arm.reset("", 0)
    assert np.abs(rig.servos.q - PROFILE.sleep_q).max() < 0.06
    rig.bus.pass_time(61.0)
    rig.arm.reset("", 0)
    assert rig.state is ArmState.HOLDING


def test_an_arm_that_does_not_follow_is_found_without_efforts(rig, monkeypatch):
    monkeypatch.setattr(rig.servos, "efforts", lambda: np.full(9, np.nan))
    rig.servos.faults.jammed.update(rig.servos.joints)
    error = rig.step_until_fault()
    assert "did not follow" in str(error)
    assert rig.holds()
