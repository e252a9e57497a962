# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All figures of one model on one benchmark, as one JSON object."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.evaluation.benchmark import official, quality
from roboreward_ros.evaluation.benchmark.predictions import Prediction
from roboreward_ros.evaluation.intervals import Interval


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95 % interval and the rows behind it."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Contamination:
    """Rows whose video was trained on.

    Attributes:
        rows: how many.
        clean_macro_mae: error over the others; NaN where none is left.
    """

    rows: int
    clean_macro_mae: float


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """One model. The first seven are the official ones.

    Attributes:
        macro_mae: unweighted mean over the subsets.
        mae_by_subset: per subset.
        exact_match: share of all rows.
        n: rows.
        unparsed: rows without a number, each an error of 4.
        mean_win_rate: against the other models shown; None without any.
        win_rate_by_subset: likewise.
        name: of the model.
        macro_mae_interval: 95 %, videos drawn anew.
        micro_mae: over rows.
        within_one: share of rows wrong by at most one level.
        confusion: counts ``[5][6]``: label by answer 1..5 and none.
        kendall, spearman: rank correlation of label and answer.
        rmse: over rows with a number.
        success_auc: ROC-AUC of label 5.
        false_positives: called 5 at a label of 2 or below.
        ece, reliability: calibration of the likeliest level; bins (confidence, accuracy, rows).
        score_crossing, paraphrase_groups: groups called both failed and good.
        wrong_instruction: called 4 or better under another video's sentence; None without probes.
        abstained: rows that the source would have left unlabelled.
        latency_p50_s, latency_p99_s: per row.
        cost_per_episode: mean.
        contamination: None where the training videos are not known.
    """

    macro_mae: float
    mae_by_subset: Mapping[str, float]
    exact_match: float
    n: int
    unparsed: int
    mean_win_rate: float | None
    win_rate_by_subset: Mapping[str, float | None]
    name: str
    macro_mae_interval: tuple[float, float]
    micro_mae: float
    within_one: float
    confusion: Sequence[Sequence[int]]
    kendall: float
    spearman: float
    rmse: float
    success_auc: float
    false_positives: Rate
    ece: float
    reliability: Sequence[tuple[float, float, int]]
    score_crossing: float
    paraphrase_groups: int
    wrong_instruction: Rate | None
    abstained: int
    latency_p50_s: float
    latency_p99_s: float
    cost_per_episode: float
    contamination: Contamination | None

    def to_mapping(self) -> dict[str, object]:
        """Plain values; what is not a number becomes None, since JSON has no NaN."""
        return {name: _plain(value) for name, value in dataclasses.asdict(self).items()}


def judge(
    models: Mapping[str, Sequence[Prediction]],
    *,
    trained_on: Collection[str] | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> list[BenchmarkResult]:
    """Every model's figures, best first.

    Args:
        models: rows by model name.
        trained_on: sha256 of the training videos, where they are known.
        resamples: draws of the interval.
        seed: of the draws.

    Raises:
        ConfigError: a model without any row of the benchmark itself.
    """
    plain = {name: [row for row in rows if not row.probe] for name, rows in models.items()}
    for name, rows in plain.items():
        if not rows:
            raise ConfigError(f"model '{name}' has no row to judge")
    wins = official.win_rates(plain)
    by_subset = official.win_rates_by_subset(plain)
    results = []
    for name, rows in plain.items():
        probes = [row for row in models[name] if row.probe]
        values = quality.numbers(rows)
        interval = quality.cluster_interval(
            rows, official.macro_mae, resamples=resamples, seed=seed
        )
        calibration = quality.reliability(rows)
        crossing, groups = quality.score_crossing(rows)
        latency = _known(row.latency_s for row in rows)
        cost = _known(row.cost for row in rows)
        gaps = values.said - values.label
        results.append(
            BenchmarkResult(
                macro_mae=interval.value,
                mae_by_subset=official.mae_by_subset(rows),
                exact_match=official.exact_match(rows),
                n=len(rows),
                unparsed=official.unparsed(rows),
                mean_win_rate=wins[name],
                win_rate_by_subset=by_subset[name],
                name=name,
                macro_mae_interval=(interval.low, interval.high),
                micro_mae=float(np.mean([official.absolute_error(row) for row in rows])),
                within_one=quality.within_one(rows),
                confusion=quality.confusion(rows),
                kendall=quality.kendall(rows),
                spearman=quality.spearman(rows),
                rmse=float(np.sqrt(np.mean(gaps**2))) if len(gaps) else math.nan,
                success_auc=quality.success_auc(rows),
                false_positives=_rate(*quality.false_positives(rows)),
                ece=calibration.ece,
                reliability=calibration.bins,
                score_crossing=crossing,
                paraphrase_groups=groups,
                wrong_instruction=_rate(*quality.wrong_instruction(probes)) if probes else None,
                abstained=sum(row.abstained for row in rows),
                latency_p50_s=float(np.quantile(latency, 0.5)) if latency else math.nan,
                latency_p99_s=float(np.quantile(latency, 0.99)) if latency else math.nan,
                cost_per_episode=float(np.mean(cost)) if cost else math.nan,
                contamination=_contamination(rows, trained_on),
            )
        )
    return sorted(results, key=lambda result: result.macro_mae)


def to_json(
    results: Sequence[BenchmarkResult], first: str = "", problems: Sequence[str] = ()
) -> str:
    """One document.

    Args:
        results: best first; all stand below ``models`` where there are several.
        first: model whose fields stand on top; "" for the best.
        problems: rows that were left out, a sentence each.
    """
    top = next((result for result in results if result.name == first), results[0])
    document = top.to_mapping()
    if len(results) > 1:
        document["models"] = [result.to_mapping() for result in results]
    document["problems"] = list(problems)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _rate(interval: Interval, n: int) -> Rate:
    return Rate(interval.value if n else math.nan, interval.low, interval.high, n)


def _known(values: Iterable[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def _contamination(
    rows: Sequence[Prediction], trained_on: Collection[str] | None
) -> Contamination | None:
    if trained_on is None:
        return None
    clean = [row for row in rows if row.video_sha256 not in trained_on]
    left = official.macro_mae(clean) if clean else math.nan
    return Contamination(len(rows) - len(clean), left)


def _plain(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
