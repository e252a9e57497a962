# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Answers the states of one episode with actions: decide, play the chunk, drop what is late.

One thread runs it; states and images come through an ObservationQueue. Knows nothing about
transport.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from roboreward_ros.clock import Clock
from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.steering import close, decide
from roboreward_ros.errors import (
    CameraError,
    LinkError,
    RefusedError,
    RoboRewardError,
    RobotError,
)
from roboreward_ros.policies.chunking import ChunkPlayer
from roboreward_ros.policies.history import ObservationHistory
from roboreward_ros.policies.observations import ObservationQueue
from roboreward_ros.protocols import Policy
from roboreward_ros.types import Beat, Chunk, EndCause, Frame, StepAction

CLOSING_IMAGE_S = 0.2
"""The last state's picture is on its way with it, or the camera is gone."""


@dataclass(frozen=True, slots=True)
class AnswerOrder:
    """One episode to answer.

    Attributes:
        episode_id: which.
        task: the sentence.
        max_steps: time limit in control steps.
        seed: of the noise.
    """

    episode_id: str
    task: str
    max_steps: int
    seed: int


class AnswerSink(Protocol):
    """Takes what is decided; called on the answering thread."""

    def decided(self, chunk: Chunk, frame: Frame, latency_ns: int) -> None:
        """A decision from ``frame``, ``latency_ns`` after its state came."""

    def act(self, action: StepAction) -> None:
        """The action of one step."""

    def closed(self, episode_id: str, chunk: Chunk, frame: Frame) -> None:
        """What the policy sees of the episode's last state, from ``frame``."""

    def late(self, step: int, what: str) -> None:
        """A chunk or an action was dropped, or could not be made, at ``step``."""


