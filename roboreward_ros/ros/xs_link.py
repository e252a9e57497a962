# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Client of the vendor's ``xs_sdk`` node over its topics and services.

Needs the vendor's message package only (``interbotix_xs_msgs``), none of its Python modules. Has a
node and an executor thread of its own, so that it works while the host is still being configured
and until its last hold has gone out; nothing is global, and a closed link can be opened again.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rclpy.client import Client
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.task import Future
from sensor_msgs.msg import JointState

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError, RobotError, SafetyError
from roboreward_ros.robot.interrupt import Interrupt
from roboreward_ros.robot.xs_bus import JointSample, Kind, XsInfo, not_told
from roboreward_ros.ros.convert.stamps import stamp_from_msg
from roboreward_ros.ros.qos import COMMAND, SENSOR
from roboreward_ros.types import FloatArray

if TYPE_CHECKING:
    from types import ModuleType

MESSAGES = "interbotix_xs_msgs"
INSTALL = (
    "Build the vendor's messages and source them before this starts: "
    "git clone -b jazzy https://github.com/Interbotix/interbotix_ros_core, then "
    "colcon build --packages-select interbotix_xs_msgs && source install/setup.bash "
    "(docs/how-to/real-widowx.md)."
)
SLICE_S = 0.05
ACKNOWLEDGE_S = 0.3
ASK_LIMIT_NS = 2_000_000_000

Message = Any  # type: ignore[explicit-any,unused-ignore]


def message_package() -> tuple[ModuleType, ModuleType]:
    """The vendor's messages and services; raises ConfigError with the install line."""
    try:
        return importlib.import_module(f"{MESSAGES}.msg"), importlib.import_module(
            f"{MESSAGES}.srv"
        )
    except ImportError as error:
        raise ConfigError(
            f"the package {MESSAGES} is not installed", got=str(error), next_step=INSTALL
        ) from error


@dataclass(frozen=True, slots=True)
class _Wire:
    """What exists while the link is open."""

    node: Node
    executor: SingleThreadedExecutor
    thread: threading.Thread
    ending: threading.Event
    group: Publisher
    single: Publisher
    clients: dict[str, Client]


