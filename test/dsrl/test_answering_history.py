# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a policy is shown at its decisions and at the end: observations of the steps before too."""

import dataclasses

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.dsrl.answering import AnswerOrder, EpisodeAnswerer
from roboreward_ros.errors import LinkError
from roboreward_ros.policies.observations import ObservationQueue
from roboreward_ros.testing.fake_policy import FakePolicy
from roboreward_ros.types import Beat, EndCause, Frame, RobotState

EPISODE = "ep_000000"
STEPS = 8


class LookingPolicy(FakePolicy):
    """Remembers what it was shown; computes on the newest."""

    def __init__(self, observation_steps: int) -> None:
        super().__init__(chunk_size=4)
        self._spec = dataclasses.replace(self._spec, observation_steps=observation_steps)
        self.seen = []

    def encode(self, images, proprio, tasks):
        self.seen.append((np.array(images[0]), np.array(proprio[0])))
        return super().encode([images[0][-1]], proprio[:, -1], tasks)


class PlayedArm:
    """Shows the next state when the action of the last one came, as the twin does."""

    def __init__(self, queue: ObservationQueue) -> None:
        self.queue = queue
        self.actions = 0
        self.closings = []
        self.cause, self.end = EndCause.TIME, STEPS

    def show(self, step: int) -> None:
        state = RobotState(
            stamp_ns=step,
            q=np.zeros(6),
            dq=np.zeros(6),
            effort=np.zeros(6),
            gripper=1.0,
            ee_pose=np.eye(4),
            proprio=np.full(7, float(step)),
        )
        cause = self.cause if step == self.end else None
        self.queue.add_image(Frame(np.full((32, 32, 3), step, np.uint8), step))
        self.queue.add_beat(Beat(EPISODE, step, state, None, cause))

    def decided(self, chunk, frame, latency_ns) -> None:
        pass

    def act(self, action) -> None:
        self.actions += 1
        self.show(action.step + 1)

    def closed(self, episode_id, chunk, frame) -> None:
        self.closings.append((episode_id, chunk, frame))

    def late(self, step, what) -> None:
        raise AssertionError(f"step {step}: {what}")


def test_it_sees_the_steps_before_a_decision_oldest_first() -> None:
    policy, clock = LookingPolicy(3), FakeClock()
    queue = ObservationQueue(clock, 0.2)
    queue.open(EPISODE, by_stamp=True)
    arm = PlayedArm(queue)
    arm.show(0)
    answerer = EpisodeAnswerer(policy, None, queue, arm, clock, 1.0)
    assert answerer.run(AnswerOrder(EPISODE, "any", STEPS, 0)) is EndCause.TIME
    assert arm.actions == STEPS
    pictures = [images[:, 0, 0, 0].tolist() for images, _ in policy.seen]
    states = [proprio[:, 0].tolist() for _, proprio in policy.seen]
    assert pictures == states == [[0, 0, 0], [2, 3, 4]]
    answerer.close(AnswerOrder(EPISODE, "any", STEPS, 0))
    assert policy.seen[2][0][:, 0, 0, 0].tolist() == [6, 7, 8]
    ((episode_id, chunk, frame),) = arm.closings
    assert (episode_id, chunk.index, chunk.step, frame.stamp_ns) == (EPISODE, 2, STEPS, STEPS)
    assert not chunk.actions.any()
    assert not chunk.noise.any()


def end_with(cause, end=STEPS, encode=None):
    """Play an episode that ends at ``end``; what the answerer closes it with and notes."""
    policy, clock = LookingPolicy(1), FakeClock()
    policy.encode = encode or FakePolicy.encode.__get__(policy)
    queue = ObservationQueue(clock, 0.2)
    queue.open(EPISODE, by_stamp=True)
    arm = PlayedArm(queue)
    arm.cause, arm.end, notes = cause, end, []
    arm.late = lambda step, what: notes.append(what)
    arm.show(0)
    answerer = EpisodeAnswerer(policy, None, queue, arm, clock, 1.0)
    order = AnswerOrder(EPISODE, "any", STEPS, 0)
    assert answerer.run(order) is cause
    answerer.close(order)
    return arm.closings, notes


@pytest.mark.parametrize(
    ("cause", "end", "closings"),
    [
        (EndCause.TIME, 8, 1),
        (EndCause.OPERATOR, 6, 1),
        (EndCause.FAULT, 6, 0),
        (EndCause.OPERATOR, 0, 0),
    ],
)
def test_every_end_but_a_fault_is_closed(cause, end, closings) -> None:
    found, notes = end_with(cause, end)
    assert ([chunk.step for _, chunk, _ in found], notes) == ([end] * closings, [])


def test_a_policy_that_cannot_be_asked_leaves_the_end_open() -> None:
    policy = FakePolicy(chunk_size=4)
    calls = []

    def encode(images, proprio, tasks):
        calls.append(tasks)
        if len(calls) == 3:
            raise LinkError("its host is gone")
        return FakePolicy.encode(policy, images, proprio, tasks)

    found, notes = end_with(EndCause.TIME, encode=encode)
    assert found == []
    assert len(notes) == 1
    assert "its host is gone" in notes[0]


def test_a_decision_that_the_end_overtook_closes_the_episode() -> None:
    policy, clock = LookingPolicy(1), FakeClock()
    policy.encode = FakePolicy.encode.__get__(policy)
    queue = ObservationQueue(clock, 0.2)
    queue.open(EPISODE, by_stamp=True)
    arm = PlayedArm(queue)
    arm.end = 4

    def act(action):
        arm.actions += 1
        arm.cause = EndCause.OPERATOR if action.step == 4 else None
        arm.show(min(action.step + 1, 4))  # the operator ends it at step 4, after its decision

    arm.act = act
    arm.cause = None
    arm.show(0)
    answerer = EpisodeAnswerer(policy, None, queue, arm, clock, 1.0)
    order = AnswerOrder(EPISODE, "any", STEPS, 0)
    assert answerer.run(order) is EndCause.OPERATOR
    answerer.close(order)
    assert (answerer.decisions, arm.closings) == (2, [])
