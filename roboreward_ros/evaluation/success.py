# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Arms of a held-out evaluation: ways to choose the noise of one frozen policy, and their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from roboreward_ros.errors import ConfigError
from roboreward_ros.evaluation.intervals import Interval, paired_bootstrap, wilson


class Arm(StrEnum):
    """One way to choose the noise; the value is its key in files."""

    BASE = "base"
    ZERO = "zero"
    QUARTER = "shrunk_0.25"
    HALF = "shrunk_0.5"
    CONSTANT = "best_constant"
    UNTRAINED = "untrained"
    STEERED = "steered"
    DETERMINISTIC = "steered_deterministic"


LABELS: Mapping[Arm, str] = {
    Arm.BASE: "base, w ~ N(0, I)",
    Arm.ZERO: "w = 0",
    Arm.QUARTER: "w ~ N(0, 0.25² I)",
    Arm.HALF: "w ~ N(0, 0.5² I)",
    Arm.CONSTANT: "best constant w of 16",
    Arm.UNTRAINED: "untrained actor",
    Arm.STEERED: "steered (stochastic)",
    Arm.DETERMINISTIC: "steered (deterministic)",
}


NOT_LOOKING = (Arm.BASE, Arm.ZERO, Arm.QUARTER, Arm.HALF, Arm.CONSTANT)
"""Arms whose noise does not depend on the scene: what they reach is not learned steering."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One held-out episode by the twin's own truth.

    Attributes:
        seed: of layout and noise.
        success: at the end of the episode.
        score: rubric 1..5 of the end state.
        progress: at the end, 0..1.
        n_steps: control steps.
    """

    seed: int
    success: bool
    score: int
    progress: float
    n_steps: int


@dataclass(frozen=True, slots=True)
class ArmResult:
    """All trials of one arm."""

    arm: Arm
    trials: tuple[Trial, ...]

    def __post_init__(self) -> None:
        seeds = [trial.seed for trial in self.trials]
        if len(set(seeds)) != len(seeds):
            raise ConfigError(f"arm {self.arm} has a seed twice", got=len(seeds))

    @property
    def label(self) -> str:
        """The arm in words."""
        return LABELS[self.arm]

    @property
    def n(self) -> int:
        """Number of trials."""
        return len(self.trials)

    @property
    def successes(self) -> int:
        """Number of successful trials."""
        return sum(trial.success for trial in self.trials)

    @property
    def rate(self) -> Interval:
        """Success rate with its 95 % Wilson interval."""
        return wilson(self.successes, self.n)

    @property
    def mean_score(self) -> float:
        """Mean rubric score, 1..5; NaN without trials."""
        return sum(t.score for t in self.trials) / self.n if self.trials else float("nan")


def paired_gain(better: ArmResult, baseline: ArmResult) -> Interval:
    """Difference in success rate over the seeds that both arms have, with its interval.

    Raises:
        ConfigError: no seed in common.
    """
    second = {trial.seed: float(trial.success) for trial in baseline.trials}
    pairs = [(float(t.success), second[t.seed]) for t in better.trials if t.seed in second]
    return paired_bootstrap([a for a, _ in pairs], [b for _, b in pairs])


def strongest_baseline(results: Sequence[ArmResult]) -> ArmResult:
    """The better of w ~ N(0, I) and w = 0: what a gain is measured against.

    Raises:
        ConfigError: one of the two is missing.
    """
    there = {result.arm: result for result in results}
    for arm in (Arm.BASE, Arm.ZERO):
        if arm not in there:
            raise ConfigError("a baseline is missing", got=sorted(there), allowed="base and zero")
    return max(there[Arm.BASE], there[Arm.ZERO], key=lambda result: result.rate.value)
