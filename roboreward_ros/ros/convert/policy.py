# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Decisions of the policy and announcements of steering actors."""

from __future__ import annotations

from dataclasses import dataclass

import roboreward_ros.msg as msg
from roboreward_ros.ros.convert.robot import BASE_FRAME
from roboreward_ros.ros.convert.stamps import header, singles, stamp_from_msg, to_singles
from roboreward_ros.types import ACTION_DIM, Chunk


@dataclass(frozen=True, slots=True)
class Decision:
    """One chunk with where it belongs.

    Attributes:
        episode_id: which episode.
        chunk: what was decided.
        policy_id: sha256 of the frozen policy.
        chunk_size: C, actions that will be executed.
        stamp_ns: of the observation that it was made from.
    """

    episode_id: str
    chunk: Chunk
    policy_id: str
    chunk_size: int
    stamp_ns: int


def decision_to_msg(decision: Decision) -> msg.ActionChunk:
    """A decision as a message."""
    chunk = decision.chunk
    message = msg.ActionChunk(header=header(decision.stamp_ns, BASE_FRAME))
    message.episode_id = decision.episode_id
    message.step = int(chunk.step)
    message.chunk = int(chunk.index)
    message.policy_id = decision.policy_id
    message.policy_version = int(chunk.policy_version)
    message.steered = bool(chunk.steered)
    message.prediction_horizon = int(chunk.noise.shape[0])
    message.chunk_size = int(decision.chunk_size)
    message.noise = singles(chunk.noise)
    message.features = singles(chunk.features)
    message.actions = singles(chunk.actions)
    message.latency_s = float(chunk.latency_s)
    return message


def decision_from_msg(message: msg.ActionChunk) -> Decision:
    """The decision of a message; ``executed`` is the store's to fill in."""
    horizon = int(message.prediction_horizon)
    chunk = Chunk(
        index=int(message.chunk),
        step=int(message.step),
        noise=to_singles(message.noise, (horizon, ACTION_DIM)),
        features=to_singles(message.features, (-1,)),
        actions=to_singles(message.actions, (horizon, ACTION_DIM)),
        policy_version=int(message.policy_version),
        steered=bool(message.steered),
        latency_s=float(message.latency_s),
    )
    return Decision(
        episode_id=message.episode_id,
        chunk=chunk,
        policy_id=message.policy_id,
        chunk_size=int(message.chunk_size),
        stamp_ns=stamp_from_msg(message.header.stamp),
    )
