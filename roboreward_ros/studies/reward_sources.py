# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Is a bad reward worse than none? Sources of reward side by side, and no learning at all.

No vision-language model takes part: the judges look at states. ``untuned-like`` is a judge that was
hardly trained and errs about as much as untuned models do in RoboReward's table (arXiv 2601.00675,
1.4 to 1.6 levels); ``tuned`` is one that was trained to the end, as RoboReward is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from roboreward_ros.studies.lowdim.judges import (
    Judge,
    RewardType,
    ShuffledJudge,
    TruthJudge,
    draw_labels,
    train_judges,
)
from roboreward_ros.studies.lowdim.runs import RunPlan
from roboreward_ros.studies.lowdim.setup import Setup
from roboreward_ros.studies.lowdim.study import (
    TaskResult,
    difference,
    held_out_line,
    mean_interval,
    points,
)

LABELS = 240
UNTUNED_STEPS, TUNED_STEPS = 3, 300
TRUTH = "ground truth"
_HEADS = (
    "source", "MAE, levels", "false positives, % of failures", "success, %", "against no learning",
    "against the truth",
)  # fmt: skip


def judges_of(setup: Setup, seed: int) -> Mapping[str, Judge]:
    """A judge for every source that learns."""
    labels = draw_labels(setup.demos, LABELS, seed)
    steps = (UNTUNED_STEPS, TUNED_STEPS)
    untuned, tuned = train_judges(labels, RewardType.LEVELS, steps, seed)
    return {
        "untuned-like judge": untuned,
        "tuned judge": tuned,
        "shuffled truth": ShuffledJudge(),
        "human, success or failure": TruthJudge(RewardType.BINARY),
        TRUTH: TruthJudge(),
    }


def markdown(results: Sequence[TaskResult], plan: RunPlan) -> str:
    """The page for people."""
    lines = ["# Sources of reward, and none", ""]
    for result in results:
        truth = result.of(TRUTH)
        lines += [
            f"## {result.task}",
            "",
            held_out_line(result, plan),
            "",
            f"| {' | '.join(_HEADS)} |",
            "|---" * len(_HEADS) + "|",
            f"| no learning | | | {100 * result.base_rate:.0f} | | |",
        ]
        for arm in result.arms:
            runs = result.of(arm)
            gain = mean_interval([run.rate - result.base_rate for run in runs])
            versus = "" if arm == TRUTH else points(difference(runs, truth), signed=True)
            lines.append(
                f"| {arm} | {np.mean([run.mae for run in runs]):.2f} | "
                f"{100 * np.nanmean([run.false_positives for run in runs]):.0f} | "
                f"{points(mean_interval([run.rate for run in runs]))} | "
                f"{points(gain, signed=True)} | {versus} |"
            )
        lines.append("")
    lines += ["Brackets: 95 % over paired seeds (Student).", ""]
    return "\n".join(lines)
