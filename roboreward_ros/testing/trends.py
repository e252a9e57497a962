# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a figure of a long run stays where it is: its slope, with an interval, against a limit.

A figure is *flat* where the whole 95 % interval of its growth over the run lies below what is
allowed: little data or much noise do not pass. It *grows* where the whole interval lies above
zero and its end above the limit; anything else is *unclear*.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import stats

from roboreward_ros.errors import ConfigError
from roboreward_ros.types import FloatArray

BLOCKS = 24
CONFIDENCE = 0.95


class Verdict(StrEnum):
    FLAT = "flat"
    GROWS = "grows"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Trend:
    """Growth of one figure over ``span`` units of progress.

    Attributes:
        growth: by the fitted slope, in the figure's unit.
        low: lower end of its interval.
        high: upper end.
        allowed: limit that it was judged by.
        median: of the figure.
        samples: behind the fit.
    """

    growth: float
    low: float
    high: float
    allowed: float
    median: float
    samples: int

    @property
    def verdict(self) -> Verdict:
        """See the module's text."""
        if self.high < self.allowed:
            return Verdict.FLAT
        return Verdict.GROWS if self.low > 0 else Verdict.UNCLEAR


def trend(
    progress: FloatArray,
    values: FloatArray,
    segments: Sequence[int],
    *,
    span: float,
    allowed: float,
    warm_up: float = 0.0,
) -> Trend:
    """Fit one slope through the figure of several processes, each at a level of its own.

    Neighbouring samples are alike, so blocks of them are averaged before the interval is taken.

    Args:
        progress: of each sample ``[N]``, such as simulated hours; grows within a segment.
        values: the figure ``[N]``.
        segments: process behind each sample ``[N]``.
        span: progress that the growth is stated for.
        allowed: growth that is still called flat, in the figure's unit.
        warm_up: progress at the begin of each segment that is left out.

    Raises:
        ConfigError: fewer than 8 blocks of samples are left.
    """
    xs: list[FloatArray] = []
    ys: list[FloatArray] = []
    kinds = np.asarray(segments)
    kept = 0
    total = 0.0
    for segment in dict.fromkeys(segments):
        mine = kinds == segment
        x, y = progress[mine], values[mine]
        late = x >= x[0] + warm_up
        x, y = x[late], y[late]
        count = min(BLOCKS, len(x))
        if count < 4:
            continue
        kept += len(x)
        total += float(x[-1] - x[0])
        middle_x = np.array([part.mean() for part in np.array_split(x, count)])
        middle_y = np.array([part.mean() for part in np.array_split(y, count)])
        xs.append(middle_x - middle_x.mean())
        ys.append(middle_y - middle_y.mean())
    blocks = sum(len(x) for x in xs)
    freedom = blocks - len(xs) - 1
    if blocks < 8 or total <= 0:
        raise ConfigError("too few samples for a trend", got=f"{blocks} blocks", allowed="8")
    x, y = np.concatenate(xs), np.concatenate(ys)
    slope = float(x @ y / (x @ x))
    error = math.sqrt(float(np.sum((y - slope * x) ** 2)) / freedom / float(x @ x))
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)) * error
    return Trend(
        slope * span, (slope - reach) * span, (slope + reach) * span, allowed,
        float(np.median(values)), kept,
    )  # fmt: skip
