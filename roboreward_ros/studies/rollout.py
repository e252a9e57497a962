# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One episode in this process, through the same protocols as the nodes.

Robot, camera and policy are the protocols' own objects and the noise is a function of (seed,
chunk), so an episode equals the one that the ROS stack runs with that seed, step for step. It is
much cheaper, since nothing is drawn between decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.edit_actor import steered_chunk
from roboreward_ros.dsrl.replay import remaining_fraction
from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.chunking import ChunkPlayer
from roboreward_ros.policies.history import ObservationHistory
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.protocols import Camera, Policy, Robot
from roboreward_ros.types import (
    ACTION_DIM,
    Chunk,
    EndCause,
    EpisodeMeta,
    EpisodeSummary,
    Float32Array,
    GroundTruth,
    closing_chunk,
    require_shape,
)


class NoiseChooser(Protocol):
    """Chooses the latent of each decision."""

    @property
    def version(self) -> int:
        """Version of the steering actor; 0 without one."""

    @property
    def steered(self) -> bool:
        """Whether an actor chooses."""

    def decide(
        self, policy: Policy, features: Float32Array, remaining: float, seed: int, chunk: int
    ) -> tuple[Float32Array, Float32Array]:
        """Noise and actions ``[P, 7]`` from features ``[F]`` and the share of time left."""


def _decoded(
    policy: Policy, features: Float32Array, w: Float32Array
) -> tuple[Float32Array, Float32Array]:
    return w, policy.decode(features[None], w[None])[0]


@dataclass(frozen=True, slots=True)
class PriorNoise:
    """w ~ N(0, scale^2 I); scale 1 is the base policy."""

    scale: float = 1.0
    version: int = 0
    steered: bool = False

    def decide(
        self, policy: Policy, features: Float32Array, remaining: float, seed: int, chunk: int
    ) -> tuple[Float32Array, Float32Array]:
        del remaining
        w = np.float32(self.scale) * prior_noise(seed, chunk, policy.spec.prediction_horizon)
        return _decoded(policy, features, w)


@dataclass(frozen=True, slots=True)
class ConstantNoise:
    """The same latent ``w [P, 7]`` at every decision; ``w=None`` is w = 0."""

    w: Float32Array | None = None
    version: int = 0
    steered: bool = False

    def decide(
        self, policy: Policy, features: Float32Array, remaining: float, seed: int, chunk: int
    ) -> tuple[Float32Array, Float32Array]:
        del remaining, seed, chunk
        shape = (policy.spec.prediction_horizon, ACTION_DIM)
        w = np.zeros(shape, dtype=np.float32) if self.w is None else self.w
        require_shape("ConstantNoise.w", w, shape)
        return _decoded(policy, features, w)


@dataclass(frozen=True, slots=True)
class SteeredNoise:
    """The steering actor, sampling or (``deterministic``) by its mean."""

    actor: SteeringActor
    deterministic: bool = False

    @property
    def version(self) -> int:
        return self.actor.version

    @property
    def steered(self) -> bool:
        return True

    def decide(
        self, policy: Policy, features: Float32Array, remaining: float, seed: int, chunk: int
    ) -> tuple[Float32Array, Float32Array]:
        horizon = policy.spec.prediction_horizon
        if horizon != self.actor.horizon:
            raise ConfigError(
                "the actor steers another horizon", got=self.actor.horizon, allowed=horizon
            )
        return steered_chunk(
            policy.decode, self.actor, features, remaining, seed, chunk, self.deterministic
        )


