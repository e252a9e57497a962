# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A policy that decides from several observations gets those of the steps before its decision."""

import dataclasses

import numpy as np

from roboreward_ros.clock import FakeClock
from roboreward_ros.dsrl.answering import AnswerOrder, EpisodeAnswerer
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
        cause = EndCause.TIME if step == STEPS else None
        self.queue.add_image(Frame(np.full((32, 32, 3), step, np.uint8), step))
        self.queue.add_beat(Beat(EPISODE, step, state, None, cause))

    def decided(self, chunk, frame, latency_ns) -> None:
        pass

    def act(self, action) -> None:
        self.actions += 1
        self.show(action.step + 1)

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
