# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Driver of an X-series arm: BridgeData actions in, position commands on the bus out.

Long motions are streamed as many small commands, so that a hold, a stop or the death of this
process ends them within one profile time; the arm is never sent on a journey of seconds. Every
joint sample that arrives while the driver waits goes to the watch, which may raise.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError, RobotError, SafetyError
from roboreward_ros.robot.eef_control import ControlPlan, EefController
from roboreward_ros.robot.following import FollowingWatch
from roboreward_ros.robot.frames import proprio_from_pose
from roboreward_ros.robot.interrupt import Interrupt
from roboreward_ros.robot.profile import RobotProfile
from roboreward_ros.robot.safety import ArmFaultError, Fault, FaultKind
from roboreward_ros.robot.xs_bus import ARM, FINGER, GRIPPER, JointSample, XsBus
from roboreward_ros.robot.xs_gripper import GripperConfig, GripperServo
from roboreward_ros.robot.xs_health import HealthPoll
from roboreward_ros.robot.xs_setup import MotorSettings, MotorSetup
from roboreward_ros.types import FloatArray, RobotState, StepReport

SLICE_S = 0.05
STREAM_S = 0.05
ALIVE_NS = 1_000_000_000
LIFT_BELOW_M, LIFT_M = 0.12, 0.06


class StateWatch(Protocol):
    """Judges what is measured while the driver waits; raises ArmFaultError."""

    def seen(self, state: RobotState) -> None:
        """A new sample."""

    def silent(self, age_s: float) -> None:
        """No sample for that long."""


class NoWatch:
    """Judges nothing."""

    def seen(self, state: RobotState) -> None: ...

    def silent(self, age_s: float) -> None: ...


