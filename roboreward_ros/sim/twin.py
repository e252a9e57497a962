# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The WX250S twin: BridgeData actions in, measured states, pictures and ground truth out.

Everything is a function of (task, seed, actions): the same calls give bit-equal states and
pictures in any process of one machine. The module loads MuJoCo when a Twin resets, and OpenGL
when it first renders.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError, RobotError, SafetyError, SimulationError
from roboreward_ros.robot.eef_control import ControlPlan, EefController
from roboreward_ros.robot.frames import proprio_from_pose
from roboreward_ros.robot.profile import RobotProfile, load_profile
from roboreward_ros.sim import gl as opengl
from roboreward_ros.sim.tasks import TASKS, TaskSpec, find_task
from roboreward_ros.types import FloatArray, GroundTruth, ImageU8, RobotState, StepReport

if TYPE_CHECKING:
    from roboreward_ros.sim.engine import TaskEngine

# Gripper down at x .25, z .17: the planar solution of the link lengths, waist turned by the layout.
START_Q = (0.0, -0.1856549, 0.3340480, 0.0, 1.4224033, 0.0)


@dataclass(frozen=True, slots=True)
class TwinConfig:
    """How the twin runs.

    Attributes:
        control_hz: actions per second.
        profile: robot profile with limits, workspace box and per-step bounds.
        gl: OpenGL backend, auto | egl | osmesa.
        ramp: share of a control period over which the set-points move.
        start_jitter: scale of the seeded variation of the start pose; 1 is about 1 cm.
        camera_jitter: metres (standard deviation) that the camera is moved by, per seed.
        light_jitter: relative variation of the lights, per seed.
    """

    control_hz: float = 5.0
    profile: str = "wx250s"
    gl: str = "auto"
    ramp: float = 0.75
    start_jitter: float = 1.0
    camera_jitter: float = 0.0
    light_jitter: float = 0.0

    def __post_init__(self) -> None:
        if not 1.0 <= self.control_hz <= 50.0:
            raise ConfigError("control_hz out of range", got=self.control_hz, allowed="1..50")
        if not 0.0 < self.ramp <= 1.0:
            raise ConfigError("ramp out of range", got=self.ramp, allowed="above 0, at most 1")
        if self.gl not in ("auto", *opengl.BACKENDS):
            raise ConfigError(
                "unknown OpenGL backend", got=self.gl, allowed=("auto", *opengl.BACKENDS)
            )
        for name in ("start_jitter", "camera_jitter", "light_jitter"):
            if not 0.0 <= getattr(self, name) <= 2.0:
                raise ConfigError(f"{name} out of range", got=getattr(self, name), allowed="0..2")


