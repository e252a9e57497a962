# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The vendor's Python API (``interbotix_xs_modules``) as a carrier of the driver's bus.

For labs that standardise on it. Only its core is used (services, commands, joint states), because
its arm and gripper classes plan from commanded joints and wait by sleeping; kinematics, limits,
arrival and recovery stay ours. Its known defects are contained here:

- calls wait without a time-out: each runs on a worker thread and is given up after ``service_s``.
  The worker cannot be ended, and what it asked for may still happen: until it comes back every
  further call is refused, so that nothing else is on its way then;
- one global node a process, which cannot be made twice: made once and kept for the process;
- moving times given to its constructor do not reach the motors: the driver sets them itself and
  reads them back.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import numpy as np
from rclpy.duration import Duration

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError, RobotError, SafetyError
from roboreward_ros.robot.interrupt import Interrupt
from roboreward_ros.robot.xs_bus import ARM, GRIPPER, JointSample, Kind, XsInfo, not_told
from roboreward_ros.types import FloatArray

MODULE, CLASS = "interbotix_xs_modules.xs_robot.arm", "InterbotixManipulatorXS"
STARTUP = "interbotix_common_modules.common_robot.robot"
INSTALL = (
    "Build the vendor's workspace (interbotix_ros_toolboxes and interbotix_ros_core, branch jazzy) "
    "and source it before this starts, or use driver:=xs_sdk, which needs its messages only "
    "(docs/how-to/real-widowx.md)."
)
POLL_S = 0.01
SLICE_S = 0.05
ACKNOWLEDGE_S = 0.3

T = TypeVar("T")
Vendor = Any  # type: ignore[explicit-any,unused-ignore]


def vendor_class() -> Vendor:
    """The vendor's class; raises ConfigError with the install line."""
    try:
        return getattr(importlib.import_module(MODULE), CLASS)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"the vendor's Python API ({MODULE}.{CLASS}) is not installed",
            got=str(error),
            next_step=INSTALL,
        ) from error


_robots: dict[tuple[str, str], Vendor] = {}
"""Made once a process: the vendor's global node cannot be made again."""
_robots_lock = threading.Lock()