class XsLink:
    """An XsBus over rclpy; see the module's text.

    Args:
        namespace: of xs_sdk, the vendor's robot_name, such as ``wx250s``.
        context: of rclpy.
        clock: source of time.
        interrupt: ends the waits.
        service_s: longest wait for a service's answer.
    """

    def __init__(
        self,
        namespace: str,
        context: Context | None,
        clock: Clock,
        interrupt: Interrupt,
        service_s: float = 3.0,
    ) -> None:
        self._msg, self._srv = message_package()
        self._namespace = "/" + namespace.strip("/")
        self._context = context
        self._clock = clock
        self._interrupt = interrupt
        self._service_s = service_s
        self._arrived = threading.Condition()
        self._sample: JointSample | None = None
        self._callback: Callable[[JointSample], None] = lambda _: None
        self._wire: _Wire | None = None

    def open(self, timeout_s: float) -> None:
        self.close()
        self._wire = self._lay()
        end_ns = self._clock.steady_ns() + round(timeout_s * 1e9)
        while missing := self._missing(self._wire):
            self._interrupt.check()
            if self._clock.steady_ns() > end_ns:
                self.close()
                raise RobotError(
                    f"no xs_sdk answers in {self._namespace}",
                    got=f"missing after {timeout_s:g} s: {', '.join(missing)}",
                    next_step="Switch the arm on and start its driver: ros2 launch "
                    "interbotix_xsarm_control xsarm_control.launch.py "
                    f"robot_model:=<model> robot_name:={self._namespace.strip('/')}; "
                    "ROS_DOMAIN_ID must be the same.",
                )
            self._clock.sleep(SLICE_S)

    def close(self) -> None:
        wire, self._wire = self._wire, None
        if wire is None:
            return
        if wire.group.get_subscription_count():
            wire.group.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_S))
        wire.ending.set()
        wire.executor.wake()
        wire.thread.join()
        wire.executor.remove_node(wire.node)
        wire.executor.shutdown()
        wire.node.destroy_node()
        with self._arrived:
            self._sample = None

    def listen(self, callback: Callable[[JointSample], None]) -> None:
        self._callback = callback

    def sample(self) -> JointSample | None:
        with self._arrived:
            return self._sample

    def wait_sample(self, after_ns: int, timeout_s: float) -> JointSample | None:
        def newer() -> bool:
            return self._sample is not None and self._sample.steady_ns > after_ns

        with self._arrived:
            return self._sample if self._arrived.wait_for(newer, timeout_s) else None

    def write_group(self, name: str, command: FloatArray) -> None:
        if not np.isfinite(command).all():  # xs_sdk would write them to the motors
            raise SafetyError("a command that is not finite was kept back", got=command.tolist())
        values = [float(value) for value in command]
        self._open().group.publish(self._msg.JointGroupCommand(name=name, cmd=values))

    def write_single(self, name: str, command: float) -> None:
        if not np.isfinite(command):
            raise SafetyError("a command that is not finite was kept back", got=command)
        wire = self._wire
        if wire is not None:
            wire.single.publish(self._msg.JointSingleCommand(name=name, cmd=float(command)))

    def info(self, kind: Kind, name: str) -> XsInfo:
        told = self._call("get_robot_info", cmd_type=kind, name=name)
        return XsInfo(
            mode=told.mode,
            profile_type=told.profile_type,
            joint_names=tuple(told.joint_names),
            lower=np.array(told.joint_lower_limits, dtype=np.float64),
            upper=np.array(told.joint_upper_limits, dtype=np.float64),
            velocity=np.array(told.joint_velocity_limits, dtype=np.float64),
        )

    def set_modes(
        self, kind: Kind, name: str, mode: str, profile_type: str, velocity: int, acceleration: int
    ) -> None:
        self._call(
            "set_operating_modes",
            cmd_type=kind,
            name=name,
            mode=mode,
            profile_type=profile_type,
            profile_velocity=int(velocity),
            profile_acceleration=int(acceleration),
        )

    def set_register(self, kind: Kind, name: str, register: str, value: int) -> None:
        self._call("set_motor_registers", cmd_type=kind, name=name, reg=register, value=int(value))

    def get_register(self, kind: Kind, name: str, register: str) -> tuple[int, ...]:
        told = self._call("get_motor_registers", cmd_type=kind, name=name, reg=register)
        return tuple(int(value) for value in told.values)

    def ask_register(self, kind: Kind, name: str, register: str) -> _Asked:
        client = self._open().clients["get_motor_registers"]
        request = client.srv_type.Request(cmd_type=kind, name=name, reg=register)
        return _Asked(client, client.call_async(request), self._clock)

    def torque(self, kind: Kind, name: str, enable: bool) -> None:
        self._call("torque_enable", cmd_type=kind, name=name, enable=bool(enable))

    def reboot(self, kind: Kind, name: str, enable: bool, smart: bool) -> None:
        self._call(
            "reboot_motors", cmd_type=kind, name=name, enable=bool(enable), smart_reboot=bool(smart)
        )

    def _lay(self) -> _Wire:
        srv = self._srv
        node = Node(
            "roboreward_xs_link",
            namespace=self._namespace,
            context=self._context,
            use_global_arguments=False,  # the host's own remappings are not meant for this node
            start_parameter_services=False,
            enable_rosout=False,
        )
        types = {
            "get_robot_info": srv.RobotInfo,
            "set_operating_modes": srv.OperatingModes,
            "set_motor_registers": srv.RegisterValues,
            "get_motor_registers": srv.RegisterValues,
            "torque_enable": srv.TorqueEnable,
            "reboot_motors": srv.Reboot,
        }
        clients = {name: node.create_client(kind, name) for name, kind in types.items()}
        group = node.create_publisher(self._msg.JointGroupCommand, "commands/joint_group", COMMAND)
        single = node.create_publisher(
            self._msg.JointSingleCommand, "commands/joint_single", COMMAND
        )
        node.create_subscription(JointState, "joint_states", self._on_joints, SENSOR)
        executor = SingleThreadedExecutor(context=self._context)
        executor.add_node(node)
        ending = threading.Event()

        def spin() -> None:
            while not ending.is_set():
                executor.spin_once(timeout_sec=0.1)

        thread = threading.Thread(target=spin, name="xs link worker", daemon=True)
        thread.start()
        return _Wire(node, executor, thread, ending, group, single, clients)

    def _missing(self, wire: _Wire) -> list[str]:
        found = [name for name, client in wire.clients.items() if not client.service_is_ready()]
        topics = {"commands/joint_group": wire.group, "commands/joint_single": wire.single}
        found += [name for name, topic in topics.items() if not topic.get_subscription_count()]
        return found + ([] if self.sample() is not None else ["joint_states"])

    def _open(self) -> _Wire:
        if self._wire is None:
            raise RobotError("the link to xs_sdk is not open", next_step="Call connect() first.")
        return self._wire

    def _call(self, service: str, **fields: str | int | bool) -> Message:
        client = self._open().clients[service]
        future = client.call_async(client.srv_type.Request(**fields))
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        end_ns = self._clock.steady_ns() + round(self._service_s * 1e9)
        while not done.wait(SLICE_S):
            if self._interrupt.reason or self._clock.steady_ns() > end_ns:
                client.remove_pending_request(future)
                self._interrupt.check()
                raise RobotError(
                    f"xs_sdk did not answer {service}",
                    got=f"nothing within {self._service_s:g} s",
                    next_step="Is it alive? Its log says what its bus is doing.",
                )
        return future.result()

    def _on_joints(self, message: JointState) -> None:
        """On the link's thread."""
        sample = sample_from_msg(message, self._clock)
        if sample is None:
            return
        with self._arrived:
            self._sample = sample
            self._arrived.notify_all()
        self._callback(sample)


def sample_from_msg(message: JointState, clock: Clock) -> JointSample | None:
    """What the driver says of the joints; None where names and positions do not match."""
    names = tuple(message.name)
    count = len(names)
    if len(message.position) != count:
        return None
    return JointSample(
        stamp_ns=stamp_from_msg(message.header.stamp) or clock.now_ns(),
        steady_ns=clock.steady_ns(),
        names=names,
        position=np.array(message.position, dtype=np.float64),
        velocity=_told(message.velocity, count),
        effort=_told(message.effort, count),
    )


class _Asked:
    """A register's values that are on their way."""

    def __init__(self, client: Client, future: Future, clock: Clock) -> None:
        self._client = client
        self._future = future
        self._clock = clock
        self._asked_ns = clock.steady_ns()

    def result(self) -> tuple[int, ...] | None:
        if self._future.done():
            return tuple(int(value) for value in self._future.result().values)
        if self._clock.steady_ns() - self._asked_ns > ASK_LIMIT_NS:
            self._client.remove_pending_request(self._future)
            raise RobotError(
                "xs_sdk did not answer get_motor_registers",
                got=f"nothing within {ASK_LIMIT_NS * 1e-9:g} s",
            )
        return None


def _told(values: Message, count: int) -> FloatArray:
    return np.array(values, dtype=np.float64) if len(values) == count else not_told(count)