class Twin:
    """One simulated arm with one task's scene at a time. One thread uses it.

    Args:
        config: see ``TwinConfig``.
        clock: stamps states; None stamps with simulated time, so that runs are bit-equal.
    """

    def __init__(self, config: TwinConfig | None = None, clock: Clock | None = None) -> None:
        self.config = config or TwinConfig()
        self.profile: RobotProfile = load_profile(self.config.profile)
        self._clock = clock
        self._controller = EefController(self.profile, self.config.control_hz)
        self._engines: dict[str, TaskEngine] = {}
        self._engine: TaskEngine | None = None
        self._task = TASKS[0]
        self._steps = 0
        self._stage = 0
        self._stamp_ns = 0

    @property
    def tasks(self) -> tuple[TaskSpec, ...]:
        """What ``reset`` accepts, by sentence or key."""
        return TASKS

    @property
    def task(self) -> TaskSpec:
        """The present task."""
        return self._task

    def reset(self, task: str, seed: int) -> RobotState:
        """Lay out ``task`` from ``seed`` with the arm at its start pose, gripper open.

        Raises:
            ConfigError: unknown task, or a negative seed.
        """
        spec = find_task(task)
        if seed < 0:
            raise ConfigError("negative seed", got=seed, allowed="0 or more")
        rng = np.random.default_rng((seed, zlib.crc32(spec.key.encode())))
        engine = self._engines.get(spec.key) or self._build(spec)
        self._engines[spec.key] = engine
        self._engine, self._task, self._steps, self._stage = engine, spec, 0, 0
        q = self._start_joints(rng)
        engine.reset(rng, q, 1.0)
        engine.vary_view(rng, self.config.camera_jitter, self.config.light_jitter)
        self._controller.latch(q, 1.0)
        self._stamp()
        return self.state()

    def step(self, action: FloatArray) -> StepReport:
        """Execute one action ``[7]`` for one control period.

        Raises:
            SafetyError: not finite or the wrong shape; the arm holds.
            SimulationError: the physics diverged.
        """
        measured = self.state()
        try:
            plan = self._controller.plan(np.asarray(action, dtype=np.float64), measured)
        except SafetyError:
            self._run(self._controller.hold(measured))
            raise
        return self._report(np.asarray(action, dtype=np.float64).copy(), plan)

    def hold(self) -> StepReport:
        """Command the measured joints for one control period; the gripper keeps its width."""
        plan = self._controller.hold(self.state())
        return self._report(plan.action_executed.copy(), plan)

    def state(self) -> RobotState:
        """Measured state now."""
        engine = self._running()
        pose = engine.ee_pose
        gripper = engine.gripper
        return RobotState(
            stamp_ns=self._stamp_ns,
            q=engine.q,
            dq=engine.dq,
            effort=np.full(6, np.nan),
            gripper=gripper,
            ee_pose=pose,
            proprio=proprio_from_pose(pose, gripper),
        )

    def render(self, width: int = 256, height: int = 256) -> ImageU8:
        """Third-person picture ``[height, width, 3]`` uint8 RGB, squashed from 4:3.

        Raises:
            SimulationError: no OpenGL backend works.
        """
        return self._running().draw(width, height)

    def truth(self) -> GroundTruth:
        """Progress, success and rubric score of the present state; the furthest stage so far."""
        scene = self._running().scene
        judged = scene.assess()
        return GroundTruth(judged.progress, judged.success, judged.score, scene.stages[self._stage])

    def object_state(self) -> dict[str, FloatArray]:
        """Poses ``[4, 4]`` of the task's objects in the base frame; for demonstrators only."""
        return self._running().scene.objects()

    def close(self) -> None:
        """Free OpenGL contexts; idempotent."""
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()
        self._engine = None

    def _build(self, spec: TaskSpec) -> TaskEngine:
        # The backend is a property of the process: choose it before MuJoCo chooses for itself.
        # Physics must run without one, so a missing library is reported by the first picture.
        try:
            opengl.prepare(self.config.gl)
        except SimulationError:
            opengl.disable()
        from roboreward_ros.sim.engine import TaskEngine

        return TaskEngine(spec, self.config.gl)

    def _start_joints(self, rng: np.random.Generator) -> FloatArray:
        waist, shoulder, elbow = rng.uniform(-1.0, 1.0, 3) * (0.05, 0.03, 0.03)
        q = np.array(START_Q)
        scale = self.config.start_jitter
        q[:3] += scale * np.array((waist, shoulder, elbow))
        q[4] -= scale * (shoulder + elbow)  # keeps the gripper pointing down
        return q

    def _run(self, plan: ControlPlan) -> None:
        period = 1.0 / self.config.control_hz
        self._running().advance(
            plan.q_command, plan.gripper_command, period, period * self.config.ramp
        )
        self._steps += 1
        self._stage = max(self._stage, self._running().scene.assess().stage)
        self._stamp()

    def _stamp(self) -> None:
        # One stamp a control period: pictures and states of the same instant carry the same one.
        simulated = self._steps * round(1e9 / self.config.control_hz)
        self._stamp_ns = self._clock.now_ns() if self._clock else simulated

    def _report(self, asked: FloatArray, plan: ControlPlan) -> StepReport:
        self._run(plan)
        return plan.report(asked, self.state())

    def _running(self) -> TaskEngine:
        if self._engine is None:
            raise RobotError("the twin has no scene", next_step="Call reset(task, seed) first")
        return self._engine
