# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The owner of an arm: executes one action a control period, judges what it measures, holds.

Usage::

    python -m roboreward_ros.nodes.robot_node --ros-args -p driver:=fake

Serves ``reset_robot``, ``begin_episode``, ``end_episode`` and, for people, ``~/halt`` (hold, and
nothing moves until ``~/release``) and ``~/clear_fault``; takes ``action``; publishes ``state``,
``joint_states``, ``ee_pose``. On SIGINT, SIGTERM and when its launcher is gone it refuses commands,
also in the middle of a reset, and a hold is the last thing that it sends to the arm.
"""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError
from roboreward_ros.protocols import Robot
from roboreward_ros.robot.drivers import ArmDriver, PlainDriver
from roboreward_ros.robot.duty import DutyLimits
from roboreward_ros.robot.faults import ArmState
from roboreward_ros.robot.interrupt import Interrupt
from roboreward_ros.robot.profile import RobotProfile, load_profile
from roboreward_ros.robot.safety import SafetyLimits
from roboreward_ros.robot.supervisor import ArmSupervisor
from roboreward_ros.robot.watchdog import CommandWatchdog
from roboreward_ros.robot.xs_arm import XsArmConfig
from roboreward_ros.ros.arm_beat import ArmLoopConfig, PeriodClock
from roboreward_ros.ros.arm_drivers import REAL_DRIVERS, ArmParts, make_driver, require_driver
from roboreward_ros.ros.arm_loop import ArmLoop
from roboreward_ros.ros.arm_server import ArmServer, PersonServices, StatePublisher
from roboreward_ros.ros.diagnostics import Diagnostics, Health, Level
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.spin import run
from roboreward_ros.types import Beat, RobotState, StepFlag

DRIVERS = (*REAL_DRIVERS, "fake")


@dataclass(frozen=True, slots=True)
class RobotNodeConfig(HostConfig):
    """Parameters of robot_node; help texts are the fields' metadata."""

    profile: str = option("wx250s", "robot profile, config/robots/<profile>.yaml")
    driver: str = option(
        "fake",
        "xs_sdk: the arm, over the vendor's node; interbotix_api: the same by the vendor's Python "
        "modules; fake: reaches every command at once",
    )
    xs_namespace: str = option("", "the vendor's robot_name; empty: the profile's name")
    control_hz: float = option(5.0, "control periods per second")
    workspace: str = option("", "box of the profile that targets stay in; empty: its default")
    sticky_gripper: int = option(0, "equal wishes in a row that open or close; 0: as asked")
    blocking_s: float = option(0.0, "a step waits so long until the arm is there; 0: never, s")
    gripper_mode: str = option("pwm", "pwm (limits the force) or linear_position")
    travel_speed: float = option(0.8, "fastest joint while resetting, rad/s")
    max_state_age_s: float = option(0.25, "older joint states are a fault, s")
    max_temperature_c: int = option(65, "hotter motors are a fault, deg C")
    work_s: float = option(5400.0, "motion after which the arm lies down to cool; 0: never, s")
    rest_s: float = option(600.0, "how long it lies down, s")
    action_timeout_s: float = option(10.0, "an episode without an action for so long is a fault")
    connect_timeout_s: float = option(20.0, "longest wait for the arm's driver, s")
    reset_timeout_s: float = option(120.0, "longest reset, recovery included, s")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        if self.driver not in DRIVERS:
            raise ConfigError("unknown driver", got=self.driver, allowed=DRIVERS)
        for name in ("connect_timeout_s", "reset_timeout_s"):
            if not 0 < getattr(self, name) <= 600:
                raise ConfigError(f"{name} out of range", got=getattr(self, name), allowed="0..600")
        self.loop()
        self.motion()
        self.limits()
        DutyLimits(self.work_s, self.rest_s)

    def loop(self) -> ArmLoopConfig:
        """Configuration of the beat."""
        return ArmLoopConfig(self.control_hz, paced=True, action_timeout_s=self.action_timeout_s)

    def motion(self) -> XsArmConfig:
        """How a real arm moves."""
        return XsArmConfig(
            control_hz=self.control_hz,
            travel_speed=self.travel_speed,
            blocking_s=self.blocking_s,
            sticky_gripper=self.sticky_gripper,
            gripper_mode=self.gripper_mode,
            connect_s=self.connect_timeout_s / 2.0,
            max_temperature_c=self.max_temperature_c,
        )

    def limits(self) -> SafetyLimits:
        """When a measured state is a fault. The fake is measured once a period only."""
        if self.driver == "fake":
            return SafetyLimits(max_state_age_s=max(2.0 / self.control_hz, 0.5))
        return SafetyLimits(max_state_age_s=self.max_state_age_s, jam_states=10)

    def arm(self) -> RobotProfile:
        """The profile with this node's workspace; raises ConfigError."""
        profile = load_profile(self.profile)
        return profile.with_workspace(self.workspace) if self.workspace else profile