@dataclass(frozen=True, slots=True)
class RolloutResult:
    """One finished episode; has what the learner reads (``dsrl.replay.EpisodeData``).

    Attributes:
        summary: header and end, as the recorder would write it.
        truth: ground truth of the last state; success counts there only.
        decisions: every chunk, and the closing one where it was asked for.
        step_flags: StepFlag values ``[T]``.
    """

    summary: EpisodeSummary
    truth: GroundTruth
    decisions: tuple[Chunk, ...]
    step_flags: tuple[int, ...]

    @property
    def seed(self) -> int:
        """Seed of layout and noise."""
        return self.summary.meta.seed

    @property
    def success(self) -> bool:
        """The task's own test on the last state."""
        return self.truth.success

    def flags(self) -> Sequence[int]:
        return self.step_flags

    def chunks(self) -> Sequence[Chunk]:
        return self.decisions


class Rollout:
    """Runs episodes.

    Args:
        robot: connected arm or twin.
        camera: open camera of the same scene; read where a decision sees it.
        policy: frozen policy.
        truth: ground truth of the present state.
        robot_name: profile name for the episode's header.
    """

    def __init__(
        self,
        robot: Robot,
        camera: Camera,
        policy: Policy,
        truth: Callable[[], GroundTruth],
        robot_name: str = "wx250s",
    ) -> None:
        self._robot = robot
        self._camera = camera
        self._policy = policy
        self._truth = truth
        self._robot_name = robot_name

    @property
    def policy(self) -> Policy:
        """The frozen policy."""
        return self._policy

    def run(
        self,
        task: str,
        seed: int,
        chooser: NoiseChooser,
        max_steps: int,
        index: int = 0,
        *,
        closing: bool = False,
    ) -> RolloutResult:
        """Run one episode of ``max_steps`` control steps.

        Args:
            task: sentence, also what the twin lays out.
            seed: of layout and noise.
            chooser: of the latents.
            max_steps: time limit in control steps.
            index: number in the run.
            closing: look at the last state too, for a learner that bootstraps from it.
        """
        spec = self._policy.spec
        player, history = ChunkPlayer(spec), ObservationHistory(spec)
        state = self._robot.reset(task, seed)
        chunks: list[Chunk] = []
        flags: list[int] = []
        for step in range(max_steps):
            if player.needs_decision(step):
                image, proprio = history.seen(
                    step, self._camera.read(timeout_s=5.0).image, state.proprio
                )
                features = self._policy.encode([image], proprio[None], [task])[0]
                k = player.schedule.index(step)
                w, actions = chooser.decide(
                    self._policy, features, remaining_fraction(step, max_steps), seed, k
                )
                player.load(step, actions)
                executed = min(spec.chunk_size, max_steps - step)
                chunks.append(
                    Chunk(k, step, w, features, actions, chooser.version, chooser.steered, executed)
                )
            if history.wants(step):
                history.add(step, self._camera.read(timeout_s=5.0).image, state.proprio)
            report = self._robot.step(player.action(step))
            flags.append(int(report.flags))
            state = report.state
        if closing:
            image, proprio = history.seen(
                max_steps, self._camera.read(timeout_s=5.0).image, state.proprio
            )
            features = self._policy.encode([image], proprio[None], [task])[0]
            horizon, version = spec.prediction_horizon, chooser.version
            chunks.append(closing_chunk(len(chunks), max_steps, features, horizon, version))
        meta = EpisodeMeta(
            episode_id=f"ep_{index:06d}",
            index=index,
            task=task,
            seed=seed,
            max_steps=max_steps,
            control_hz=spec.control_hz,
            robot=self._robot_name,
            policy_id=spec.policy_id,
            chunk_size=spec.chunk_size,
            created_ns=state.stamp_ns,
        )
        summary = EpisodeSummary(
            meta, max_steps, EndCause.TIME, complete=True, policy_version=chooser.version
        )
        return RolloutResult(summary, self._truth(), tuple(chunks), tuple(flags))

    def run_many(
        self, task: str, seeds: Sequence[int], chooser: NoiseChooser, max_steps: int
    ) -> list[RolloutResult]:
        """Held-out evaluation: one episode per seed, in order."""
        return [self.run(task, seed, chooser, max_steps, k) for k, seed in enumerate(seeds)]