class EpisodeAnswerer:
    """See the module's text.

    Args:
        policy: frozen policy.
        actor: chooses the noise; None draws it from the prior.
        queue: opened for the episode.
        sink: takes decisions and actions.
        clock: its steady clock times decisions.
        stall_s: silence that ends the run.
    """

    def __init__(
        self,
        policy: Policy,
        actor: SteeringActor | None,
        queue: ObservationQueue,
        sink: AnswerSink,
        clock: Clock,
        stall_s: float,
    ) -> None:
        self.decisions = 0
        self._policy = policy
        self._actor = actor
        self._queue = queue
        self._sink = sink
        self._clock = clock
        self._stall_s = stall_s
        self._player = ChunkPlayer(policy.spec)
        self._history = ObservationHistory(policy.spec)
        self._decided_step = -1
        self._end: Beat | None = None
        self._away_ns = -1  # since when the policy's host does not answer

    @property
    def version(self) -> int:
        """Of the steering actor; 0 is the prior."""
        return 0 if self._actor is None else self._actor.version

    def run(self, order: AnswerOrder) -> EndCause | None:
        """Answer until the last state; None when the queue was woken or fell silent.

        Raises:
            CameraError: images that are too small for the policy.
            CheckpointError, ConfigError: what the policy refuses.
            LinkError: its host refuses, or is away for ``stall_s``.
            RobotError: a state that makes no sense.
        """
        while (taken := self._queue.next_beat(self._stall_s)) is not None:
            beat, heard_ns = taken
            if beat.end_cause is not None:
                self._end = beat
                return beat.end_cause
            if self._player.needs_decision(beat.step) and not self._decide(order, beat, heard_ns):
                continue
            self._answer(order, beat)
            if self._history.wants(beat.step):
                self._remember(beat)
        return None

    def close(self, order: AnswerOrder) -> None:
        """Tell the sink of the closing decision, where there is one to make.

        Behind ``run`` and apart from it, since the arm is not to wait: the episode is over, and as
        good without. A fault's end teaches nothing; a decision that the end overtook closes too.
        """
        beat = self._end
        if beat is None or beat.end_cause is EndCause.FAULT:
            return
        if beat.step in (0, self._decided_step) or not np.isfinite(beat.state.proprio).all():
            return
        frame = self._queue.image_for(beat, CLOSING_IMAGE_S)
        if frame is None:
            self._sink.late(beat.step, "no closing decision: no image of the last state")
            return
        image, proprio = self._history.seen(beat.step, frame.image, beat.state.proprio)
        try:
            chunk = close(
                self._policy,
                self._actor,
                image=image,
                proprio=proprio,
                task=order.task,
                step=beat.step,
                index=self.decisions,
            )
        except RoboRewardError as error:
            self._sink.late(beat.step, f"no closing decision: {error}")
            return
        self._sink.closed(order.episode_id, chunk, frame)

    def _remember(self, beat: Beat) -> None:
        """Keep what a later decision sees; after the answer, so that it costs no latency."""
        frame = self._queue.image_for(beat, self._stall_s)
        if frame is not None:
            self._history.add(beat.step, frame.image, beat.state.proprio)

    def _decide(self, order: AnswerOrder, beat: Beat, heard_ns: int) -> bool:
        """Load the chunk of a decision step; False: not now, the arm holds meanwhile."""
        if not self._player.schedule.is_decision(beat.step):
            return False  # its decision was missed: the arm holds until the next one
        frame = self._queue.image_for(beat, self._stall_s)
        if frame is None:
            skew_s = self._queue.skew_s(beat)
            newest = "none came" if skew_s is None else f"the newest is {skew_s:.3f} s away"
            self._sink.late(beat.step, f"no image for it; {newest}")
            return False
        self._check_size(frame)
        if not np.isfinite(beat.state.proprio).all():
            raise RobotError(
                f"the arm's state of step {beat.step} is not finite",
                got=np.round(beat.state.proprio, 3).tolist(),
                next_step="See robot_node's log: its joint states must be numbers.",
            )
        image, proprio = self._history.seen(beat.step, frame.image, beat.state.proprio)
        try:
            chunk = decide(
                self._policy,
                self._actor,
                image=image,
                proprio=proprio,
                task=order.task,
                step=beat.step,
                max_steps=order.max_steps,
                seed=order.seed,
            )
        except LinkError as error:
            self._unreachable(beat.step, error)
            return False
        self._away_ns, self._decided_step = -1, beat.step
        if self._queue.newest_step(beat.step) >= beat.step + self._policy.spec.chunk_size:
            self._sink.late(beat.step, "the whole chunk came too late and was dropped")
            return False
        self._player.load(beat.step, chunk.actions)
        self.decisions += 1
        self._sink.decided(chunk, frame, self._clock.steady_ns() - heard_ns)
        return True

    def _unreachable(self, step: int, error: LinkError) -> None:
        """The policy is on another host and did not answer: the arm holds, for a while.

        Raises:
            LinkError: the host refuses, or was silent for as long as an arm may be.
        """
        now_ns = self._clock.steady_ns()
        if self._away_ns < 0:
            self._away_ns = now_ns
        if isinstance(error, RefusedError) or now_ns - self._away_ns > self._stall_s * 1e9:
            raise error
        self._sink.late(step, f"no decision: {error}")

    def _check_size(self, frame: Frame) -> None:
        side = self._policy.spec.image_size
        height, width, _ = frame.image.shape
        if min(height, width) < side:
            raise CameraError(
                "images are too small for the policy",
                got=f"{width}x{height}",
                allowed=f"{side}x{side} or larger",
                next_step="Set the image size of the camera or of sim_node.",
            )

    def _answer(self, order: AnswerOrder, beat: Beat) -> None:
        if self._queue.newest_step(beat.step) > beat.step:
            self._sink.late(beat.step, "its period is over")
            return
        size = self._policy.spec.chunk_size
        self._sink.act(
            StepAction(
                episode_id=order.episode_id,
                step=beat.step,
                action=self._player.action(beat.step),
                stamp_ns=beat.state.stamp_ns,
                chunk=beat.step // size,
                chunk_step=beat.step % size,
                policy_version=self.version,
            )
        )