class XsApi:
    """An XsBus over the vendor's Python API; see the module's text.

    Args:
        model: the vendor's robot_model.
        namespace: the vendor's robot_name.
        clock: source of time.
        interrupt: ends the waits.
        service_s: longest wait for one of its calls.
    """

    def __init__(
        self,
        model: str,
        namespace: str,
        clock: Clock,
        interrupt: Interrupt,
        service_s: float = 3.0,
    ) -> None:
        self._class = vendor_class()
        self._model = model
        self._namespace = namespace.strip("/")
        self._clock = clock
        self._interrupt = interrupt
        self._service_s = service_s
        self._arrived = threading.Condition()
        self._sample: JointSample | None = None
        self._callback: Callable[[JointSample], None] = lambda _: None
        self._core: Vendor = None
        self._left_behind: tuple[str, Future[Vendor]] | None = None
        self._ending = threading.Event()
        self._reader: threading.Thread | None = None

    def open(self, timeout_s: float) -> None:
        self.close()
        self._core = self._bounded("its constructor", self._make, timeout_s).core
        self._ending = threading.Event()
        self._reader = threading.Thread(
            target=self._read, args=(self._ending,), name="xs api worker", daemon=True
        )
        self._reader.start()
        if self.wait_sample(-1, timeout_s) is None:
            self.close()
            raise RobotError(
                f"the vendor's API hears no joint states of {self._namespace}",
                got=f"nothing within {timeout_s:g} s",
                next_step="Switch the arm on and start xs_sdk under this robot_name.",
            )

    def close(self) -> None:
        self._ending.set()
        if self._reader is not None:
            self._reader.join()
        if self._core is not None:
            self._let_out()
        self._reader, self._core = None, None
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
        if not np.isfinite(command).all():
            raise SafetyError("a command that is not finite was kept back", got=command.tolist())
        self._linked().robot_write_commands(name, [float(value) for value in command])

    def write_single(self, name: str, command: float) -> None:
        if not np.isfinite(command):
            raise SafetyError("a command that is not finite was kept back", got=command)
        core = self._core
        if core is not None:
            core.robot_write_joint_command(name, float(command))

    def info(self, kind: Kind, name: str) -> XsInfo:
        told = self._call("robot_get_robot_info", kind, name)
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
            "robot_set_operating_modes", kind, name, mode, profile_type, velocity, acceleration
        )

    def set_register(self, kind: Kind, name: str, register: str, value: int) -> None:
        self._call("robot_set_motor_registers", kind, name, register, value)

    def get_register(self, kind: Kind, name: str, register: str) -> tuple[int, ...]:
        return _values(self._call("robot_get_motor_registers", kind, name, register))

    def ask_register(self, kind: Kind, name: str, register: str) -> _Asked:
        what = "robot_get_motor_registers"
        core = self._linked()
        self._require_back()
        future = _in_thread(lambda: core.robot_get_motor_registers(kind, name, register))

        def give_up() -> None:
            self._give_up(what, future)

        return _Asked(future, self._clock, self._service_s, give_up)

    def torque(self, kind: Kind, name: str, enable: bool) -> None:
        self._call("robot_torque_enable", kind, name, enable)

    def reboot(self, kind: Kind, name: str, enable: bool, smart: bool) -> None:
        self._call("robot_reboot_motors", kind, name, enable, smart)

    def _make(self) -> Vendor:
        key = (self._model, self._namespace)
        with _robots_lock:
            if key not in _robots:
                _robots[key] = self._class(
                    robot_model=self._model,
                    group_name=ARM,
                    gripper_name=GRIPPER,
                    robot_name=self._namespace,
                )
                _start_executor()
            return _robots[key]

    def _linked(self) -> Vendor:
        if self._core is None:
            raise RobotError("the vendor's API is not open", next_step="Call connect() first.")
        return self._core

    def _call(self, name: str, *arguments: str | int | bool) -> Vendor:
        method = getattr(self._linked(), name)
        return self._bounded(name, lambda: method(*arguments), self._service_s)

    def _let_out(self) -> None:
        """Wait until the last command, a hold, has reached xs_sdk: the process may end now."""
        publisher = getattr(self._core, "pub_group", None)
        if publisher is None:  # a release that keeps it elsewhere
            self._clock.sleep(ACKNOWLEDGE_S)
        elif publisher.get_subscription_count():
            publisher.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_S))

    def _require_back(self) -> None:
        if self._left_behind is None:
            return
        what, future = self._left_behind
        if not future.done():
            raise RobotError(
                f"the vendor's API has still not come back from {what}",
                next_step="Is xs_sdk alive? When it is again, start this node anew.",
            )
        self._left_behind = None

    def _give_up(self, what: str, future: Future[T]) -> None:
        if not future.cancel():  # it has begun, and may yet do what it was asked
            self._left_behind = what, future

    def _bounded(self, what: str, work: Callable[[], T], limit_s: float) -> T:
        self._require_back()
        future = _in_thread(work)
        end_ns = self._clock.steady_ns() + round(limit_s * 1e9)
        while True:
            try:
                return future.result(SLICE_S)
            except TimeoutError:
                if self._interrupt.reason:
                    self._give_up(what, future)
                    self._interrupt.check()
                if self._clock.steady_ns() > end_ns:
                    self._give_up(what, future)
                    raise RobotError(
                        f"the vendor's API did not come back from {what}",
                        got=f"nothing within {limit_s:g} s",
                        next_step="Is xs_sdk alive? When it is again, start this node anew.",
                    ) from None
            except SystemExit as error:  # its constructor ends the process when nobody answers
                raise RobotError(f"the vendor's API gave up in {what}", got=str(error)) from None
            except RobotError:
                raise
            except Exception as error:
                raise RobotError(f"the vendor's API failed in {what}", got=repr(error)) from error

    def _read(self, ending: threading.Event) -> None:
        """Its callback keeps the newest message only: look for a new one often."""
        core, seen = self._core, None
        while not ending.wait(POLL_S):
            with core.js_mutex:
                message = core.joint_states
            if message is None or message is seen:
                continue
            seen = message
            names = tuple(message.name)
            if len(message.position) != len(names):
                continue
            now_ns = self._clock.now_ns()
            sample = JointSample(
                stamp_ns=_stamp(message) or now_ns,
                steady_ns=self._clock.steady_ns(),
                names=names,
                position=np.array(message.position, dtype=np.float64),
                velocity=_told(message.velocity, len(names)),
                effort=_told(message.effort, len(names)),
            )
            with self._arrived:
                self._sample = sample
                self._arrived.notify_all()
            self._callback(sample)


class _Asked:
    """A register's values that a worker thread waits for."""

    def __init__(
        self, future: Future[Vendor], clock: Clock, limit_s: float, give_up: Callable[[], None]
    ) -> None:
        self._future = future
        self._clock = clock
        self._give_up = give_up
        self._end_ns = clock.steady_ns() + round(limit_s * 1e9)

    def result(self) -> tuple[int, ...] | None:
        if self._future.done():
            try:
                return _values(self._future.result())
            except Exception as error:
                raise RobotError("the vendor's API failed", got=repr(error)) from error
        if self._clock.steady_ns() > self._end_ns:
            self._give_up()
            raise RobotError("the vendor's API did not come back from robot_get_motor_registers")
        return None


def _in_thread(work: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()

    def run() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(work())
        except BaseException as error:  # SystemExit too: it must not vanish with the thread
            future.set_exception(error)

    threading.Thread(target=run, name="vendor call", daemon=True).start()
    return future


def _start_executor() -> None:
    """Its startup function spins the global node; older releases spin in the constructor."""
    try:
        startup = importlib.import_module(STARTUP).robot_startup
    except (ImportError, AttributeError):
        return
    startup()


def _values(told: Vendor) -> tuple[int, ...]:
    """Releases differ: a list, or the whole response."""
    values = told.values if hasattr(told, "values") else told
    return tuple(int(value) for value in values)


def _told(values: Vendor, count: int) -> FloatArray:
    return np.array(values, dtype=np.float64) if len(values) == count else not_told(count)


def _stamp(message: Vendor) -> int:
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
