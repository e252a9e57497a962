# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Decisions, episodes and the policy that made them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from roboreward_ros.types.arrays import ACTION_DIM, Float32Array, require_shape


class EndCause(StrEnum):
    """Why an episode ended; it decides the bootstrap mask (see ``dsrl.shaping``)."""

    TIME = "time"
    OPERATOR = "operator"
    SOURCE = "source"  # the reward source said "done" k times in a row
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Chunk:
    """One decision of the policy.

    The last of an episode may be a closing one (``closing_chunk``): the state after the last step,
    at ``step`` = the episode's steps, of which nothing runs; ``without_closing`` leaves it out.

    Attributes:
        index: number of the decision in its episode, from 0.
        step: control step at which its first action is executed.
        noise: latent the chunk was decoded from ``[P, 7]`` float32 (P: prediction horizon).
        features: frozen conditioning of the decision ``[F]`` float32.
        actions: decoded, unclipped, physical units ``[P, 7]`` float32.
        policy_version: version of the steering actor; 0 is the prior.
        steered: whether the actor chose the noise (False: drawn from N(0, I)).
        executed: how many of the actions ran; fewer than planned marks a cut chunk.
        latency_s: from its observation to the decision, steady clock, s; NaN where not measured.
    """

    index: int
    step: int
    noise: Float32Array
    features: Float32Array
    actions: Float32Array
    policy_version: int
    steered: bool
    executed: int = 0
    latency_s: float = math.nan

    def __post_init__(self) -> None:
        require_shape("Chunk.noise", self.noise, (None, ACTION_DIM))
        require_shape("Chunk.actions", self.actions, (None, ACTION_DIM))
        require_shape("Chunk.features", self.features, (None,))


def closing_chunk(
    index: int, step: int, features: Float32Array, horizon: int, policy_version: int
) -> Chunk:
    """What the policy sees of the state after an episode's last step; it decides nothing there.

    A learner bootstraps from it where the time limit, not the task, ended the episode.

    Args:
        index: number of decisions before it.
        step: control steps of the episode.
        features: of that state ``[F]`` float32.
        horizon: P; noise and actions ``[P, 7]`` are zeros.
        policy_version: of the episode's steering actor.
    """
    nothing = np.zeros((horizon, ACTION_DIM), dtype=np.float32)
    return Chunk(index, step, nothing, features, nothing, policy_version, steered=False)


def without_closing(chunks: Sequence[Chunk], n_steps: int) -> list[Chunk]:
    """The decisions of an episode of ``n_steps`` steps that could run."""
    return [chunk for chunk in chunks if chunk.step < n_steps]


@dataclass(frozen=True, slots=True)
class EpisodeMeta:
    """The header of a stored episode; json-serialisable field by field.

    Attributes:
        episode_id: unique name, ``ep_000042`` style, also the folder's name.
        index: number in the run, from 0.
        task: the sentence given to policy and reward.
        seed: seed of the scene's layout (twin) and of the policy's noise.
        max_steps: time limit in control steps.
        control_hz: control rate.
        robot: profile name.
        policy_id: sha256 of the frozen policy.
        chunk_size: executed actions per decision.
        created_ns: stamp of step 0, ns since the epoch.
        canary: run with plain prior noise for comparison.
    """

    episode_id: str
    index: int
    task: str
    seed: int
    max_steps: int
    control_hz: float
    robot: str
    policy_id: str
    chunk_size: int
    created_ns: int
    canary: bool = False


@dataclass(frozen=True, slots=True)
class EpisodeSummary:
    """How a committed episode ended."""

    meta: EpisodeMeta
    n_steps: int
    end_cause: EndCause
    complete: bool  # gap-free steps
    taint: tuple[str, ...] = ()  # faults, takeover, late actions; tainted episodes do not train
    discarded: bool = False
    policy_version: int = 0


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """What a frozen policy needs and gives.

    Attributes:
        policy_id: sha256 of weights and configuration.
        prediction_horizon: P, actions decoded per decision; noise is ``[P, 7]``.
        chunk_size: C <= P, actions executed per decision.
        feature_dim: F, length of the frozen conditioning vector.
        image_size: side in pixels that ``encode`` resizes to.
        control_hz: rate that the policy was trained at.
        tasks: sentences it was trained on; empty accepts any.
        observation_steps: n, control steps whose observations one decision sees, its own the last.
    """

    policy_id: str
    prediction_horizon: int
    chunk_size: int
    feature_dim: int
    image_size: int
    control_hz: float
    tasks: tuple[str, ...] = ()
    observation_steps: int = 1
