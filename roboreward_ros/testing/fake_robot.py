# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An arm without physics or transport: commanded joints are reached at once, faults on request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roboreward_ros.clock import Clock, FakeClock
from roboreward_ros.errors import RobotError, SafetyError
from roboreward_ros.robot.eef_control import ControlPlan, EefController
from roboreward_ros.robot.frames import proprio_from_pose
from roboreward_ros.robot.profile import RobotProfile, load_profile
from roboreward_ros.types import FloatArray, RobotState, StepReport


@dataclass(frozen=True, slots=True)
class FakeFaults:
    """What goes wrong at which step since reset (0 is the first); None for never.

    Attributes:
        raise_at: ``step`` raises RobotError once, after a hold.
        stall_from: joints no longer follow and efforts read twice their limits.
        nan_from: joints read NaN.
        freeze_from: states keep their stamp and values.
    """

    raise_at: int | None = None
    stall_from: int | None = None
    nan_from: int | None = None
    freeze_from: int | None = None


class FakeRobot:
    """Kinematic Robot.

    Args:
        profile: arm to imitate; the WX250S by default.
        control_hz: actions per second.
        clock: stamps states; each step takes one control period of it.
        faults: what goes wrong.
        sticky_gripper: see EefController.
    """

    def __init__(
        self,
        profile: RobotProfile | None = None,
        control_hz: float = 5.0,
        clock: Clock | None = None,
        faults: FakeFaults | None = None,
        *,
        sticky_gripper: int = 0,
    ) -> None:
        self.profile = profile or load_profile("wx250s")
        self.clock: Clock = clock or FakeClock()
        self.faults = faults or FakeFaults()
        self.steps = 0
        self._period_s = 1.0 / control_hz
        self._controller = EefController(self.profile, control_hz, sticky_gripper)
        self._kinematics = self._controller.kinematics
        self._q: FloatArray = self.profile.sleep_q.copy()
        self._dq = np.zeros(6)
        self._gripper = 1.0
        self._connected = False
        self._ready = False
        self._frozen: RobotState | None = None

    def connect(self) -> None:
        """Take the link up; the arm lies at its sleep pose."""
        self._connected = True

    def reset(self, task: str, seed: int) -> RobotState:  # noqa: ARG002 - an arm has no scene
        """Go to the start pose with the gripper open; faults count from here."""
        self._require(self._connected, "the arm is not connected", "Call connect() first.")
        self._q, self._gripper, self._dq = self.profile.start_q(), 1.0, np.zeros(6)
        self._controller.latch(self._q, self._gripper)
        self.steps, self._ready, self._frozen = 0, True, None
        return self.state()

    def step(self, action: FloatArray) -> StepReport:
        """Execute one action ``[7]``; the joints are where they were sent when it returns."""
        self._require(self._ready, "the arm has not been reset", "Call reset(task, seed) first.")
        asked = np.array(action, dtype=np.float64)
        measured = self.state()
        if self.faults.raise_at == self.steps:
            self._run(self._controller.hold(measured))
            raise RobotError("the fake link broke, as asked", got=f"step {self.steps - 1}")
        try:
            plan = self._controller.plan(asked, measured)
        except SafetyError:
            self._run(self._controller.hold(measured))
            raise
        return self._report(asked, plan)

    def hold(self) -> StepReport:
        """Command the measured joints again."""
        self._require(self._ready, "the arm has not been reset", "Call reset(task, seed) first.")
        plan = self._controller.hold(self.state())
        return self._report(plan.action_executed.copy(), plan)

    def state(self) -> RobotState:
        """The measured state."""
        self._require(self._connected, "the arm is not connected", "Call connect() first.")
        if self._frozen is not None:
            return self._frozen
        pose = self._kinematics.fk(self._q)
        stalled = self._since(self.faults.stall_from)
        broken = self._since(self.faults.nan_from)
        state = RobotState(
            stamp_ns=self.clock.now_ns(),
            q=np.full(6, np.nan) if broken else self._q.copy(),
            dq=self._dq.copy(),
            effort=self.profile.effort_limit * 2.0 if stalled else np.zeros(6),
            gripper=self._gripper,
            ee_pose=pose,
            proprio=proprio_from_pose(pose, self._gripper),
        )
        if self._since(self.faults.freeze_from):
            self._frozen = state
        return state

    def close(self) -> None:
        """Drop the link."""
        self._connected = self._ready = False

    def _since(self, step: int | None) -> bool:
        return step is not None and self._ready and self.steps >= step

    def _require(self, holds: bool, what: str, next_step: str) -> None:
        if not holds:
            raise RobotError(what, next_step=next_step)

    def _run(self, plan: ControlPlan) -> None:
        self.clock.sleep(self._period_s)
        before = self._q
        if not self._since(self.faults.stall_from):
            self._q, self._gripper = plan.q_command.copy(), plan.gripper_command
        self._dq = (self._q - before) / self._period_s
        self.steps += 1

    def _report(self, asked: FloatArray, plan: ControlPlan) -> StepReport:
        self._run(plan)
        return plan.report(asked, self.state())
