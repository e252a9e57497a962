# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Seams between policy and person: at the speed the arm has, within bounds, and never by itself."""

import threading

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import ConfigError
from roboreward_ros.ros.arm_beat import ArmLoopConfig
from roboreward_ros.ros.arm_loop import ArmLoop
from roboreward_ros.ros.arm_takeover import HandConfig, Hands, TakeOver
from roboreward_ros.testing.fake_robot import FakeRobot
from roboreward_ros.types import StepAction, StepFlag

PERIOD_S = 0.2
LIMIT_S = 60.0
FORWARD = np.array([0.1, 0, 0, 0, 0, 0])


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def person(clock):
    made = TakeOver(clock, PERIOD_S)
    made.begin(0.6)
    return made


def answer(step, chunk_step):
    return StepAction("ep_000000", step, np.full(7, 0.01), chunk_step=chunk_step)


def test_the_policy_acts_until_a_person_takes_the_arm(person):
    person.move(FORWARD)
    assert person.choose(answer(0, 0)) is None
    person.take()
    assert person.choose(answer(1, 1)) is not None


def test_the_person_begins_at_the_speed_that_the_policy_had(person):
    person.executed(np.array([0.02, 0, 0, 0, 0, 0.05, 0.3]))  # 0.1 m/s
    person.take()
    person.move(FORWARD)
    action = person.choose(None)
    assert action[:3] == pytest.approx([0.02, 0, 0])
    assert action[6] == pytest.approx(0.3)


def test_speeds_change_within_bounds_however_wild_the_commands(person, clock):
    person.take()
    draw = np.random.default_rng(0)
    config, before = HandConfig(), np.zeros(6)
    for _ in range(200):
        person.move(draw.normal(0, 2.0, 6))
        speed = person.choose(None)[:6] / PERIOD_S
        for axes, kind in ((slice(0, 3), 0), (slice(3, 6), 1)):
            change = np.linalg.norm(speed[axes] - before[axes])
            assert change <= config.brake[kind] * PERIOD_S + 1e-9
            assert np.linalg.norm(speed[axes]) <= config.speed[kind] + 1e-9
        before = speed
        clock.advance(0.1)


def test_a_person_who_falls_silent_stands_still_and_keeps_the_arm(person, clock):
    person.take()
    person.move(FORWARD)
    for _ in range(4):
        person.choose(None)
    clock.advance(0.6)
    for _ in range(3):
        action = person.choose(answer(8, 0))
    assert action[:6] == pytest.approx(np.zeros(6))
    assert person.hands is Hands.PERSON


def test_given_back_the_arm_waits_for_a_decision(person):
    person.take()
    person.move(FORWARD)
    person.choose(None)
    person.give_back()
    assert person.choose(answer(2, 2))[:6] == pytest.approx(np.zeros(6))
    assert person.hands is Hands.RETURNING
    assert person.choose(answer(4, 0)) is None
    assert person.hands is Hands.POLICY


def test_the_gripper_keeps_its_width_until_the_person_moves_it(person):
    person.grip(0.0)  # while the policy acts: without effect
    person.take()
    assert person.choose(None)[6] == pytest.approx(0.6)
    person.grip(0.0)
    assert person.choose(None)[6] == 0.0
    person.give_back()
    person.take()
    assert person.choose(None)[6] == 0.0


def test_the_next_episode_begins_in_the_policys_hands(person):
    person.take()
    person.end()
    person.begin(1.0)
    assert person.choose(answer(0, 0)) is None


@pytest.mark.parametrize("velocity", [[np.nan, 0, 0, 0, 0, 0], [np.inf] * 6, [0.0] * 5])
def test_commands_that_are_no_velocity_are_refused(person, velocity):
    with pytest.raises(ConfigError):
        person.move(np.array(velocity))


def test_an_opening_beyond_the_gripper_is_refused(person):
    with pytest.raises(ConfigError, match=r"0\.\.1"):
        person.grip(1.5)


class Hand:
    """A policy with chunks of four, and a person who takes the arm at step 5 till step 10."""

    def __init__(self):
        self.beats, self.over = [], threading.Event()

    def publish(self, beat):
        self.beats.append(beat)
        if beat.last:
            self.over.set()
            return
        if beat.step == 5:
            assert self.loop.hand_over(to_person=True) == ""
        if 5 <= beat.step < 10:
            self.loop.move(np.array([0, 0.05, 0, 0, 0, 0]))
        if beat.step == 10:
            assert self.loop.hand_over(to_person=False) == ""
        action = np.array([0.004, 0, 0, 0, 0, 0, 1.0])
        self.loop.offer(StepAction(beat.episode_id, beat.step, action, chunk_step=beat.step % 4))

    def idle(self, state):
        pass


@pytest.mark.parametrize("lock_step", [False, True])
def test_an_episode_passes_from_hand_to_hand_and_says_whose_each_step_was(lock_step):
    sink = Hand()
    config = ArmLoopConfig(25.0, lock_step=lock_step, paced=not lock_step)
    sink.loop = ArmLoop(
        lambda clock: FakeRobot(control_hz=25.0, clock=clock), sink, config, FakeClock(), print
    )
    sink.loop.start(LIMIT_S)
    try:
        sink.loop.reset("", 0).result(LIMIT_S)
        assert "no episode" in sink.loop.hand_over(to_person=True)
        sink.loop.begin("ep_000000", 16)
        assert sink.over.wait(LIMIT_S)
        assert sink.loop.status.late == 0
    finally:
        assert sink.loop.stop(LIMIT_S)
    taken = [bool(beat.report.flags & StepFlag.TAKEOVER) for beat in sink.beats[1:]]
    assert taken == [False] * 5 + [True] * 7 + [False] * 4  # 10 and 11: until the decision at 12
    executed = np.array([beat.report.action_executed for beat in sink.beats[1:]])
    assert executed[:5, 0] == pytest.approx([0.004] * 5)
    assert executed[9, 1] == pytest.approx(0.002)  # 0.05 m/s at 25 Hz
    assert executed[12:, 0] == pytest.approx([0.004] * 4)
    jumps = np.linalg.norm(np.diff(executed[5:13, :3], axis=0), axis=1)[:-1]
    assert (jumps <= 0.75 * 0.04 * 0.04 + 1e-9).all()
