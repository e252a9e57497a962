# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How good must a reward be? Success after learning against the error of the judge.

The judges are checkpoints of one training: the further it was trained, the smaller its error, as
in RoboReward (arXiv 2601.00675), whose study on robomimic gives r = 0.83 between accuracy and
success. Every seed trains its own judge on its own labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from roboreward_ros.studies.lowdim.figures import GREY, new_figure, png
from roboreward_ros.studies.lowdim.judges import (
    Judge,
    RewardType,
    TruthJudge,
    draw_labels,
    train_judges,
)
from roboreward_ros.studies.lowdim.runs import RunPlan, RunRecord
from roboreward_ros.studies.lowdim.setup import Setup
from roboreward_ros.studies.lowdim.study import TaskResult, held_out_line, mean_interval, points

CHECKPOINTS = (0, 2, 3, 5, 15, 45, 120)
"""Steps of the judge's training at which it judges."""
LABELS = 120
TRUTH = "ground truth"


def judges_of(setup: Setup, seed: int) -> Mapping[str, Judge]:
    """The truth, then the checkpoints from the best to the worst."""
    labels = draw_labels(setup.demos, LABELS, seed)
    trained = train_judges(labels, RewardType.LEVELS, CHECKPOINTS, seed)
    judges: dict[str, Judge] = {TRUTH: TruthJudge()}
    for steps, judge in sorted(zip(CHECKPOINTS, trained, strict=True), key=lambda pair: -pair[0]):
        judges[f"after {steps} steps"] = judge
    return judges


@dataclass(frozen=True, slots=True)
class Correlation:
    """Pearson's r with its 95 % interval, and Spearman's rho, over n points; NaN where constant."""

    r: float
    low: float
    high: float
    rho: float
    n: int

    def __str__(self) -> str:
        if math.isnan(self.r):
            return f"not defined, one of the two does not vary (n = {self.n})"
        return (
            f"r = {self.r:.2f} [{self.low:.2f}, {self.high:.2f}], rho = {self.rho:.2f} "
            f"(n = {self.n})"
        )


def correlation(x: Sequence[float], y: Sequence[float]) -> Correlation:
    """Of paired values; pairs with a value that is not finite are left out."""
    from scipy import stats

    both = np.array([(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(a + b)])
    if len(both) < 4 or float(np.ptp(both, axis=0).min()) == 0.0:
        return Correlation(math.nan, math.nan, math.nan, math.nan, len(both))
    found = stats.pearsonr(both[:, 0], both[:, 1])
    interval = found.confidence_interval(0.95)
    rho = float(stats.spearmanr(both[:, 0], both[:, 1]).statistic)
    return Correlation(
        float(found.statistic), float(interval.low), float(interval.high), rho, len(both)
    )


def markdown(result: TaskResult, plan: RunPlan) -> str:
    """The page for people."""
    learned = [run for run in result.runs if run.arm != TRUTH]
    lines = [
        f"# Success against the judge's error: {result.task}",
        "",
        held_out_line(result, plan),
        "Low-dimensional: a policy over states; a judge sees the first and the last state, and its",
        "error and its false positives (failures called a success) are measured on the run's own",
        "episodes.",
        "",
        "| judge | MAE, levels | false positives, % of failures | success, % | gain over base |",
        "|---|---|---|---|---|",
    ]
    for arm in result.arms:
        runs = result.of(arm)
        gain = mean_interval([run.rate - result.base_rate for run in runs])
        lines.append(
            f"| {arm} | {np.mean([run.mae for run in runs]):.2f} | "
            f"{100 * np.nanmean([run.false_positives for run in runs]):.0f} | "
            f"{points(mean_interval([run.rate for run in runs]))} | {points(gain, signed=True)} |"
        )
    means = [result.of(arm) for arm in result.arms]
    lines += [
        "",
        "Between the error (negated) and success, ground truth included:",
        "",
        f"- over judges, means of the seeds: {_by_arm(means, 'mae')}",
        f"- over single runs: {_by_run(result.runs, 'mae')}",
        f"- over single runs of learned judges: {_by_run(learned, 'mae')}",
        "",
        "Between false positives (negated) and success:",
        "",
        f"- over judges: {_by_arm(means, 'false_positives')}",
        f"- over single runs: {_by_run(result.runs, 'false_positives')}",
        "",
        "Brackets: 95 % over seeds (Student). Measured while a run learns, the error is also the",
        "run's doing: a policy that succeeds meets other episodes than one that fails. The paper's",
        "r = 0.83 is between offline accuracy and success, on robomimic and with vision-language",
        "models.",
        "",
    ]
    return "\n".join(lines)


def _rates(runs: Sequence[RunRecord]) -> list[float]:
    return [run.rate for run in runs]


def _by_run(runs: Sequence[RunRecord], what: str) -> Correlation:
    return correlation([-float(getattr(run, what)) for run in runs], _rates(runs))


def _by_arm(arms: Sequence[Sequence[RunRecord]], what: str) -> Correlation:
    x = [-float(np.nanmean([getattr(run, what) for run in runs])) for runs in arms]
    return correlation(x, [float(np.mean(_rates(runs))) for runs in arms])


def picture(result: TaskResult) -> bytes:
    """Success over error and over false positives, a point a run."""
    figure = new_figure(9.0, 3.6)
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, what, label in (
        (left, "mae", "mean absolute error of the labels, levels"),
        (right, "false_positives", "failures called a success, share"),
    ):
        for arm in result.arms:
            runs = result.of(arm)
            x = [getattr(run, what) for run in runs]
            (dots,) = axes.plot(x, _rates(runs), "o", ms=4, alpha=0.45)
            mean = float(np.nanmean(x)), float(np.mean(_rates(runs)))
            axes.plot(*mean, "o", ms=9, color=dots.get_color(), label=arm)
        axes.axhline(result.base_rate, color=GREY, ls="--", lw=1.0)
        axes.set_xlabel(label)
        axes.set_ylim(0, 1.02)
        axes.grid(color="#e5e7eb", lw=0.8)
    left.set_ylabel("held-out success")
    right.legend(frameon=False, fontsize=8)
    return png(figure)
