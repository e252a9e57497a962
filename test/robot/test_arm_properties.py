# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever is asked of a supervised arm, and whatever breaks meanwhile: no command passes a limit,
and while the link lives a hold comes last."""

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from test_arm_supervisor import PROFILE, Rig

from roboreward_ros.errors import RobotError
from roboreward_ros.robot.faults import MAX_RECOVERIES, ArmState

HZ = 5.0
CAP = PROFILE.velocity_limit / HZ
JOINTS = st.sampled_from(PROFILE.joint_names)
MOTORS = st.sampled_from([*PROFILE.joint_names, "gripper"])
NUMBER = st.one_of(
    st.floats(-0.06, 0.06), st.floats(-5.0, 5.0), st.sampled_from([np.nan, np.inf, -np.inf, 1e300])
)
DELAY = st.floats(0.0, 3.0)


class SupervisedArm(RuleBasedStateMachine):
    """Calls as session, people and shutdown make them; faults at any moment of a motion."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(travel_speed=3.0)
        self.checked = 0
        self.broke = False

    @initialize()
    def connect(self) -> None:
        self.rig.arm.connect()

    def attempt(self, motion) -> None:
        """Do it; an error must leave a hold as the last command while the link lives."""
        rig = self.rig
        before = len(rig.servos.commands)
        try:
            motion()
        except RobotError:
            linked = rig.bus.alive and rig.bus.opened
            if linked and len(rig.servos.commands) > before:
                last = rig.servos.commands[-1]
                readable = np.isfinite(last.measured).all() and not rig.servos.faults.nan
                inside = np.clip(last.measured, PROFILE.q_min, PROFILE.q_max)
                assert not readable or np.abs(last.command - inside).max() < 0.05, "no hold"

    @rule(seed=st.integers(0, 3))
    def reset(self, seed: int) -> None:
        self.attempt(lambda: self.rig.arm.reset("", seed))
        self.rig.arm.begin()

    @rule(numbers=st.lists(NUMBER, min_size=7, max_size=7), count=st.integers(1, 12))
    def step(self, numbers: list[float], count: int) -> None:
        action = np.array(numbers)
        for _ in range(count):
            self.attempt(lambda: self.rig.arm.step(action))

    @rule()
    def hold(self) -> None:
        self.attempt(self.rig.arm.hold)

    @rule()
    def look(self) -> None:
        self.attempt(self.rig.arm.state)

    @rule()
    def end(self) -> None:
        self.rig.arm.end()

    @rule(delay=DELAY)
    def stop_soon(self, delay: float) -> None:
        self.rig.later(delay, self.rig.arm.stop)

    @rule()
    def stop(self) -> None:
        self.rig.arm.stop()

    @rule()
    def release(self) -> None:
        self.rig.arm.release()

    @rule()
    def clear(self) -> None:
        self.rig.arm.clear()

    @rule(duration=st.floats(0.01, 2.0))
    def time_passes(self, duration: float) -> None:
        self.rig.bus.pass_time(duration)

    @rule(motor=MOTORS, delay=DELAY)
    def overload(self, motor: str, delay: float) -> None:
        self.rig.later(delay, lambda: self.rig.servos.overload(motor))

    @rule(joint=JOINTS, delay=DELAY)
    def jam(self, joint: str, delay: float) -> None:
        self.rig.later(delay, lambda: self.rig.servos.faults.jammed.add(joint))

    @rule(motor=MOTORS, delay=DELAY)
    def die(self, motor: str, delay: float) -> None:
        self.rig.later(delay, lambda: self.rig.servos.faults.dead.add(motor))

    @rule(delay=DELAY, name=st.sampled_from(["frozen", "hangs"]))
    def bus_fails(self, delay: float, name: str) -> None:
        self.rig.later(delay, lambda: setattr(self.rig.bus, name, True))

    @rule(delay=DELAY)
    def sdk_dies(self, delay: float) -> None:
        self.rig.later(delay, lambda: setattr(self.rig.bus, "alive", False))

    @rule(delay=DELAY)
    def nonsense(self, delay: float) -> None:
        self.rig.later(delay, lambda: setattr(self.rig.servos.faults, "nan", True))

    @rule()
    def all_is_repaired(self) -> None:
        bus, faults = self.rig.bus, self.rig.servos.faults
        bus.alive, bus.frozen, bus.hangs = True, False, False
        faults.jammed.clear()
        faults.dead.clear()
        faults.nan = False

    @precondition(lambda self: self.rig.state is ArmState.DISCONNECTED)
    @rule()
    def reconnect(self) -> None:
        self.attempt(lambda: self.rig.arm.reset("", 0))

    @invariant()
    def no_command_passes_a_limit(self) -> None:
        commands = self.rig.servos.commands
        for command in commands[self.checked :]:
            assert np.isfinite(command.command).all()
            assert (command.command >= PROFILE.q_min - 1e-6).all()
            assert (command.command <= PROFILE.q_max + 1e-6).all()
            if np.isfinite(command.measured).all():
                # From where the arm is, or from where it was sent: one period's way at most.
                way = np.minimum(
                    np.abs(command.command - command.measured),
                    np.abs(command.command - command.last),
                )
                assert (way <= CAP + 0.02).all(), way
                still = np.abs(command.command - command.measured).max() < 0.05
                assert command.moving_time_s > 0.0 or still, "a motion at full speed"
        self.checked = len(commands)

    @invariant()
    def the_machine_keeps_its_promises(self) -> None:
        status = self.rig.arm.status
        assert status.recoveries <= MAX_RECOVERIES
        assert not (status.stopped and status.state is ArmState.RECOVERING)

    def teardown(self) -> None:
        """The process ends: whatever the state, the last command over a living link is a hold."""
        rig = self.rig
        rig.interrupt.set("the end", final=True)
        linked = rig.bus.alive and rig.bus.opened and not rig.bus.frozen
        before = len(rig.servos.commands)
        try:
            rig.arm.hold()
        except RobotError:
            assert rig.state in (ArmState.DISCONNECTED, ArmState.FAULT, ArmState.RUNNING)
        rig.arm.close()
        if linked and not rig.servos.faults.nan and rig.arm.status.linked:
            assert len(rig.servos.commands) > before
        if len(rig.servos.commands) > before and not rig.bus.frozen:
            last = rig.servos.commands[-1]
            if np.isfinite(last.measured).all() and not rig.servos.faults.nan:
                inside = np.clip(last.measured, PROFILE.q_min, PROFILE.q_max)
                assert np.abs(last.command - inside).max() < 0.05


TestSupervisedArm = SupervisedArm.TestCase
TestSupervisedArm.settings = settings(
    max_examples=20,
    stateful_step_count=20,
    suppress_health_check=list(HealthCheck),
)
