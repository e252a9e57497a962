# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Is the steered policy worse than the base? A test by betting that may be looked at any time.

Every n-th episode is a canary: the base policy with plain noise. A block is one canary with the
steered episodes before the next; D = (mean success of the steered) - (success of the canary) lies
in [-1, 1]. If steering is no worse, E[D | past] >= 0, and the capital of a bettor who stakes the
fraction b of it against steering, prod(1 - b D), is a nonnegative supermartingale that starts at
1. By Ville's inequality it ever reaches 1 / error with probability at most ``error``: however
often one looks, whenever one stops, and while the learner keeps changing what is tested (testing
by betting; Waudby-Smith and Ramdas, arXiv 2010.09686). The stake is a mixture over a grid, so that
none needs tuning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from roboreward_ros.errors import ConfigError

STAKES = np.linspace(0.05, 0.95, 19)


class Verdict(StrEnum):
    """What the test says; ``OPEN`` is no verdict for either side."""

    OPEN = "open"
    WORSE = "worse"
    BETTER = "better"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One judged episode.

    Attributes:
        index: number of the episode in the run.
        canary: run with plain noise.
        success: as the judge saw it.
    """

    index: int
    canary: bool
    success: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Base against steered.

    Attributes:
        base_n, base_successes: judged canaries.
        steered_n, steered_successes: judged steered episodes.
        blocks: complete blocks, what the test has seen.
        worse: capital against "steering is no worse"; 1 / error decides.
        better: capital against "steering is no better".
        error: probability of each wrong verdict, over the whole run.
        verdict: what follows.
    """

    base_n: int
    base_successes: int
    steered_n: int
    steered_successes: int
    blocks: int
    worse: float
    better: float
    error: float
    verdict: Verdict

    @property
    def base_rate(self) -> float:
        """Share of successful canaries; NaN without any."""
        return self.base_successes / self.base_n if self.base_n else float("nan")

    @property
    def steered_rate(self) -> float:
        """Share of successful steered episodes; NaN without any."""
        return self.steered_successes / self.steered_n if self.steered_n else float("nan")


def blocks(outcomes: Iterable[Outcome]) -> list[float]:
    """D of every complete block ``[-1, 1]``, in order.

    A block is a canary and all steered episodes up to the next one, which closes it: what a block
    takes never depends on how its episodes ended. Steered episodes before the first canary go with
    that one.
    """
    found: list[float] = []
    canary: bool | None = None
    steered: list[bool] = []
    for outcome in sorted(outcomes, key=lambda o: o.index):
        if not outcome.canary:
            steered.append(outcome.success)
            continue
        if canary is not None and steered:
            found.append(float(np.mean(steered)) - float(canary))
            steered = []
        canary = outcome.success
    return found


def capital(differences: Sequence[float]) -> float:
    """Largest capital so far of a mixture of bettors against E[D] >= 0; starts at 1."""
    money = np.ones(len(STAKES))
    best = 1.0
    for difference in differences:
        money = money * (1.0 - STAKES * difference)
        best = max(best, float(money.mean()))
    return best


def compare(outcomes: Sequence[Outcome], error: float = 0.05) -> Comparison:
    """Test all judged episodes of a run.

    Args:
        outcomes: judged by people or ground truth, drawn without a look at how they ended.
        error: of each verdict.

    Raises:
        ConfigError: ``error`` is no probability that a test could have.
    """
    if not 0 < error < 0.5:
        raise ConfigError("error of the steering test", got=error, allowed="in (0, 0.5)")
    canaries = [o for o in outcomes if o.canary]
    steered = [o for o in outcomes if not o.canary]
    closed = blocks(outcomes)
    worse, better = capital(closed), capital([-d for d in closed])
    verdict = Verdict.OPEN
    if worse >= 1.0 / error:
        verdict = Verdict.WORSE
    elif better >= 1.0 / error:
        verdict = Verdict.BETTER
    return Comparison(
        len(canaries), sum(o.success for o in canaries), len(steered),
        sum(o.success for o in steered), len(closed), worse, better, error, verdict,
    )  # fmt: skip


def kills(form: tuple[int, int], base: tuple[int, int], error: float = 0.05) -> bool:
    """Whether a noise form leaves the base policy less than half of its success, beyond doubt.

    Compares the Clopper-Pearson bounds of both, each at ``error`` / 2: for a fixed number of
    episodes before learning, not for looking again and again.

    Args:
        form: successes and episodes of the base policy under the form, before learning.
        base: the same with full plain noise.
        error: probability of a wrong refusal.
    """
    from scipy.stats import beta  # half a second that only this needs

    won, n = form
    base_won, base_n = base
    upper = 1.0 if won == n else float(beta.ppf(1 - error / 2, won + 1, n - won))
    lower = 0.0 if not base_won else float(beta.ppf(error / 2, base_won, base_n - base_won + 1))
    return upper < lower / 2
