# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The WidowX twin as arm and camera: physics and pictures in one thread, the beat for everybody.

Usage::

    python -m roboreward_ros.nodes.sim_node --ros-args -p speed:=max

Serves ``reset_robot``, ``begin_episode``, ``end_episode``; takes ``action``; publishes ``state``,
``image`` (and ``image/compressed`` while somebody listens), ``ground_truth``, ``joint_states``,
``ee_pose``. At ``speed:=max`` each step waits for its action (lock-step); at ``realtime`` the
steady clock ticks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import roboreward_ros.msg as msg
from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError
from roboreward_ros.protocols import Robot
from roboreward_ros.robot.command_log import COMMANDS, LoggedRobot
from roboreward_ros.ros.arm_beat import ArmLoopConfig
from roboreward_ros.ros.arm_loop import ArmLoop
from roboreward_ros.ros.arm_server import ArmServer, StatePublisher
from roboreward_ros.ros.convert import truth_to_msg
from roboreward_ros.ros.diagnostics import Diagnostics
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.picture_publisher import PicturePublisher
from roboreward_ros.ros.qos import EVENT
from roboreward_ros.ros.spin import run
from roboreward_ros.sim.adapters import TwinRobot
from roboreward_ros.sim.tasks import TASKS
from roboreward_ros.sim.twin import Twin, TwinConfig
from roboreward_ros.types import Beat, FloatArray, RobotState, StepReport

SPEEDS = ("realtime", "max")
START_TIMEOUT_S = 60.0
RESET_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class SimNodeConfig(HostConfig):
    """Parameters of sim_node; help texts are the fields' metadata."""

    image_size: int = option(256, "side of the square pictures, pixels")
    speed: str = option("realtime", "realtime: 5 Hz by the steady clock; max: lock-step")
    control_hz: float = option(5.0, "control periods per second of simulated time")
    action_timeout_s: float = option(10.0, "an episode without an action for so long is a fault")
    gl: str = option("auto", "OpenGL backend: auto, egl or osmesa")
    command_log: bool = option(True, "note what the arm is told in run_dir/logs/commands.log")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        if self.speed not in SPEEDS:
            raise ConfigError("speed is not one of its values", got=self.speed, allowed=SPEEDS)
        if not 32 <= self.image_size <= 480:
            raise ConfigError("image_size out of range", got=self.image_size, allowed="32..480")
        self.loop()
        self.twin()

    def loop(self) -> ArmLoopConfig:
        """Configuration of the beat."""
        return ArmLoopConfig(
            self.control_hz, lock_step=self.speed == "max", action_timeout_s=self.action_timeout_s
        )

    def twin(self) -> TwinConfig:
        """Configuration of the physics."""
        return TwinConfig(control_hz=self.control_hz, gl=self.gl)


class SimulatedClock:
    """Stamps of a lock-step episode: wall time at its begin plus simulated time.

    Stamps then do not depend on how fast the machine is, only their origin does; at real time
    they are the wall clock's.

    Args:
        clock: the machine's.
        period_ns: control period; 0 at real time.
    """

    def __init__(self, clock: Clock, period_ns: int) -> None:
        self._clock = clock
        self._period_ns = period_ns
        self._origin_ns = clock.now_ns()
        self._periods = 0

    def steady_ns(self) -> int:
        return self._clock.steady_ns()

    def now_ns(self) -> int:
        if self._period_ns == 0:
            return self._clock.now_ns()
        return self._origin_ns + self._periods * self._period_ns

    def sleep(self, duration_s: float) -> None:
        self._clock.sleep(duration_s)

    def restart(self) -> None:
        """A scene was laid out: stamps begin at the present wall time."""
        self._origin_ns, self._periods = self._clock.now_ns(), 0

    def advance(self) -> None:
        """A control period is being simulated."""
        self._periods += 1


class ClockedTwin(TwinRobot):
    """The twin's Robot, with stamps that follow the simulation."""

    def __init__(self, twin: Twin, clock: SimulatedClock) -> None:
        super().__init__(twin)
        self._clock = clock

    def reset(self, task: str, seed: int) -> RobotState:
        self._clock.restart()
        return super().reset(task, seed)

    def step(self, action: FloatArray) -> StepReport:
        self._clock.advance()
        return super().step(action)

    def hold(self) -> StepReport:
        self._clock.advance()
        return super().hold()


class SimNode(HostNode[SimNodeConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("sim_node", SimNodeConfig, **arguments)  # type: ignore[arg-type]
        self._twin: Twin | None = None
        self._loop: ArmLoop | None = None
        self._server: ArmServer | None = None

    def _setup(self) -> None:
        config = self.config
        self._states = StatePublisher(self)
        self._pictures = PicturePublisher(self)
        self._truths = self.create_publisher(msg.GroundTruth, "ground_truth", EVENT)
        self._loop = ArmLoop(
            self._make_twin, self, config.loop(), self.clock, self.get_logger().warning
        )
        self._loop.start(START_TIMEOUT_S)
        self._server = ArmServer(self, self._loop, RESET_TIMEOUT_S)
        Diagnostics(self, {"twin": self._server.health}, hardware_id="wx250s twin")

    def _stop(self, reason: str) -> None:
        del reason
        if self._server is not None:
            self._server.resets.end_all()
        if self._loop is not None:
            self._loop.stop()

    def _teardown(self) -> None:
        if self._server is not None:
            self._server.resets.close()
        if self._loop is not None:
            self._loop.stop()
        self._loop = self._server = self._twin = None

    # On the arm's thread.

    def _make_twin(self, clock: Clock) -> Robot:
        config = self.config
        period_ns = config.loop().period_ns if config.speed == "max" else 0
        stamps = SimulatedClock(clock, period_ns)
        self._twin = Twin(config.twin(), stamps)
        # A missing OpenGL library is to be said now, not at the first episode.
        self._twin.reset(TASKS[0].sentence, 0)
        self._twin.render(config.image_size, config.image_size)
        robot = ClockedTwin(self._twin, stamps)
        if not config.command_log:
            return robot
        return LoggedRobot(robot, Path(config.run_dir, "logs", COMMANDS), self.clock)

    def publish(self, beat: Beat) -> None:
        """Picture, truth and state of one step, all with the state's stamp; the state goes last."""
        assert self._twin is not None
        stamp_ns = beat.state.stamp_ns
        self._show(stamp_ns)
        truth = self._twin.truth()
        self._truths.publish(truth_to_msg(truth, beat.episode_id, beat.step, stamp_ns))
        self._states.publish(beat)

    def idle(self, state: RobotState) -> None:
        """Between episodes people still see the scene."""
        if self._pictures.watched:
            self._show(state.stamp_ns)
        self._states.idle(state)

    def _show(self, stamp_ns: int) -> None:
        assert self._twin is not None
        size = self.config.image_size
        self._pictures.publish(self._twin.render(size, size), stamp_ns)


CONFIG = SimNodeConfig


def main() -> int:
    return run(SimNode)


if __name__ == "__main__":
    raise SystemExit(main())
