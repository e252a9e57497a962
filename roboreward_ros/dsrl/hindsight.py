# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What stored decisions say of the actor that made them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.replay import remaining_fraction
from roboreward_ros.types import Chunk

NEAR = 0.95
"""Share of its bound from which a mean counts as stuck there: its tanh then has a slope below 0.1,
so that the critic hardly moves it any more."""


def drawn_by_prior(chunks: Sequence[Chunk], seed: int) -> bool:
    """Whether a published actor that is the plain prior chose the noise of every decision.

    Asks the noise alone: the actor's file may have been pruned since. A trained actor never gives
    its own draw back, and a repeated or clipped one is no draw of the prior.

    Args:
        chunks: decisions of one episode; none of them says nothing, False.
        seed: of the episode.
    """
    if not chunks:
        return False
    prior = SteeringActor.prior("", len(chunks[0].noise))
    return all(
        np.array_equal(chunk.noise, prior.steer(chunk.features, 0.0, seed, chunk.index))
        for chunk in chunks
    )


def stuck_means(actor: SteeringActor, chunks: Sequence[Chunk], max_steps: int) -> float:
    """Share of the actor's means that are at their bound; 0 for one that has no means.

    A residual actor's mean is ``mean_bound * tanh(.)``; a squashed one's ends at its ``squash``.
    The draw around it hides that in the noise itself.

    Args:
        actor: the version that decided.
        chunks: its decisions, one or more.
        max_steps: time limit of their episode in control steps.
    """
    means = np.stack(
        [
            actor.distribution(chunk.features, remaining_fraction(chunk.step, max_steps))[0]
            for chunk in chunks
        ]
    )
    shares = np.tanh(means) if actor.squash > 0 else means / actor.mean_bound
    return float(np.mean(np.abs(shares) >= NEAR))
