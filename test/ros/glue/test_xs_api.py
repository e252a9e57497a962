# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The vendor's Python API as carrier, against a module of the same shape over simulated servos."""

import sys
import threading
import time
from contextlib import contextmanager
from threading import Event
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from roboreward_ros.clock import SystemClock
from roboreward_ros.errors import RobotError
from roboreward_ros.robot.interrupt import Interrupt, MotionInterruptedError
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.robot.xs_arm import XsArm, XsArmConfig
from roboreward_ros.ros import xs_api
from roboreward_ros.testing.conformance_robot import act
from roboreward_ros.testing.fake_xs_arm import TICK_S, FakeXsArm, Pace

LIMIT_S = 60.0
HASTE_S = 0.3
"""Patience with a call that hangs."""


class FakeCore:
    """Names and habits of the vendor's core: blocking calls without a time-out."""

    def __init__(self, servos) -> None:
        self.servos = servos
        self.pace = Pace(SystemClock())
        self.js_mutex = threading.Lock()
        self.joint_states = None
        self.short = False  # messages lack a position
        self.hang = threading.Event()
        self.hang.set()  # set: calls return

    def tick(self) -> None:
        for _ in range(self.pace.due()):
            self.servos.advance(TICK_S)
        s = self.servos
        message = SimpleNamespace(
            header=SimpleNamespace(stamp=SimpleNamespace(sec=1, nanosec=int(s.time_s * 1e9))),
            name=list(s.names()),
            position=list(s.positions())[: 3 if self.short else None],
            velocity=list(s.velocities()),
            effort=list(s.efforts()),
        )
        with self.js_mutex:
            self.joint_states = message

    def robot_get_robot_info(self, cmd_type, name):
        self.hang.wait()
        told = self.servos.info(cmd_type, name)
        return SimpleNamespace(
            mode=told.mode,
            profile_type=told.profile_type,
            joint_names=list(told.joint_names),
            joint_lower_limits=list(told.lower),
            joint_upper_limits=list(told.upper),
            joint_velocity_limits=list(told.velocity),
        )

    def robot_set_operating_modes(
        self, cmd_type, name, mode, profile_type="velocity", profile_velocity=0,
        profile_acceleration=0,
    ):  # fmt: skip
        self.hang.wait()
        times = (profile_velocity, profile_acceleration)
        self.servos.set_modes(cmd_type, name, mode, profile_type, *times)

    def robot_set_motor_registers(self, cmd_type, name, reg, value):
        self.hang.wait()
        self.servos.set_register(cmd_type, name, reg, value)

    def robot_get_motor_registers(self, cmd_type, name, reg):
        self.hang.wait()
        return SimpleNamespace(values=self.servos.get_register(cmd_type, name, reg))

    def robot_torque_enable(self, cmd_type, name, enable):
        self.hang.wait()
        self.servos.torque(cmd_type, name, enable)

    def robot_reboot_motors(self, cmd_type, name, enable, smart_reboot=False):
        self.hang.wait()
        self.servos.reboot(cmd_type, name, enable, smart_reboot)

    def robot_write_commands(self, group_name, commands):
        assert all(type(value) is float for value in commands)
        self.servos.write_group(group_name, commands)

    def robot_write_joint_command(self, joint_name, command):
        self.servos.write_single(joint_name, command)


class Publisher:
    """Notes how long it was given to bring its last command to everybody."""

    waited_s = 0.0

    def get_subscription_count(self) -> int:
        return 1

    def wait_for_all_acked(self, timeout) -> bool:
        self.waited_s = timeout.nanoseconds * 1e-9
        return True


def patiently(ask):
    """Ask until the call that was left behind has come back."""
    end, pause = time.monotonic() + LIMIT_S, Event()
    while True:
        try:
            return ask()
        except RobotError as error:
            if "still not come back" not in str(error) or time.monotonic() > end:
                raise
            pause.wait(0.01)


class Vendor:
    """The module's class; a second instance is refused, as the vendor does."""

    made = 0
    core: FakeCore
    silent = False

    def __init__(self, robot_model, group_name, gripper_name, robot_name) -> None:
        assert (group_name, gripper_name) == ("arm", "gripper")
        if type(self).silent:
            sys.exit(1)  # the vendor's answer to a missing xs_sdk
        assert type(self).made == 0, "a global node exists already"
        type(self).made += 1


@pytest.fixture
def vendor(monkeypatch):
    """The fake module, installed; its servos are simulated in the background."""
    Vendor.made, Vendor.silent = 0, False
    Vendor.core = core = FakeCore(FakeXsArm(load_profile("wx250s")))
    module = ModuleType(xs_api.MODULE)
    setattr(module, xs_api.CLASS, Vendor)
    monkeypatch.setitem(sys.modules, xs_api.MODULE, module)
    monkeypatch.setattr(xs_api, "_robots", {})
    ending = threading.Event()

    def simulate() -> None:
        while not ending.wait(TICK_S):
            core.tick()

    thread = threading.Thread(target=simulate)
    thread.start()
    yield core
    core.hang.set()
    ending.set()
    thread.join()