def make_robot(config: RobotNodeConfig, profile: RobotProfile, clock: Clock) -> Robot:
    """The arm that needs none: it reaches every command at once."""
    from roboreward_ros.testing.fake_robot import FakeRobot

    return FakeRobot(profile, config.control_hz, clock, sticky_gripper=config.sticky_gripper)


class RobotNode(HostNode[RobotNodeConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("robot_node", RobotNodeConfig, **arguments)  # type: ignore[arg-type]
        self._loop: ArmLoop | None = None
        self._server: ArmServer | None = None
        self._arm: ArmSupervisor | None = None

    def _setup(self) -> None:
        config, log = self.config, self.get_logger()
        self._profile = config.arm()
        self._xs_namespace = (config.xs_namespace or self._profile.name).strip("/")
        if config.driver == "fake":
            log.warning("driver: fake; nothing moves, no arm is needed")
        else:
            self._require_own_namespace()
            require_driver(config.driver)
        self._interrupt = Interrupt()
        self._watchdog = CommandWatchdog(self.clock, 1.0 / config.control_hz)
        self._states = StatePublisher(self)
        self._loop = ArmLoop(
            self._make_arm,
            self,
            config.loop(),
            self.clock,
            log.warning,
            interrupt=lambda: self._interrupt.set("the node is stopping", final=True),
            cancel=lambda: self._interrupt.set("it was cancelled"),
        )
        self._loop.start(config.connect_timeout_s)
        self._server = ArmServer(self, self._loop, config.reset_timeout_s)
        assert self._arm is not None
        PersonServices(self, self._arm)
        parts = {"beat": self._server.health, "link": self._link, "arm": self._arm_health}
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
        self._loop = self._server = self._arm = None

    def _require_own_namespace(self) -> None:
        """Both publish ``joint_states``: in one namespace the driver would hear itself."""
        if self.get_namespace().strip("/") == self._xs_namespace:
            raise ConfigError(
                "robot_node cannot live in the namespace of the vendor's node",
                got=f"/{self._xs_namespace}",
                next_step="Give another namespace:=, or start xs_sdk with another robot_name.",
            )

    def _link(self) -> Health:
        if self._watchdog.expired:
            text = f"holding: no command for {self._watchdog.silent_s:.1f} s"
            return Health(Level.WARN, text, {"silent_s": self._watchdog.silent_s})
        return Health(Level.OK, "linked", {"silent_s": self._watchdog.silent_s})

    def _arm_health(self) -> Health:
        assert self._arm is not None
        status = self._arm.status
        values: dict[str, str | float | int] = {
            "state": status.state.value,
            "stopped": str(status.stopped),
            "recoveries": status.recoveries,
        }
        values |= {f"{motor}_deg_c": value for motor, value in self._arm.temperatures.items()}
        if status.stopped:
            return Health(Level.WARN, "the stop is latched; call ~/release", values)
        bad = status.state in (ArmState.DISCONNECTED, ArmState.FAULT)
        text = f"{status.state.value}: {status.reason}" if status.reason else status.state.value
        return Health(Level.ERROR if bad else Level.OK, text, values)

    # On the arm's thread.

    def _make_arm(self, clock: PeriodClock) -> Robot:
        config, say = self.config, self.get_logger().warning
        driver: ArmDriver
        if config.driver == "fake":
            driver = PlainDriver(make_robot(config, self._profile, clock))
        else:
            parts = ArmParts(
                config.driver,
                self._xs_namespace,
                self._profile,
                config.motion(),
                self._interrupt,
                self.context,
                say,
            )
            driver = make_driver(parts, clock)
        duty = DutyLimits(config.work_s, config.rest_s)
        self._arm = ArmSupervisor(
            driver, self._profile, config.limits(), duty, self.clock, self._interrupt, say
        )
        return self._arm

    def publish(self, beat: Beat) -> None:
        """One step of an episode."""
        assert self._arm is not None
        if beat.step == 0:
            self._arm.begin()
        held = beat.report is not None and beat.report.flags & StepFlag.HOLD
        if beat.last:
            self._arm.end()
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
