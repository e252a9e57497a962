# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Is a bad reward worse than none? Sources of reward side by side, and no learning at all.

The policy sees states, the vision-language models see pictures (``lowdim.watching``). The tuned
model is the shipped one. Nobody ships a small untuned model that knows the world, so what stands in
for one is the shipped model before its training, with random weights: once with the limits of an
untuned source, above which it abstains, and once made to answer. Judges that err about as much
as RoboReward reports of untuned models (arXiv 2601.00675, 1.4 to 1.6 levels) are the subject of
``reward_accuracy``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from roboreward_ros.evaluation.intervals import wilson
from roboreward_ros.studies.lowdim.judges import (
    Judge,
    RewardType,
    ShuffledJudge,
    TruthJudge,
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
from roboreward_ros.studies.lowdim.watching import SHIPPED, shipped_judge, untrained_judge

TRUTH = "ground truth"
ENOUGH = 5  # seeds, for a finding
_HEADS = (
    "source", "labelled, %", "MAE, levels", "false positives, % of failures", "success, %",
    "against no learning", "against the truth",
)  # fmt: skip


def judges_of(setup: Setup, seed: int) -> Mapping[str, Judge]:
    """A judge for every source that learns."""
    return {
        "untrained VLM, may abstain": untrained_judge(setup.task, seed, made_to_answer=False),
        "untrained VLM, made to answer": untrained_judge(setup.task, seed, made_to_answer=True),
        f"tuned VLM ({SHIPPED})": shipped_judge(setup.task),
        "shuffled truth": ShuffledJudge(),
        "human, success or failure": TruthJudge(RewardType.BINARY),
        TRUTH: TruthJudge(),
    }


def markdown(result: TaskResult, plan: RunPlan) -> str:
    """The page for people."""
    truth = result.of(TRUTH)
    lines = [
        f"# Sources of reward, and none: {result.task}",
        "",
        held_out_line(result, plan),
        "",
        f"| {' | '.join(_HEADS)} |",
        "|---" * len(_HEADS) + "|",
        f"| no learning | | | | {_base(result)} | | |",
    ]
    for arm in result.arms:
        runs = result.of(arm)
        gain = mean_interval([run.rate - result.base_rate for run in runs])
        versus = "" if arm == TRUTH else points(difference(runs, truth), signed=True)
        lines.append(
            f"| {arm} | {100 * np.mean([run.labelled for run in runs]):.0f} | "
            f"{_mean([run.mae for run in runs], '.2f')} | "
            f"{_mean([100 * run.false_positives for run in runs], '.0f')} | "
            f"{points(mean_interval([run.rate for run in runs]))} | "
            f"{points(gain, signed=True)} | {versus} |"
        )
    seeds = len(truth)
    if seeds < ENOUGH:
        lines += ["", f"With {seeds} seed(s) this shows that it runs, nothing more."]
    lines += [
        "",
        "The policy sees states; the vision-language models (VLM) see rendered pictures, through",
        "their own prompt and limits. Untrained: the architecture of the tuned model with random",
        "weights, others for every seed: a stand-in for an untuned model, of which none this",
        "small exists. An episode that a source abstains from stays unlabelled. Brackets: 95 %",
        "over paired seeds (Student), of no learning over layouts (Wilson). Differences from no",
        "learning leave out its own error; a source that abstains from everything leaves the",
        "frozen policy too, seen under other draws of its noise.",
        "",
    ]
    return "\n".join(lines)


def _base(result: TaskResult) -> str:
    """Success of the frozen policy with its interval, percent."""
    won = next(iter(result.base.values()))
    return points(wilson(sum(won), len(won)))


def _mean(values: Sequence[float], form: str) -> str:
    """Of what is finite; a dash where nothing is."""
    found = [value for value in values if math.isfinite(value)]
    return format(np.mean(found), form) if found else "-"
