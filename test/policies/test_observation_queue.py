# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures that overtake each other, and what is said where none fits."""

import threading

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock, SystemClock
from roboreward_ros.errors import RobotError
from roboreward_ros.policies.observations import ObservationQueue
from roboreward_ros.types import Beat, Frame, RobotState

MS = 1_000_000
T0 = 1_700_000_000_000_000_000


def frame(stamp_ms):
    return Frame(np.zeros((2, 2, 3), np.uint8), T0 + stamp_ms * MS)


def beat(stamp_ms, episode_id="ep"):
    zeros = np.zeros(6)
    stamp_ns = T0 + stamp_ms * MS
    return Beat(
        episode_id, 0, RobotState(stamp_ns, zeros, zeros, zeros, 1.0, np.eye(4), np.zeros(7))
    )


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def queue(clock):
    made = ObservationQueue(clock, 0.2)
    made.open("ep", by_stamp=False)
    return made


def newest(queue, stamp_ms):
    found = queue.image_for(beat(stamp_ms), 0.0)
    return None if found is None else (found.stamp_ns - T0) // MS


def test_a_picture_that_was_overtaken_does_not_count_as_the_newest(queue):
    for stamp_ms in (0, 66, 33):
        queue.add_image(frame(stamp_ms))
    assert newest(queue, 70) == 66


def test_after_a_clock_was_set_back_the_newest_is_the_one_that_came_last(queue):
    for stamp_ms in (3_600_000, 3_600_033, 66):
        queue.add_image(frame(stamp_ms))
    assert newest(queue, 70) == 66


def test_no_picture_and_one_of_another_time_are_told_apart(queue):
    queue.add_beat(beat(0, ""))
    assert "no picture came for 0 s" in queue.await_picture(0.0, lambda: False)
    queue.add_image(frame(-3_000))
    assert "3.000 s away from the arm's" in queue.await_picture(0.0, lambda: False)
    queue.add_image(frame(-100))
    assert queue.await_picture(0.0, lambda: False) == ""


def test_a_state_that_makes_no_sense_is_told_to_whoever_waits_after_those_that_did(queue):
    queue.spoil("another", "not asked")
    queue.spoil("", "at rest")
    assert not queue.await_beat(0.0)
    queue.add_beat(beat(0))
    queue.spoil("ep", "step 1: no such end")
    assert queue.await_beat(0.0)
    assert queue.next_beat(0.0) is not None
    with pytest.raises(RobotError, match="step 1: no such end"):
        queue.next_beat(0.0)
    queue.open("next", by_stamp=False)
    assert queue.next_beat(0.0) is None


def test_two_clocks_are_compared_whenever_their_messages_come(queue, clock):
    queue.add_beat(beat(0, ""))  # before the episode: the arm is at rest and says so now and then
    queue.open("next", by_stamp=False)
    clock.advance(0.9)
    queue.add_image(frame(850))
    assert queue.await_picture(0.0, lambda: False) == ""
    queue.open("one more", by_stamp=False)
    queue.add_image(frame(0))
    assert "0.900 s away from the arm's" in queue.await_picture(0.0, lambda: False)


def test_a_picture_of_an_episode_before_does_not_count(queue):
    queue.add_image(frame(0))
    queue.open("next", by_stamp=False)
    assert queue.await_picture(0.0, lambda: False)
    assert queue.await_picture(0.0, lambda: True) == ""  # the arm's own come with its states


def test_it_is_there_as_soon_as_it_comes():
    queue = ObservationQueue(SystemClock(), 0.2)
    queue.open("ep", by_stamp=False)
    said = []
    thread = threading.Thread(target=lambda: said.append(queue.await_picture(60.0, lambda: False)))
    thread.start()
    queue.add_image(frame(0))
    thread.join(30.0)
    assert said == [""]
