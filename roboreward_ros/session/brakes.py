# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When new weights are held back: a reward source that often declines, or that is fooled.

An abstention is no label, so what a learner still gets is the easy part of what the robot does. A
success that is none is worse: the learner seeks what the source takes for one. A brake holds the
*publishing* of weights: the learner goes on, the robot keeps its last policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from roboreward_ros.errors import ConfigError


@dataclass(frozen=True, slots=True)
class AbstainBrakeConfig:
    """When the brake holds.

    Attributes:
        window: newest answered episodes that count.
        share: of the window that may be abstained; the brake holds above. 1 never holds.
    """

    window: int = 20
    share: float = 0.2

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ConfigError("the brake's window is too short", got=self.window, allowed=">= 1")
        if not 0 <= self.share <= 1:
            raise ConfigError("the brake's share is out of range", got=self.share, allowed="0..1")


class BrakeChange(StrEnum):
    """What an update did to a brake; for the log."""

    NONE = "none"
    HELD = "held"
    CLEARED = "cleared"


class AbstainBrake:
    """Holds while too many of the last episodes are abstained (one thread uses it).

    A window that is not full yet holds at the same *number*, so the first abstention of a run does
    not. A person who clears an abstained episode by a label lowers the number; one who releases the
    brake is obeyed until the rate has fallen by itself and risen again.

    Args:
        config: limits.
    """

    def __init__(self, config: AbstainBrakeConfig | None = None) -> None:
        self.config = config or AbstainBrakeConfig()
        self._abstained = 0
        self._seen = 0
        self._above = False
        self._released = False

    @property
    def holds(self) -> bool:
        """Whether weights must not be published now."""
        return self._above and not self._released

    @property
    def message(self) -> str:
        """What a person should know; "" while nothing holds."""
        if not self.holds:
            return ""
        return (
            f"weights are held back: {self._abstained} of the last {self._seen} episodes are "
            f"abstained (limit {self.config.share:.0%}); label them, or release the brake"
        )

    def update(self, abstained: Sequence[bool]) -> BrakeChange:
        """Look at the present labels again.

        Args:
            abstained: one flag per answered episode of the run, oldest first: whether the episode
                has no label because its source declined. Failures and unscored episodes are not
                answers and stay out.
        """
        before = self.holds
        newest = abstained[-self.config.window :]
        self._seen, self._abstained = len(newest), sum(newest)
        self._above = self._abstained > self.config.share * self.config.window
        self._released = self._released and self._above
        return self._change(before)

    def release(self) -> BrakeChange:
        """The operator lets weights pass in spite of the rate."""
        before = self.holds
        self._released = self._above
        return self._change(before)

    def _change(self, before: bool) -> BrakeChange:
        if self.holds == before:
            return BrakeChange.NONE
        return BrakeChange.HELD if self.holds else BrakeChange.CLEARED


STAKES = np.linspace(0.05, 0.95, 19)


def false_success_evidence(false: Sequence[bool], share: float) -> float:
    """Evidence that more than ``share`` of the claimed successes are none; 1 / error decides.

    A bettor stakes s of their capital on each audited claim: a true one costs s of it, a false one
    pays s (1 - share) / share. While the chance of a false one is at most ``share``, whatever came
    before, the capital is a nonnegative supermartingale that starts at 1, so that it ever reaches
    1 / error with probability at most ``error``, however often one looks (Ville's inequality;
    testing by betting, Waudby-Smith and Ramdas, arXiv 2010.09686). The stake is a mixture.

    Args:
        false: of the audited claims, in order; audited because they were drawn.
        share: of false ones that is borne, in (0, 1).

    Returns:
        The largest capital so far.
    """
    money, best = np.ones(len(STAKES)), 1.0
    for wrong in false:
        money = money * (1.0 + STAKES * ((1.0 - share) / share if wrong else -1.0))
        best = max(best, float(money.mean()))
    return best


@dataclass(frozen=True, slots=True)
class FalseSuccesses:
    """What audits say of the successes that the reward source claims.

    Attributes:
        n: claims that were drawn and judged.
        false: those that were no success.
        share: of false ones that is borne.
        evidence: that there are more; 1 / error decides.
        error: probability of a hold without a reason, over the whole run.
    """

    n: int = 0
    false: int = 0
    share: float = 0.2
    evidence: float = 1.0
    error: float = 0.05

    @property
    def holds(self) -> bool:
        """Whether weights must not be published now."""
        return self.evidence >= 1.0 / self.error

    @property
    def message(self) -> str:
        """What a person should know; "" while nothing holds."""
        if not self.holds:
            return ""
        return (
            f"weights are held back: {self.false} of {self.n} audited successes of the reward "
            f"source are none (limit {self.share:.0%}, evidence {self.evidence:.2g}, decided at "
            f"{1 / self.error:.0f}); promote another source, or release the brake"
        )


def judge_claims(false: Sequence[bool], share: float, error: float) -> FalseSuccesses:
    """Look at all audited claims of the run's source, oldest first."""
    evidence = false_success_evidence(false, share)
    return FalseSuccesses(len(false), sum(false), share, evidence, error)
