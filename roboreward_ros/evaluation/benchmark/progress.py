# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics of dense predictions: progress over key frames, temporal contrast, completion.

The label of key frame k of n is k / (n - 1): time stands for progress (LRM, arXiv 2603.16065).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.evaluation.benchmark.quality import auc
from roboreward_ros.types import FloatArray

TOLERANCES = (0.05, 0.1, 0.2, 0.3, 0.5)


@dataclass(frozen=True, slots=True)
class ProgressQuality:
    """Quality of progress curves.

    Attributes:
        mae: mean absolute error.
        rmse: root of the mean squared error.
        accuracy: share of key frames within each of ``TOLERANCES``.
        voc: value-order correlation, mean Spearman's rho of time and prediction within a curve
            (any rising line scores 1: never read it alone).
        kendall: mean Kendall's tau within a curve.
        pairwise: share of key-frame pairs of one curve in the right order, ties half.
        frames: key frames in all.
    """

    mae: float
    rmse: float
    accuracy: dict[float, float]
    voc: float
    kendall: float
    pairwise: float
    frames: int


def progress_quality(curves: Sequence[Sequence[float]]) -> ProgressQuality:
    """Judge predicted progress in [0, 1] at evenly spaced key frames, one sequence a video.

    Raises:
        ConfigError: no curve, one of fewer than two frames, or a value that is not finite.
    """
    from scipy.stats import kendalltau, spearmanr

    if not curves or any(len(curve) < 2 for curve in curves):
        raise ConfigError("a progress curve needs two key frames or more", got=len(curves))
    errors, rho, tau, order = [], [], [], []
    for curve in curves:
        said = np.asarray(curve, np.float64)
        if not np.isfinite(said).all():
            raise ConfigError("a predicted progress is not finite", got=list(curve))
        label = np.linspace(0.0, 1.0, len(said))
        errors.append(np.abs(said - label))
        constant = np.ptp(said) == 0
        rho.append(0.0 if constant else float(spearmanr(label, said).statistic))
        tau.append(0.0 if constant else float(kendalltau(label, said).statistic))
        order.append(pairwise_accuracy(said))
    every = np.concatenate(errors)
    return ProgressQuality(
        mae=float(every.mean()),
        rmse=float(np.sqrt((every**2).mean())),
        accuracy={limit: float((every <= limit + 1e-9).mean()) for limit in TOLERANCES},
        voc=float(np.mean(rho)),
        kendall=float(np.mean(tau)),
        pairwise=float(np.mean(order)),
        frames=len(every),
    )


def pairwise_accuracy(said: FloatArray) -> float:
    """Share of pairs (i < j) with ``said[i] < said[j]``, ties half."""
    first, second = np.triu_indices(len(said), k=1)
    gap = said[second] - said[first]
    return float(np.mean((gap > 0) + 0.5 * (gap == 0)))


def contrast_accuracy(signs: Sequence[float], truth: Sequence[float]) -> float:
    """Share of frame pairs whose sign is right; 0 (no answer) is half."""
    said, label = np.asarray(signs, np.float64), np.asarray(truth, np.float64)
    if len(said) != len(label) or not len(said):
        raise ConfigError("signs and truth do not fit", got=f"{len(said)} and {len(label)}")
    return float(np.mean((np.sign(said) == np.sign(label)) + 0.5 * (said == 0)))


@dataclass(frozen=True, slots=True)
class CompletionQuality:
    """Accuracy at 0.5 and ROC-AUC of completion probabilities; NaN without both classes."""

    accuracy: float
    auc: float
    n: int


def completion_quality(said: Sequence[float], done: Sequence[bool]) -> CompletionQuality:
    """Judge completion values in [0, 1] against what was done."""
    values, truth = np.asarray(said, np.float64), np.asarray(done, bool)
    if len(values) != len(truth):
        raise ConfigError("values and truth do not fit", got=f"{len(values)} and {len(truth)}")
    if not len(values):
        return CompletionQuality(math.nan, math.nan, 0)
    accuracy = float(np.mean((values >= 0.5) == truth))
    return CompletionQuality(accuracy, auc(values[truth], values[~truth]), len(values))
