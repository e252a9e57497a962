# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Long work on an episode in bounded pieces, so that its learner can be told, saved and stopped.

A generator that stops behind each piece and gives its result at the end. Where a piece ends depends
on the episode alone: batches of another size would differ in their last bits.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TypeVar

import numpy as np

from roboreward_ros.policies.inversion import Inversion, Invertible, invert
from roboreward_ros.types import Float32Array

T = TypeVar("T")
Pieces = Generator[None, None, T]
PIECE = 8
"""Decisions that are encoded or inverted at once; larger batches are hardly faster."""


def whole(pieces: Pieces[T]) -> T:
    """The result, without a stop."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            result: T = end.value
            return result


def stretches(count: int) -> Iterator[slice]:
    """``count`` rows in stretches of a piece each."""
    return (slice(start, start + PIECE) for start in range(0, count, PIECE))


def inverted(policy: Invertible, features: Float32Array, chunks: Float32Array) -> Pieces[Inversion]:
    """``policies.inversion.invert`` in pieces; there is at least one chunk."""
    found = []
    for rows in stretches(len(chunks)):
        found.append(invert(policy, features[rows], chunks[rows]))
        yield
    return Inversion(
        np.concatenate([it.noise for it in found]),
        np.concatenate([it.residual for it in found]),
        np.concatenate([it.norm for it in found]),
    )
