# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A policy of another host that does not answer: the arm holds until the next decision."""

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.dsrl.answering import AnswerOrder, EpisodeAnswerer
from roboreward_ros.errors import LinkError, RefusedError
from roboreward_ros.policies.observations import ObservationQueue
from roboreward_ros.testing.fake_policy import FakePolicy
from roboreward_ros.types import Beat, EndCause, Frame, RobotState

EPISODE = "ep_000000"
STEPS = 12
CHUNK = 4


class FarPolicy(FakePolicy):
    """Its host is away at some decisions."""

    def __init__(self, away: set[int], error: type[LinkError], clock: FakeClock) -> None:
        super().__init__(chunk_size=CHUNK)
        self.away, self.error, self.clock, self.decision = away, error, clock, -1

    def encode(self, images, proprio, tasks):
        self.decision += 1
        if self.decision in self.away:
            self.clock.advance(1.0)
            raise self.error("no answer from gpu:8651 within 1 s")
        return super().encode(images, proprio, tasks)


class Sink:
    def __init__(self) -> None:
        self.acted, self.held, self.decisions = [], [], []

    def decided(self, chunk, frame, latency_ns) -> None:
        self.decisions.append(chunk.step)

    def act(self, action) -> None:
        self.acted.append(action.step)

    def late(self, step, what) -> None:
        self.held.append((step, what))


def answered(policy: FarPolicy, stall_s: float) -> tuple[Sink, object]:
    """An episode whose states all wait: each is the newest when it is answered."""
    sink, queue = Sink(), ObservationQueue(policy.clock, 0.2)
    queue.open(EPISODE, by_stamp=True)
    steps = iter(range(STEPS + 1))

    def next_beat(timeout_s):
        step = next(steps)
        state = RobotState(step, np.zeros(6), np.zeros(6), np.zeros(6), 1.0, np.eye(4), np.zeros(7))
        queue.add_image(Frame(np.zeros((32, 32, 3), np.uint8), step))
        return Beat(EPISODE, step, state, None, EndCause.TIME if step == STEPS else None), 0

    queue.next_beat = next_beat  # type: ignore[method-assign]
    answerer = EpisodeAnswerer(policy, None, queue, sink, policy.clock, stall_s)
    return sink, answerer.run(AnswerOrder(EPISODE, "any", STEPS, 0))


def test_a_decision_that_does_not_come_is_held_and_the_next_one_is_made() -> None:
    sink, cause = answered(FarPolicy({1}, LinkError, FakeClock()), stall_s=60.0)
    assert cause is EndCause.TIME
    assert sink.decisions == [0, 8]
    assert sink.acted == [0, 1, 2, 3, 8, 9, 10, 11]
    assert [step for step, _ in sink.held] == [4]
    assert "no answer from gpu:8651" in sink.held[0][1]


def test_a_host_that_stays_away_ends_the_episode_with_the_reason() -> None:
    with pytest.raises(LinkError, match="gpu:8651"):
        answered(FarPolicy({0, 1, 2}, LinkError, FakeClock()), stall_s=0.5)


def test_a_host_that_refuses_ends_the_episode_at_once() -> None:
    with pytest.raises(RefusedError):
        answered(FarPolicy({0}, RefusedError, FakeClock()), stall_s=60.0)