@dataclass(frozen=True, slots=True)
class XsArmConfig:
    """How the arm moves.

    Attributes:
        control_hz: actions per second.
        moving_time_factor: profile time of a step's command, in control periods.
        travel_speed: fastest joint while resetting, rad/s.
        settle_s: after a journey, longest wait until the joints are there and still.
        settle_rad, settle_speed: what counts as there (rad) and still (rad/s).
        blocking_s: a step waits up to this long, beyond its period, until its command is reached;
            0: the next step comes at its time (BridgeData's non-blocking control).
        sticky_gripper: see EefController.
        gripper_mode: ``pwm`` (the vendor's default) or ``linear_position``.
        gripper: forces of the PWM gripper.
        connect_s: longest wait for xs_sdk, s.
        poll_s: between questions to the motors about errors, torque and temperature; 0: none.
        max_temperature_c: hotter motors are a fault.
    """

    control_hz: float = 5.0
    moving_time_factor: float = 1.25
    travel_speed: float = 0.8
    settle_s: float = 4.0
    settle_rad: float = 0.05
    settle_speed: float = 0.1
    blocking_s: float = 0.0
    sticky_gripper: int = 0
    gripper_mode: str = "pwm"
    gripper: GripperConfig = field(default_factory=GripperConfig)
    connect_s: float = 10.0
    poll_s: float = 0.5
    max_temperature_c: int = 65

    def __post_init__(self) -> None:
        if not 0.05 <= self.travel_speed <= math.pi:
            raise ConfigError(
                "travel_speed out of range", got=self.travel_speed, allowed="0.05..3.14 rad/s"
            )
        if not 1.0 <= self.moving_time_factor <= 5.0:
            raise ConfigError(
                "moving_time_factor out of range", got=self.moving_time_factor, allowed="1..5"
            )
        if not 0.0 <= self.blocking_s <= 5.0:
            raise ConfigError("blocking_s out of range", got=self.blocking_s, allowed="0..5")
        if not 40 <= self.max_temperature_c <= 75:
            raise ConfigError(
                "max_temperature_c out of range", got=self.max_temperature_c, allowed="40..75"
            )
        self.motors()

    def motors(self) -> MotorSettings:
        """Settings of the motors."""
        moving_ms = round(1000.0 * self.moving_time_factor / self.control_hz)
        return MotorSettings(moving_ms, min(100, moving_ms // 2), self.gripper_mode)


class XsArm:
    """See the module's text. One thread uses it.

    Args:
        bus: link to xs_sdk; not open yet.
        profile: the arm.
        config: see ``XsArmConfig``.
        clock: times the waits.
        interrupt: ends them.
        period_end_ns: steady time at which the present control period ends; None outside of one:
            a step then lasts a whole period.
    """

    def __init__(
        self,
        bus: XsBus,
        profile: RobotProfile,
        config: XsArmConfig,
        clock: Clock,
        interrupt: Interrupt,
        period_end_ns: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.bus = bus
        self.profile = profile
        self.config = config
        self.watch: StateWatch = NoWatch()
        self.setup = MotorSetup(bus, profile, config.motors())
        self.health = HealthPoll(
            bus, self.setup.motors, clock, config.poll_s, config.max_temperature_c
        )
        self._clock = clock
        self._interrupt = interrupt
        self._period_end_ns = period_end_ns
        self._controller = EefController(profile, config.control_hz, config.sticky_gripper)
        self._kinematics = self._controller.kinematics
        self._following = FollowingWatch(profile.joint_names)
        self._gripper = GripperServo(config.gripper)
        self._gripping = threading.Lock()  # its PWM comes from the carrier's thread, its end here
        self._start_q = profile.start_q()
        self._driven = [profile.joint_names.index(joint) for joint in profile.driven_joints]
        self._names: tuple[str, ...] = ()
        self._places: list[int] = []
        self._finger = 0
        self._seen_ns = 0
        self._latched = self._ready = False

    # The link.

    @property
    def alive(self) -> bool:
        """Whether joint states still come."""
        sample = self.bus.sample()
        return sample is not None and self._clock.steady_ns() - sample.steady_ns < ALIVE_NS

    def open(self) -> None:
        """Wait for xs_sdk; nothing is commanded."""
        self._latched = self._ready = False
        self._places = []
        self.bus.open(self.config.connect_s)
        self.bus.listen(self._drive_gripper)
        self.health.restart()

    def check(self) -> None:
        """See MotorSetup.check; raises its errors."""
        self.setup.check(self.state().q)

    def connect(self) -> None:
        """Open the link, hold, check and set up the motors."""
        self.open()
        self.hold()
        self.check()

    def close(self) -> None:
        """Hold, leave the gripper as it is, then drop the link; idempotent."""
        with self._gripping:
            if self.bus.sample() is not None and self._gripper.target is not None:
                left = self._gripper.release()
                if self.config.gripper_mode == "pwm":
                    self.bus.write_single(GRIPPER, left)
        if self._latched:
            self.hold()
        self._latched = self._ready = False
        self.bus.close()

    # Motions.

    def reset(self, task: str, seed: int) -> RobotState:  # noqa: ARG002 - an arm has no scene
        """Open the gripper, lift, then by way of the neutral pose to the start pose."""
        self.relatch()
        self.set_gripper(1.0)
        self.pause(0.5)
        self._lift()
        self.travel(self.profile.neutral_q, "the neutral pose")
        self.travel(self._start_q, "the start pose")
        self.relatch()
        self._following.restart()
        self._ready = True
        return self.state()

    def step(self, action: FloatArray) -> StepReport:
        """Execute one action ``[7]``; returns at the end of the period with what was reached."""
        if not self._ready:
            raise RobotError(
                "the arm has not been reset", next_step="Call reset(task, seed) first."
            )
        asked = np.array(action, dtype=np.float64)
        before = self.state()
        if not np.isfinite(before.q).all():
            raise ArmFaultError(Fault(FaultKind.NOT_FINITE, f"joints read {before.q}"))
        try:
            plan = self._controller.plan(asked, before)
        except SafetyError:
            self.hold()
            raise
        self._send(plan)
        self.wait_period()
        self._wait_reached(plan.q_command)
        report = self._report(asked, plan)
        self._following.step(before, plan.q_command, report.state)
        return report

    def hold(self) -> StepReport:
        """Command the measured joints, at once; needs no reset, only the link."""
        if not self._latched:
            self.relatch()
        state = self.state()
        plan = self._controller.hold(state)
        self.bus.write_group(ARM, plan.q_command[self._driven])
        return self._report(np.append(np.zeros(6), plan.gripper_command), plan)

    def travel(self, goal: FloatArray, where: str) -> None:
        """Stream a smooth joint motion to ``goal [6]`` and wait until the joints are there.

        Raises:
            RobotError: they did not come there; names the joint that is farthest off.
        """
        start = self.relatch()
        cap = min(self.config.travel_speed, float(self.profile.velocity_limit.min()))
        # A minimum-jerk motion is at most 15/8 as fast as its mean.
        duration_s = max(1.875 * float(np.abs(goal - start).max()) / cap, STREAM_S)
        steps = math.ceil(duration_s / STREAM_S)
        for k in range(1, steps + 1):
            s = k / steps
            share = s**3 * (10.0 + s * (6.0 * s - 15.0))
            q = start + share * (goal - start)
            self.bus.write_group(ARM, q[self._driven])
            self._controller.latch(q, math.nan)  # where a hold stays that cannot measure
            self.pause(STREAM_S)
        end_ns = self._clock.steady_ns() + round(self.config.settle_s * 1e9)
        while not self._there(goal):
            if self._clock.steady_ns() > end_ns:
                off = np.abs(self.state().q - goal)
                worst = int(np.argmax(off))
                raise ArmFaultError(
                    Fault(
                        FaultKind.JAM,
                        f"{self.profile.joint_names[worst]} is {off[worst]:.2f} rad away from "
                        f"{where}, {self.config.settle_s:g} s after it should be there",
                    ),
                    next_step="Look for an obstacle, and for motors without torque.",
                )
            self.pause(SLICE_S)
        self.relatch()

    def relatch(self) -> FloatArray:
        """Take the measured joints as last command; returns them, inside the limits ``[6]``."""
        state = self.state()
        self._controller.latch(state.q, state.gripper)
        self._latched = True
        q: FloatArray = np.clip(state.q, self.profile.q_min, self.profile.q_max)
        return q

    def set_gripper(self, opening: float) -> None:
        """Normalised opening to reach and keep."""
        finger = self.profile.finger_from_gripper(opening)
        with self._gripping:
            if self.config.gripper_mode == "linear_position" and finger != self._gripper.target:
                self.bus.write_single(GRIPPER, 2.0 * finger)
            self._gripper.target = finger

    # Measuring and waiting.

    def state(self) -> RobotState:
        """The newest sample as a state; raises RobotError while there is none."""
        sample = self.bus.sample()
        if sample is None:
            raise RobotError("the arm is not connected", next_step="Call connect() first.")
        return self._state_of(sample)

    def wait_period(self) -> None:
        """Watch until the control period ends."""
        end_ns = self._period_end_ns()
        if end_ns is None:
            end_ns = self._clock.steady_ns() + round(1e9 / self.config.control_hz)
        self._watch_until(end_ns)

    def pause(self, duration_s: float) -> None:
        """Watch for so long."""
        self._watch_until(self._clock.steady_ns() + round(duration_s * 1e9))

    def look(self) -> None:
        """Watch without waiting: between episodes."""
        self._watch_until(self._clock.steady_ns() + 1)

    def _watch_until(self, end_ns: int) -> None:
        while (left_ns := end_ns - self._clock.steady_ns()) > 0:
            self._interrupt.check()
            self.health.poll()
            sample = self.bus.wait_sample(self._seen_ns, min(left_ns * 1e-9, SLICE_S))
            if sample is not None:
                self._seen_ns = sample.steady_ns
                self.watch.seen(self._state_of(sample))
            else:
                self.watch.silent((self._clock.steady_ns() - self._seen_ns) * 1e-9)

    def _wait_reached(self, goal: FloatArray) -> None:
        if not self.config.blocking_s:
            return
        end_ns = self._clock.steady_ns() + round(self.config.blocking_s * 1e9)
        while not self._there(goal) and self._clock.steady_ns() < end_ns:
            self.pause(SLICE_S)

    def _there(self, goal: FloatArray) -> bool:
        state, config = self.state(), self.config
        off = float(np.abs(state.q - goal).max())
        still = not bool((np.abs(state.dq) > config.settle_speed).any())  # NaN: not measured
        return off <= config.settle_rad and still

    def _lift(self) -> None:
        """Straight up first where the gripper is low: it may be among things."""
        q = self.relatch()
        pose = self._kinematics.fk(q)
        if pose[2, 3] >= LIFT_BELOW_M:
            return
        pose[2, 3] += LIFT_M
        found = self._kinematics.ik(pose, q)
        if found.position_error_m < 0.02 and float(np.abs(found.q - q).max()) < 1.0:
            self.travel(found.q, "the pose above its last one")

    def _send(self, plan: ControlPlan) -> None:
        self.bus.write_group(ARM, plan.q_command[self._driven])
        self.set_gripper(plan.gripper_command)

    def _drive_gripper(self, sample: JointSample) -> None:
        """On the carrier's thread, with every sample."""
        if self.config.gripper_mode != "pwm" or FINGER not in sample.names:
            return
        finger = float(sample.position[sample.names.index(FINGER)])
        with self._gripping:
            pwm = self._gripper.update(finger, sample.steady_ns)
            if pwm is not None:
                self.bus.write_single(GRIPPER, pwm)

    def _state_of(self, sample: JointSample) -> RobotState:
        if sample.names != self._names or not self._places:
            self._places = sample.indices(self.profile.driven_joints)
            self._finger = sample.indices((FINGER,))[0]
            self._names = sample.names
        q, dq, effort = np.zeros(6), np.zeros(6), np.zeros(6)
        q[self._driven] = sample.position[self._places]
        dq[self._driven] = sample.velocity[self._places]
        effort[self._driven] = sample.effort[self._places]
        pose = self._kinematics.fk(q)
        opening = self.profile.gripper_from_finger(float(sample.position[self._finger]))
        return RobotState(
            stamp_ns=sample.stamp_ns,
            q=q,
            dq=dq,
            effort=effort,
            gripper=opening,
            ee_pose=pose,
            proprio=proprio_from_pose(pose, opening),
            temperature=self._temperature(),
        )

    def _temperature(self) -> FloatArray:
        """Newest of joints and gripper ``[7]``, deg C; NaN where there is no motor or no answer."""
        told = self.health.temperatures
        motors = (*self.profile.joint_names, GRIPPER)
        return np.array([told.get(motor, math.nan) for motor in motors], dtype=np.float64)

    def _report(self, asked: FloatArray, plan: ControlPlan) -> StepReport:
        return plan.report(asked, self.state())
