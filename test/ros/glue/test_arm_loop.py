# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The arm's loop over the fake arm, without ROS: whatever ends an episode, a hold comes last."""

import threading

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock, SystemClock
from roboreward_ros.errors import RobotError
from roboreward_ros.ros.arm_beat import ArmLoopConfig, Refusal
from roboreward_ros.ros.arm_exchange import Exchange
from roboreward_ros.ros.arm_loop import ArmLoop
from roboreward_ros.testing.fake_robot import FakeRobot
from roboreward_ros.types import EndCause, StepAction

LIMIT_S = 60.0


class Sink:
    """Answers each state with an action; breaks where it is told to."""

    def __init__(self) -> None:
        self.loop: ArmLoop
        self.commands: list[str] = []
        self.seen: list[list[str]] = []  # commands until each beat
        self.ending: list[bool] = []  # what the status said at each beat
        self.stamps: list[int] = []
        self.last = threading.Event()
        self.idled = threading.Event()
        self.logged = threading.Event()
        self.lines: list[str] = []
        self.break_at: int | None = None
        self.break_idle = False
        self.busy = lambda step: None

    def publish(self, beat) -> None:
        if beat.step == self.break_at:
            raise OSError("the picture could not be drawn")
        self.stamps.append(beat.state.stamp_ns)
        self.busy(beat.step)
        self.seen.append(list(self.commands))
        self.ending.append(self.loop.status.ending)
        if beat.last:
            self.last.set()
        else:
            self.loop.offer(StepAction(beat.episode_id, beat.step, np.array([0.01, *[0.0] * 6])))

    def log(self, line: str) -> None:
        self.lines.append(line)
        self.logged.set()

    def idle(self, state) -> None:
        if self.break_idle:
            self.idled.set()
            raise OSError("the picture could not be drawn")


class LoggedRobot(FakeRobot):
    """Notes its commands."""

    def __init__(self, clock, commands) -> None:
        super().__init__(control_hz=25.0, clock=clock)
        self.commands = commands

    def step(self, action):
        self.commands.append("step")
        return super().step(action)

    def hold(self):
        self.commands.append("hold")
        return super().hold()


@pytest.fixture
def arm():
    """Starts a loop after a reset; returns its sink."""
    made = []

    def start(judge=lambda _: "", *, paced=True, clock=None):
        sink = Sink()
        sink.loop = ArmLoop(
            lambda clock: LoggedRobot(clock, sink.commands),
            sink,
            ArmLoopConfig(25.0, paced=paced),
            clock or SystemClock(),
            sink.log,
            judge,
        )
        made.append(sink.loop)
        sink.loop.start(LIMIT_S)
        sink.loop.reset("", 0).result(LIMIT_S)
        return sink

    yield start
    for loop in made:
        assert loop.stop(LIMIT_S)


def test_the_arm_holds_when_the_time_is_up_and_before_anybody_hears_of_it(arm):
    sink = arm()
    assert sink.loop.begin("ep_000000", 3) is None
    assert sink.last.wait(LIMIT_S)
    assert sink.seen[-1] == ["step", "step", "step", "hold"]


def test_the_period_is_kept_by_the_steady_clock(arm):
    sink = arm(clock=FakeClock())
    sink.loop.begin("ep_000000", 10)
    assert sink.last.wait(LIMIT_S)
    assert np.diff(sink.stamps).tolist() == [40_000_000] * 10


def test_periods_that_were_missed_are_left_out_and_not_caught_up(arm):
    clock = FakeClock()
    sink = arm(clock=clock)
    sink.busy = lambda step: clock.advance(0.1) if step == 3 else None
    sink.loop.begin("ep_000000", 6)
    assert sink.last.wait(LIMIT_S)
    assert np.diff(sink.stamps).tolist() == [40_000_000] * 3 + [100_000_000] + [40_000_000] * 2
    assert sink.loop.ticks.overruns == 1


def test_who_hears_the_last_state_and_asks_for_a_reset_waits_instead_of_being_refused(arm):
    sink = arm()
    sink.loop.begin("ep_000000", 2)
    assert sink.last.wait(LIMIT_S)
    assert sink.ending == [False, False, True]


def test_a_twin_holds_after_its_last_state_was_drawn(arm):
    sink = arm(paced=False)
    sink.loop.begin("ep_000000", 2)
    assert sink.last.wait(LIMIT_S)
    sink.loop.reset("", 0).result(LIMIT_S)
    assert sink.seen[-1] == ["step", "step"]
    assert sink.commands == ["step", "step", "hold"]


def test_an_arm_that_is_judged_faulty_holds(arm):
    sink = arm(lambda _: "too much effort")
    sink.loop.begin("ep_000000", 100)
    assert sink.last.wait(LIMIT_S)
    assert sink.seen[-1] == ["step", "hold"]
    assert sink.lines == ["too much effort"]


def test_an_arm_whose_state_cannot_be_published_holds(arm):
    sink = arm()
    sink.break_at = 2
    sink.loop.begin("ep_000000", 100)
    assert sink.logged.wait(LIMIT_S)
    assert sink.commands == ["step", "step", "hold"]


def test_the_loop_outlives_a_picture_that_fails_between_episodes(arm):
    sink = arm()
    sink.break_idle = True
    assert sink.idled.wait(LIMIT_S)
    sink.loop.reset("", 0)
    sink.break_idle = False
    sink.loop.reset("", 0).result(LIMIT_S)
    assert "the picture could not be drawn" in sink.lines
    assert sink.loop.begin("ep_000000", 2) is None
    assert sink.last.wait(LIMIT_S)


def test_an_operators_end_holds_and_is_heard_once(arm):
    sink = arm()
    sink.loop.begin("ep_000000", 1000)
    assert sink.loop.begin("ep_000001", 5) is Refusal.BUSY
    assert sink.loop.end("ep_000000", EndCause.OPERATOR)
    assert sink.last.wait(LIMIT_S)
    assert sink.seen[-1][-1] == "hold"
    assert sink.seen[-1].count("hold") == 1


def test_whoever_waits_for_a_motion_at_the_end_is_refused():
    exchange = Exchange(SystemClock())
    waiting = exchange.submit(lambda robot: robot.state())
    exchange.close()
    with pytest.raises(RobotError, match="shutting down"):
        waiting.result(LIMIT_S)
    with pytest.raises(RobotError, match="shutting down"):
        exchange.submit(lambda robot: robot.state()).result(LIMIT_S)
