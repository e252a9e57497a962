# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The owner of an arm: executes one action a control period, judges what it measures, holds.

Usage::

    python -m roboreward_ros.nodes.robot_node --ros-args -p driver:=fake

Serves ``reset_robot``, ``begin_episode``, ``end_episode``; takes ``action``; publishes ``state``,
``joint_states``, ``ee_pose``. On SIGINT, SIGTERM and when its launcher is gone it refuses commands,
and a hold is the last thing that it sends to the arm.
"""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError
from roboreward_ros.protocols import Robot
from roboreward_ros.robot.profile import RobotProfile, load_profile
from roboreward_ros.robot.safety import SafetyGuard, SafetyLimits
from roboreward_ros.robot.watchdog import CommandWatchdog
from roboreward_ros.ros.arm_beat import ArmLoopConfig
from roboreward_ros.ros.arm_loop import ArmLoop
from roboreward_ros.ros.arm_server import ArmServer, StatePublisher
from roboreward_ros.ros.diagnostics import Diagnostics, Health, Level
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.spin import run
from roboreward_ros.types import Beat, RobotState, StepFlag

DRIVERS = ("xs_sdk", "fake")


@dataclass(frozen=True, slots=True)
class RobotNodeConfig(HostConfig):
    """Parameters of robot_node; help texts are the fields' metadata."""

    profile: str = option("wx250s", "robot profile, config/robots/<profile>.yaml")
    driver: str = option("fake", "xs_sdk: the real arm; fake: reaches every command at once")
    control_hz: float = option(5.0, "control periods per second")
    workspace: str = option("", "box of the profile that targets stay in; empty: its default")
    action_timeout_s: float = option(10.0, "an episode without an action for so long is a fault")
    connect_timeout_s: float = option(20.0, "longest wait for the arm's driver, s")
    reset_timeout_s: float = option(30.0, "longest reset, s")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        if self.driver not in DRIVERS:
            raise ConfigError("unknown driver", got=self.driver, allowed=DRIVERS)
        for name in ("connect_timeout_s", "reset_timeout_s"):
            if not 0 < getattr(self, name) <= 600:
                raise ConfigError(f"{name} out of range", got=getattr(self, name), allowed="0..600")
        self.loop()

    def loop(self) -> ArmLoopConfig:
        """Configuration of the beat."""
        return ArmLoopConfig(self.control_hz, paced=True, action_timeout_s=self.action_timeout_s)

    def arm(self) -> RobotProfile:
        """The profile with this node's workspace; raises ConfigError."""
        profile = load_profile(self.profile)
        return profile.with_workspace(self.workspace) if self.workspace else profile


def make_robot(config: RobotNodeConfig, profile: RobotProfile, clock: Clock) -> Robot:
    """The driver that the configuration names.

    Raises:
        ConfigError: a driver that this release does not have.
    """
    if config.driver == "fake":
        from roboreward_ros.testing.fake_robot import FakeRobot

        return FakeRobot(profile, config.control_hz, clock)
    raise ConfigError(
        "the driver of the real arm is not in this release",
        got=config.driver,
        allowed="fake",
        next_step="Use driver:=fake to rehearse, or sim:=true for the twin.",
    )


class RobotNode(HostNode[RobotNodeConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("robot_node", RobotNodeConfig, **arguments)  # type: ignore[arg-type]
        self._loop: ArmLoop | None = None
        self._server: ArmServer | None = None

    def _setup(self) -> None:
        config = self.config
        profile = config.arm()
        if config.driver != "fake":
            make_robot(config, profile, self.clock)
        else:
            self.get_logger().warning("driver: fake; nothing moves, no arm is needed")
        period_s = 1.0 / config.control_hz
        # A state comes once a period: older than two is stale.
        limits = SafetyLimits(max_state_age_s=2.0 * period_s)
        self._guard = SafetyGuard(profile, limits, self.clock)
        self._watchdog = CommandWatchdog(self.clock, period_s)
        self._states = StatePublisher(self)
        self._loop = ArmLoop(
            lambda clock: make_robot(config, profile, clock),
            self,
            config.loop(),
            self.clock,
            self.get_logger().warning,
            self._judge,
        )
        self._loop.start(config.connect_timeout_s)
        self._server = ArmServer(self, self._loop, config.reset_timeout_s)
        parts = {"beat": self._server.health, "link": self._link}
        Diagnostics(self, parts, hardware_id=config.profile)

    def _stop(self, reason: str) -> None:
        del reason
        if self._loop is not None:
            self._loop.stop()
        if self._server is not None:
            self._server.resets.end_all()

    def _teardown(self) -> None:
        if self._server is not None:
            self._server.resets.close()
        if self._loop is not None:
            self._loop.stop()
        self._loop = self._server = None

    def _link(self) -> Health:
        if self._watchdog.expired:
            text = f"holding: no command for {self._watchdog.silent_s:.1f} s"
            return Health(Level.WARN, text, {"silent_s": self._watchdog.silent_s})
        return Health(Level.OK, "linked", {"silent_s": self._watchdog.silent_s})

    # On the arm's thread.

    def _judge(self, state: RobotState) -> str:
        return "; ".join(fault.message for fault in self._guard.observe(state))

    def publish(self, beat: Beat) -> None:
        """One step of an episode."""
        if beat.step == 0:
            self._guard.restart()
        held = beat.report is not None and beat.report.flags & StepFlag.HOLD
        if beat.last:
            self._watchdog.disarm()
        elif not held:
            self._watchdog.feed()
        self._states.publish(beat)

    def idle(self, state: RobotState) -> None:
        """A control period outside episodes."""
        self._states.idle(state)


CONFIG = RobotNodeConfig


def main() -> int:
    return run(RobotNode)


if __name__ == "__main__":
    raise SystemExit(main())
