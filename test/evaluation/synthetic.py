# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Made-up results of a run, the same every time."""

import numpy as np

from roboreward_ros.episodes.views import LabelStatus
from roboreward_ros.evaluation.run_view import EpisodeRow, reward_mae
from roboreward_ros.evaluation.success import Arm, ArmResult, Trial
from roboreward_ros.evaluation.summary import ArmSummary, Gain, RunSummary, arm_rates
from roboreward_ros.types import EndCause, IdleAccount

RATES = dict(zip(Arm, (0.38, 0.45, 0.41, 0.40, 0.52, 0.37, 0.90, 0.93), strict=True))


def made_rows(n: int = 60) -> list[EpisodeRow]:
    rng = np.random.default_rng(0)
    rows = []
    for index in range(n):
        success = bool(rng.random() < 0.3 + 0.6 * index / n)
        truth = 5 if success else int(rng.integers(1, 5))
        status = (LabelStatus.FAILED, LabelStatus.ABSTAINED)[index % 2]
        label = LabelStatus.LABELLED if index % 15 else status
        rows.append(
            EpisodeRow(
                index=index,
                episode_id=f"ep_{index:06d}",
                n_steps=44,
                end_cause=EndCause.TIME,
                policy_version=index // 2,
                label=label,
                reward=float(truth) if label is LabelStatus.LABELLED else None,
                success=success,
                truth_score=truth,
                created_ns=index,
            )
        )
    return rows


def made_results(n: int = 100) -> list[ArmResult]:
    rng = np.random.default_rng(1)
    results = []
    for arm, rate in RATES.items():
        successes = rng.random(n) < rate
        trials = [
            Trial(2**31 + j, bool(success), 5 if success else 2, 0.5, 44)
            for j, success in enumerate(successes)
        ]
        results.append(ArmResult(arm, tuple(trials)))
    return results


def made_summary(rows: list[EpisodeRow], results: list[ArmResult]) -> RunSummary:
    labelled = sum(row.label is LabelStatus.LABELLED for row in rows)
    abstained = sum(row.label is LabelStatus.ABSTAINED for row in rows)
    return RunSummary(
        task="open the <drawer>",
        seed=3,
        episodes=len(rows),
        env_steps=44 * len(rows),
        **arm_rates(results),
        success_n=100,
        reward_source="ground_truth",
        reward_mae=reward_mae(rows),
        labelled=labelled,
        unlabelled=len(rows) - labelled,
        abstained=abstained,
        errors=len(rows) - labelled - abstained,
        grad_steps=4000,
        wall_s=430.5,
        idle=IdleAccount(80.0, 20.0, 5.0, 60.0, 0.0, 1.0),
        policy_version=30,
        git="0123abc",
        versions={"torch": "2.13.0"},
        arms={str(result.arm): ArmSummary.of(result) for result in results},
        gain=Gain.of(results),
    )
