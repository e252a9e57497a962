# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an actor file does with the frozen policy: latents in, one chunk out. Numpy only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from roboreward_ros.dsrl.actor import EDIT_LOG_STD, SteeringActor
from roboreward_ros.dsrl.numpy_nets import forward
from roboreward_ros.errors import CheckpointError
from roboreward_ros.types import ACTION_DIM, Float32Array

Decode = Callable[[Float32Array, Float32Array], Float32Array]
"""``Policy.decode``: features ``[B, F]`` and noise ``[B, P, 7]`` to chunks ``[B, P, 7]``."""


def steered_chunk(
    decode: Decode,
    actor: SteeringActor,
    features: Float32Array,
    remaining: float,
    seed: int,
    chunk: int,
    deterministic: bool = False,
) -> tuple[Float32Array, Float32Array]:
    """Noise ``[P, 7]`` and actions ``[P, 7]`` (physical units, unclipped) of one decision.

    Args:
        decode: of the frozen policy.
        actor: a published version.
        features: frozen conditioning ``[F]`` float32.
        remaining: fraction of the time limit left, 0..1.
        seed: of the episode.
        chunk: number of the decision.
        deterministic: the actor's mean; an edit network's mean.
    """
    if actor.edit_bound == 0:
        w = actor.steer(features, remaining, seed, chunk, deterministic)
        return w, decode(features[None], w[None])[0]
    return _best_edit(decode, actor, features, remaining, seed, chunk, deterministic)


def _best_edit(
    decode: Decode,
    actor: SteeringActor,
    features: Float32Array,
    remaining: float,
    seed: int,
    chunk: int,
    deterministic: bool,
) -> tuple[Float32Array, Float32Array]:
    """The critic's favourite of N chunks of the policy and their N edits (``dsrl.edit``)."""
    mean, scale = actor.weights["actions.mean"], actor.weights["actions.scale"]
    size = len(mean)
    n = actor.candidates
    _, w = actor.draw(features, remaining, seed, chunk)
    w = w.reshape(n, actor.horizon, ACTION_DIM)
    chunks = decode(np.repeat(features[None], n, axis=0), w)
    if chunks[0].size < size:
        raise CheckpointError(
            "the actor edits longer chunks than the policy decodes",
            got=chunks[0].size,
            allowed=size,
        )
    plain = (chunks.reshape(n, -1)[:, :size] - mean) * scale
    state = np.repeat(actor.state(features, remaining)[None], n, axis=0)
    out = forward(actor.weights, "edit.", actor.activation, np.concatenate([state, plain], axis=1))
    u = actor.mean_bound * np.tanh(out[:, :size] / actor.mean_bound)
    if not deterministic:
        log_std = actor.log_std_bound * np.tanh(out[:, size:] / actor.log_std_bound)
        draws = np.random.default_rng((seed, chunk, 2)).standard_normal(u.shape)
        u = u + np.exp(log_std + EDIT_LOG_STD) * draws.astype(np.float32)
    edit = actor.edit_bound * np.tanh(u) * (scale > 0)
    choices = np.concatenate([plain, plain + edit]).astype(np.float32)
    best = int(np.argmax(actor.values(features, remaining, choices)))
    actions = chunks[best % n].astype(np.float32)
    if best >= n:
        spread = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
        flat = actions.reshape(-1)
        flat[:size] += edit[best % n] * spread
        actions = flat.reshape(actions.shape)
    return w[best % n], actions
