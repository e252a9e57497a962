# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frozen policy inside the update: noise to the executed part of a chunk, in unit spread."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from roboreward_ros.dsrl.agent import Rows, moments
from roboreward_ros.dsrl.replay import ReplayView
from roboreward_ros.errors import LearnerError
from roboreward_ros.protocols import Policy
from roboreward_ros.types import ACTION_DIM, Float32Array

Decode = Callable[[Float32Array, Float32Array], Float32Array]
"""``Policy.decode``: features ``[B, F]`` and noise ``[B, P, 7]`` to chunks ``[B, P, 7]``."""


def decode_of(policy: Policy | None, policy_id: str) -> Decode | None:
    """``policy.decode``, if that policy recorded what is learnt from; None without a policy.

    Args:
        policy: that decodes noise in the updates.
        policy_id: of the policy that recorded the episodes.

    Raises:
        LearnerError: another one did: the same noise would decode to other chunks.
    """
    if policy is None:
        return None
    if policy.spec.policy_id != policy_id:
        raise LearnerError(
            "the episodes were recorded with another policy than the one that decodes here",
            got=policy_id,
            allowed=policy.spec.policy_id,
            next_step="Give the learner the policy that the arm runs: policy:= of a launch, "
            "--policy of `roboreward serve learner`.",
        )
    return policy.decode


class ChunkDecoder:
    """Frozen: nothing is differentiated through it.

    The features are those that the episode stored, so the image encoder never runs again; only
    the denoiser does.

    Args:
        decode: of the frozen policy, physical units.
        chunk_size: C, executed actions.
    """

    def __init__(self, decode: Decode, chunk_size: int) -> None:
        self._decode = decode
        self.dim = chunk_size * ACTION_DIM
        self.mean = torch.zeros(self.dim)
        self.scale = torch.ones(self.dim)

    def fit(self, replay: ReplayView) -> None:
        """Fix mean and spread by the executed chunks of the warm-up."""
        rows = np.concatenate([replay.trainable_rows(), replay.trainable_rows(prior=True)])
        mean, scale = moments(torch.from_numpy(replay.actions[rows]))
        self.mean.copy_(mean)
        self.scale.copy_(scale)

    def unit(self, actions: Float32Array) -> Tensor:
        """Chunks ``[B, C * 7]`` of physical ones ``[B, C * 7]``; unclipped."""
        return (torch.from_numpy(actions) - self.mean) * self.scale

    def chunks(self, replay: ReplayView, rows: Rows) -> Tensor:
        """The chunks that ran ``[B, C * 7]``, unit spread."""
        return self.unit(replay.actions[rows])

    def decode(self, replay: ReplayView, rows: Rows, noise: Tensor) -> Tensor:
        """pi_dp(s, w) for the states of ``rows``; unit spread.

        Args:
            replay: holds the features.
            rows: ``[B]``.
            noise: ``[B * n, P * 7]``, n draws a row.
        """
        features = replay.features[rows]
        draws = len(noise) // len(rows)
        if draws > 1:
            features = np.repeat(features, draws, axis=0)
        w = noise.detach().numpy().reshape(len(noise), -1, ACTION_DIM)
        chunks = self._decode(features, w).reshape(len(noise), -1)[:, : self.dim]
        return self.unit(chunks)
