# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A running episode's frames are those that the recorder's assembler would store."""

import numpy as np
import pytest

from roboreward_ros.episodes.frame_feed import FrameFeed
from roboreward_ros.types import RobotState


def state(stamp_ns):
    zeros = np.zeros(6)
    return RobotState(stamp_ns, zeros, zeros, zeros, 1.0, np.eye(4), np.zeros(7))


def image(level):
    return np.full((2, 2, 3), level, np.uint8)


@pytest.fixture
def feed():
    made = FrameFeed(
        lambda pixels: bytes([int(pixels[0, 0, 0])]),
        lambda frame: made.frames.append((frame.episode_id, frame.task, frame.step, frame.jpeg)),
        lambda name: made.aborted.append(name),
        max_skew_s=1e-6,
    )
    made.frames, made.aborted = [], []
    return made


def play(feed, name, count, start_ns=0):
    feed.begin(name, "t")
    for step in range(count):
        feed.add_image(start_ns + step, image(step))
        feed.add_state(name, step, state(start_ns + step), step == count - 1)


def test_frames_come_in_order_with_their_episode(feed):
    play(feed, "a", 3)
    play(feed, "b", 2, start_ns=100)
    steps = [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]
    assert feed.frames == [(name, "t", step, bytes([step])) for name, step in steps]


def test_an_image_may_come_after_its_state(feed):
    feed.begin("a", "t")
    feed.add_state("a", 0, state(5), False)
    assert feed.frames == []
    feed.add_image(5, image(7))
    assert feed.frames == [("a", "t", 0, b"\x07")]


def test_behind_a_missing_image_nothing_is_shown_any_more(feed):
    feed.begin("a", "t")
    for step, stamp_ns in enumerate((0, 10_000_000, 20_000_000)):
        if step != 1:
            feed.add_image(stamp_ns, image(step))
        feed.add_state("a", step, state(stamp_ns), False)
    assert [step for _, _, step, _ in feed.frames] == [0]


def test_states_of_another_episode_and_of_none_are_not_shown(feed):
    feed.add_image(0, image(0))
    feed.add_state("a", 0, state(0), False)
    feed.begin("b", "t")
    feed.add_image(1, image(0))
    feed.add_state("a", 1, state(1), False)
    assert feed.frames == []


def test_an_end_mark_ends_it_and_images_between_episodes_are_not_kept(feed):
    play(feed, "a", 2)
    feed.add_state("a", 1, state(1), True)
    for stamp_ns in range(2, 100):
        feed.add_image(stamp_ns, image(1))
    assert feed._assembler is None
    assert len(feed.frames) == 2


def test_an_aborted_episode_is_forgotten(feed):
    feed.begin("a", "t")
    feed.abort("a")
    feed.add_image(0, image(0))
    feed.add_state("a", 0, state(0), False)
    assert (feed.frames, feed.aborted) == ([], ["a"])
