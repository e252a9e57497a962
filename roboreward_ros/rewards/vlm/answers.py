# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A distribution over answers, and the numbers that are read off it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.types import FloatArray


class Estimate(StrEnum):
    """Point estimates: what greedy decoding prints, least absolute and least squared error."""

    ARGMAX = "argmax"
    MEDIAN = "median"
    EXPECTED = "expected"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model holds likely, of the answers it may give.

    Attributes:
        levels: admissible values, ascending.
        probabilities: masses of ``levels``, normalised among them.
        logits: of ``levels`` before normalisation (of tokens, or log-probabilities of sequences).
        off_answer_mass: probability of anything but an answer.
    """

    levels: tuple[float, ...]
    probabilities: tuple[float, ...]
    logits: tuple[float, ...]
    off_answer_mass: float

    @property
    def expected(self) -> float:
        return float(np.dot(self.levels, self.probabilities))

    @property
    def argmax(self) -> float:
        return self.levels[int(np.argmax(self.probabilities))]

    @property
    def median(self) -> float:
        """Smallest level that half of the mass does not exceed."""
        index = int(np.searchsorted(np.cumsum(self.probabilities), 0.5 - 1e-9))
        return self.levels[min(index, len(self.levels) - 1)]

    @property
    def entropy(self) -> float:
        """Of ``probabilities``, nats."""
        p = np.asarray(self.probabilities)
        return float(-np.sum(p * np.log(np.maximum(p, 1e-300))))

    def value(self, estimate: Estimate) -> float:
        """The point estimate, within the levels' range."""
        match estimate:
            case Estimate.ARGMAX:
                return self.argmax
            case Estimate.MEDIAN:
                return self.median
            case Estimate.EXPECTED:
                return min(max(self.expected, self.levels[0]), self.levels[-1])


def answer(levels: Sequence[float], logits: FloatArray, log_total: float) -> Answer:
    """From the logits ``[n]`` of the answers and the log-sum-exp over everything.

    Raises:
        RewardSourceError: the model gave NaN or infinite logits.
        ConfigError: levels are not ascending, or as many as the logits.
    """
    if len(levels) != len(logits) or any(np.diff(levels) <= 0):
        raise ConfigError("levels do not fit the logits", got=f"{levels} for {len(logits)} logits")
    values = np.asarray(logits, dtype=np.float64)
    if not (np.isfinite(values).all() and np.isfinite(log_total)):
        raise RewardSourceError(
            "the model gave logits that are not finite",
            got=values.tolist(),
            next_step="Use dtype float32, or check the checkpoint.",
        )
    top = values.max()
    masses = np.exp(values - top)
    total = float(masses.sum())
    on_answer = total * float(np.exp(top - log_total))
    return Answer(
        tuple(float(level) for level in levels),
        tuple((masses / total).tolist()),
        tuple(values.tolist()),
        min(max(1.0 - on_answer, 0.0), 1.0),
    )