@pytest.fixture
def hanging(vendor, bus, monkeypatch):
    """Within it the vendor's calls do not return, and are given up soon."""

    @contextmanager
    def calls():
        vendor.hang.clear()
        with monkeypatch.context() as patch:
            patch.setattr(bus, "_service_s", HASTE_S)
            yield
        vendor.hang.set()

    return calls


@pytest.fixture
def bus(vendor):
    one = xs_api.XsApi("wx250s", "wx250s", SystemClock(), Interrupt(), service_s=LIMIT_S)
    yield one
    one.close()


def test_a_driver_resets_and_steps_over_the_vendors_api(vendor, bus):
    profile = load_profile("wx250s")
    config = XsArmConfig(10.0, travel_speed=3.0)
    arm = XsArm(bus, profile, config, SystemClock(), Interrupt())
    arm.connect()
    assert set(vendor.servos.get_register("group", "arm", "Profile_Velocity")) == {125}
    state = arm.reset("", 0)
    moved = [arm.step(act(0.02)) for _ in range(3)][-1].state
    assert moved.ee_pose[0, 3] > state.ee_pose[0, 3] + 0.02
    arm.close()
    assert vendor.servos.commands[-1].is_hold
    arm.connect()  # the vendor's object is kept: it cannot be made again
    arm.close()
    assert Vendor.made == 1


def test_a_call_that_never_returns_is_given_up_by_name(bus, hanging):
    bus.open(LIMIT_S)
    with hanging():
        with pytest.raises(RobotError, match="robot_get_motor_registers"):
            bus.get_register("group", "all", "Torque_Enable")
        with pytest.raises(RobotError, match="still not come back from robot_get_motor_registers"):
            bus.ask_register("group", "all", "Torque_Enable")
    assert len(patiently(lambda: bus.get_register("group", "all", "Torque_Enable"))) == 7


def test_a_call_that_is_only_asked_is_given_up_too(bus, hanging):
    bus.open(LIMIT_S)

    def wait() -> None:
        while asked.result() is None:
            Event().wait(0.01)

    with hanging():
        asked = bus.ask_register("group", "all", "Torque_Enable")
        with pytest.raises(RobotError, match="did not come back"):
            wait()
        with pytest.raises(RobotError, match="still not come back"):
            bus.torque("group", "all", enable=True)


def test_a_setting_that_takes_effect_late_meets_no_other_call(bus, hanging):
    bus.open(LIMIT_S)
    with hanging():
        with pytest.raises(RobotError, match="robot_torque_enable"):
            bus.torque("group", "all", enable=False)
        for _ in range(3):
            with pytest.raises(RobotError, match="still not come back from robot_torque_enable"):
                bus.torque("group", "all", enable=True)
    # The late call switches the motors off; what is asked now comes after it.
    patiently(lambda: bus.torque("group", "all", enable=True))
    assert set(bus.get_register("group", "all", "Torque_Enable")) == {1}


def test_closing_waits_until_the_hold_is_out(vendor, bus):
    bus.open(LIMIT_S)
    vendor.pub_group = publisher = Publisher()
    bus.close()
    assert publisher.waited_s == pytest.approx(xs_api.ACKNOWLEDGE_S)
    bus.close()


def test_a_message_that_contradicts_itself_is_no_sample(vendor, bus):
    bus.open(LIMIT_S)
    vendor.short = True
    first = bus.sample()
    while (newer := bus.wait_sample(first.steady_ns, 0.2)) is not None:
        first = newer  # on its way before
    assert len(first.position) == len(first.names)
    vendor.short = False
    assert bus.wait_sample(first.steady_ns, LIMIT_S) is not None


def test_an_interrupt_ends_a_wait(vendor, bus):
    bus.open(LIMIT_S)
    vendor.hang.clear()
    bus._interrupt.set("test")
    with pytest.raises(MotionInterruptedError):
        bus.info("group", "arm")


def test_a_constructor_that_ends_the_process_is_an_error(vendor, bus):
    Vendor.silent = True
    with pytest.raises(RobotError, match="gave up in its constructor"):
        bus.open(LIMIT_S)


def test_registers_settings_and_samples_pass_through(vendor, bus):
    bus.open(LIMIT_S)
    bus.set_modes("single", "gripper", "linear_position", "time", 100, 0)
    assert bus.info("single", "gripper").mode == "linear_position"
    vendor.servos.overload("elbow")
    bus.reboot("group", "all", enable=True, smart=True)
    assert bus.get_register("single", "elbow", "Profile_Velocity") == (0,)
    bus.torque("single", "waist", enable=False)
    assert bus.get_register("single", "waist", "Torque_Enable") == (0,)
    heard = threading.Event()
    bus.listen(lambda _: heard.set())
    first = bus.sample()
    assert bus.wait_sample(first.steady_ns, LIMIT_S).steady_ns > first.steady_ns
    assert heard.wait(LIMIT_S)
    bus.write_group("arm", np.zeros(6))
    assert vendor.servos.commands
