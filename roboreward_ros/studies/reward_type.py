# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What should a judge answer: success, one of five levels, or progress?

Three judges of one network learn from the same labelled clips for the same number of steps and
differ in the answer alone; beside each stands the simulator's truth in that form. RoboReward
(arXiv 2601.00675) compares the types on robomimic.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from roboreward_ros.studies.lowdim.judges import (
    Judge,
    RewardType,
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

LABELS = 60
STEPS = 150
_FORMS = {
    RewardType.BINARY: "success, 1 or 5",
    RewardType.LEVELS: "levels, 1 to 5",
    RewardType.CONTINUOUS: "progress, continuous",
}
_HEADS = (
    "reward", "outcome told rightly, %", "false positives, % of failures", "success, %",
    "against true success",
)  # fmt: skip


def arm_name(kind: RewardType, *, learned: bool) -> str:
    """Of the table."""
    return f"{'learned' if learned else 'truth'}: {_FORMS[kind]}"


def judges_of(setup: Setup, seed: int) -> Mapping[str, Judge]:
    """Truth and learned judge of every type; a seed's judges share their labels."""
    labels = draw_labels(setup.demos, LABELS, seed)
    judges: dict[str, Judge] = {
        arm_name(kind, learned=False): TruthJudge(kind) for kind in RewardType
    }
    for kind in RewardType:
        (judges[arm_name(kind, learned=True)],) = train_judges(labels, kind, (STEPS,), seed)
    return judges


def markdown(result: TaskResult, plan: RunPlan) -> str:
    """The page for people."""
    binary = result.of(arm_name(RewardType.BINARY, learned=False))
    lines = [
        f"# The type of the reward: {result.task}",
        "",
        held_out_line(result, plan),
        f"Learned: {LABELS} labelled clips and {STEPS} steps each, the same clips for the three.",
        "",
        f"| {' | '.join(_HEADS)} |",
        "|---" * len(_HEADS) + "|",
    ]
    for arm in result.arms:
        runs = result.of(arm)
        versus = "" if runs == binary else points(difference(runs, binary), signed=True)
        lines.append(
            f"| {arm} | {100 * np.mean([run.told for run in runs]):.0f} | "
            f"{100 * np.nanmean([run.false_positives for run in runs]):.0f} | "
            f"{points(mean_interval([run.rate for run in runs]))} | {versus} |"
        )
    lines += ["", "Brackets: 95 % over paired seeds (Student).", ""]
    return "\n".join(lines)
