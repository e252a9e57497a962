# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The vendor's xs_sdk node, imitated over simulated servos: its topics, services and weaknesses.

Also a program: ``python fake_xs_sdk.py NAMESPACE PROFILE [loaded]``. Faults come by the fake's own
topic ``fault`` (std_msgs/String): jam JOINT, free, overload MOTOR, dead MOTOR, revive, silent,
speak, hang, answer, nan, number, exit.
"""

import contextlib
import os
import sys

from interbotix_xs_msgs.msg import JointGroupCommand, JointSingleCommand
from interbotix_xs_msgs.srv import OperatingModes, Reboot, RegisterValues, RobotInfo, TorqueEnable
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from roboreward_ros.clock import SystemClock
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.testing.fake_xs_arm import TICK_S, FakeXsArm, Pace


class FakeXsSdk(Node):
    """See the module's text.

    Args:
        namespace: the vendor's robot_name.
        profile: name of the arm to imitate.
        latency_s: commands take effect this much later.
        loaded: the servos move the twin's arm over its table, and efforts are its forces.
    """

    def __init__(
        self, namespace="wx250s", profile="wx250s", latency_s=0.0, loaded=False, **arguments
    ) -> None:
        super().__init__("xs_sdk", namespace=namespace, **arguments)
        self.servos = FakeXsArm(load_profile(profile), load=self._load(profile) if loaded else None)
        self.silent = self.hanging = False
        self.requests = []
        self._latency_s = latency_s
        self._later = []
        self._joints = self.create_publisher(JointState, "joint_states", 1)
        self.create_subscription(JointGroupCommand, "commands/joint_group", self._on_group, 5)
        self.create_subscription(JointSingleCommand, "commands/joint_single", self._on_single, 5)
        self.create_subscription(String, "fault", lambda m: self.fault(m.data), 10)
        for name, kind, serve in (
            ("get_robot_info", RobotInfo, self._info),
            ("set_operating_modes", OperatingModes, self._modes),
            ("set_motor_registers", RegisterValues, self._set),
            ("get_motor_registers", RegisterValues, self._get),
            ("torque_enable", TorqueEnable, self._torque),
            ("reboot_motors", Reboot, self._reboot),
        ):
            self._offer(kind, name, serve)
        self._pace = Pace(SystemClock())
        self.create_timer(TICK_S, self._tick)

    def _load(self, name: str):
        from roboreward_ros.testing.fake_xs_load import TwinLoad

        profile = load_profile(name)
        return TwinLoad(profile, profile.sleep_q, profile.finger_max)

    def fault(self, words: str) -> None:
        """Switch a fault on or off; see the module's text."""
        verb, _, name = words.partition(" ")
        servos = self.servos
        if verb == "jam":
            servos.faults.jammed.add(name)
        elif verb == "overload":
            servos.overload(name)
        elif verb == "dead":
            servos.faults.dead.add(name)
        elif verb in ("free", "revive"):
            servos.faults.jammed.clear()
            servos.faults.dead.clear()
        elif verb in ("silent", "speak"):
            self.silent = verb == "silent"
        elif verb in ("hang", "answer"):
            self.hanging = verb == "hang"
        elif verb in ("nan", "number"):
            servos.faults.nan = verb == "nan"
        elif verb == "exit":
            os._exit(9)
        else:
            raise ValueError(words)

    def _offer(self, kind, name, serve) -> None:
        def answer(request, response):
            self.requests.append(name)
            if not self.hanging:
                serve(request, response)
            return response

        def respond(response, header):
            if not self.hanging:
                send(response, header)

        service = self.create_service(kind, name, answer)
        send, service.send_response = service.send_response, respond

    def _tick(self) -> None:
        for _ in range(self._pace.due()):
            self.servos.advance(TICK_S)
        while self._later and self._later[0][0] <= self.servos.time_s:
            self._later.pop(0)[1]()
        if self.silent:
            return
        servos = self.servos
        message = JointState(name=list(servos.names()))
        message.header.stamp = self.get_clock().now().to_msg()
        message.position = [float(v) for v in servos.positions()]
        message.velocity = [float(v) for v in servos.velocities()]
        message.effort = [float(v) for v in servos.efforts()]
        self._joints.publish(message)

    def _delayed(self, job) -> None:
        if self._latency_s:
            self._later.append((self.servos.time_s + self._latency_s, job))
        else:
            job()

    def _on_group(self, message) -> None:
        self._delayed(lambda: self.servos.write_group(message.name, list(message.cmd)))

    def _on_single(self, message) -> None:
        self._delayed(lambda: self.servos.write_single(message.name, message.cmd))

    def _info(self, request, response) -> None:
        told = self.servos.info(request.cmd_type, request.name)
        response.mode, response.profile_type = told.mode, told.profile_type
        response.joint_names = list(told.joint_names)
        response.joint_lower_limits = [float(v) for v in told.lower]
        response.joint_upper_limits = [float(v) for v in told.upper]
        response.joint_velocity_limits = [float(v) for v in told.velocity]
        response.num_joints = len(told.joint_names)
        response.name = [request.name]

    def _modes(self, request, response) -> None:
        r = request
        times = (int(r.profile_velocity), int(r.profile_acceleration))
        self.servos.set_modes(r.cmd_type, r.name, r.mode, r.profile_type, *times)

    def _set(self, request, response) -> None:
        r = request
        self.servos.set_register(r.cmd_type, r.name, r.reg, int(r.value))

    def _get(self, request, response) -> None:
        told = self.servos.get_register(request.cmd_type, request.name, request.reg)
        response.values = [int(v) for v in told]

    def _torque(self, request, response) -> None:
        self.servos.torque(request.cmd_type, request.name, request.enable)

    def _reboot(self, request, response) -> None:
        r = request
        self.servos.reboot(r.cmd_type, r.name, r.enable, r.smart_reboot)


def main() -> int:
    import rclpy

    namespace, profile = [*sys.argv[1:], "wx250s", "wx250s"][:2]
    rclpy.init(args=[])
    node = FakeXsSdk(namespace, profile, loaded="loaded" in sys.argv[3:])
    node.get_logger().info("runs")
    with contextlib.suppress(KeyboardInterrupt, rclpy.executors.ExternalShutdownException):
        rclpy.spin(node)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
