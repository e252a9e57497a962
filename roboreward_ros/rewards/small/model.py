# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A success classifier for one task: principal components, ridge logistic regression, calibration.

Everything that is chosen (the ridge, the calibration, the limit of the familiar) is chosen on
folds that the fit did not see; so is the reported quality.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.types import FloatArray

FOLDS = 5
RIDGES = (0.1, 1.0, 10.0, 100.0)
_MOST_COMPONENTS = 32
_MARGIN = 1.25


@dataclass(frozen=True, slots=True)
class Quality:
    """On folds that a fit did not see.

    Attributes:
        labels: episodes.
        successes: of them.
        accuracy: share judged rightly at probability 0.5.
        log_loss: nats an episode.
        constant_log_loss: of always saying the share of successes.
    """

    labels: int
    successes: int
    accuracy: float
    log_loss: float
    constant_log_loss: float


@dataclass(frozen=True, slots=True)
class Classifier:
    """Fitted arrays.

    Attributes:
        mean: ``[D]``.
        components: ``[K, D]``, scaled so that training episodes have unit variance.
        basis: ``[K, D]`` orthonormal: what remains outside of it is unfamiliar.
        weights: ``[K]``.
        bias: of the logit.
        slope, offset: of the calibration, logit -> logit.
        familiar: largest distance at which the classifier speaks.
        quality: see ``Quality``.
    """

    mean: FloatArray
    components: FloatArray
    basis: FloatArray
    weights: FloatArray
    bias: float
    slope: float
    offset: float
    familiar: float
    quality: Quality

    def probability(self, features: FloatArray) -> float:
        """Calibrated probability of success of one episode ``[D]``."""
        logit = float(self.components @ (features - self.mean) @ self.weights) + self.bias
        return float(_sigmoid(np.array(self.slope * logit + self.offset)))

    def distance(self, features: FloatArray) -> float:
        """How far an episode lies outside of what the training episodes span."""
        return float(_distance(self.mean, self.basis, features[None])[0])


def fit(features: FloatArray, success: FloatArray, least: int) -> Classifier:
    """Fit on episodes ``[N, D]`` with outcomes ``[N]`` of 0 and 1.

    Raises:
        RewardSourceError: too few of a kind, or nothing was learnt.
    """
    positives, total = int(success.sum()), len(success)
    if min(positives, total - positives) < least:
        raise RewardSourceError(
            "there are too few labelled episodes to train a classifier",
            got=f"{positives} successes, {total - positives} failures",
            allowed=f">= {least} of each",
            next_step="Go on labelling, or lower the limit knowingly.",
        )
    folds = _folds(success)
    logits = {ridge: np.zeros(total) for ridge in RIDGES}
    distances = np.zeros(total)
    for fold in range(FOLDS):
        held = folds == fold
        mean, components, basis = _components(features[~held])
        seen = (features[~held] - mean) @ components.T
        for ridge in RIDGES:
            weights, bias = _logistic(seen, success[~held], ridge)
            logits[ridge][held] = (features[held] - mean) @ components.T @ weights + bias
        distances[held] = _distance(mean, basis, features[held])
    calibrations = {ridge: _calibrate(logits[ridge], success) for ridge in RIDGES}
    losses = {
        ridge: _log_loss(slope * logits[ridge] + offset, success)
        for ridge, (slope, offset) in calibrations.items()
    }
    ridge = min(RIDGES, key=lambda item: losses[item])
    slope, offset = calibrations[ridge]
    rate = positives / total
    constant = _log_loss(np.full(total, np.log(rate / (1 - rate))), success)
    judged = slope * logits[ridge] + offset > 0
    quality = Quality(
        total, positives, float((judged == (success > 0.5)).mean()), losses[ridge], constant
    )
    if quality.log_loss > 0.95 * constant:
        raise RewardSourceError(
            "the labels cannot be told apart in coarse pictures",
            got=f"{quality.log_loss:.3f} nats an episode on held-out folds",
            allowed=f"clearly below {constant:.3f}, what a constant has",
            next_step="Use a vision-language model, or label more episodes.",
        )
    mean, components, basis = _components(features)
    weights, bias = _logistic((features - mean) @ components.T, success, ridge)
    familiar = _MARGIN * float(distances.max())
    return Classifier(mean, components, basis, weights, bias, slope, offset, familiar, quality)


def _folds(success: FloatArray) -> FloatArray:
    """A fold for each episode, both outcomes spread evenly; the same for the same labels."""
    folds = np.zeros(len(success))
    for outcome in (0, 1):
        places = np.flatnonzero(success == outcome)
        np.random.default_rng(outcome).shuffle(places)
        folds[places] = np.arange(len(places)) % FOLDS
    return folds


def _components(features: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    mean = features.mean(axis=0)
    _, scales, rows = np.linalg.svd(features - mean, full_matrices=False)
    count = min(_MOST_COMPONENTS, max(2, len(features) // 3), int((scales > 1e-9).sum()))
    if count == 0:
        raise RewardSourceError("all labelled episodes look the same")
    deviation = scales[:count, None] / np.sqrt(len(features))
    return mean, rows[:count] / deviation, rows[:count]


def _distance(mean: FloatArray, basis: FloatArray, features: FloatArray) -> FloatArray:
    centred = features - mean
    rest = centred - centred @ basis.T @ basis
    return np.asarray(np.sqrt((rest**2).mean(axis=1)))


def _logistic(x: FloatArray, y: FloatArray, ridge: float) -> tuple[FloatArray, float]:
    """Ridge logistic regression by Newton steps; the bias is not shrunk."""
    design = np.column_stack([x, np.ones(len(x))])
    shrink = np.full(design.shape[1], ridge)
    shrink[-1] = 1e-6
    theta = np.zeros(design.shape[1])
    for _ in range(50):
        p = _sigmoid(design @ theta)
        gradient = design.T @ (p - y) + shrink * theta
        hessian = (design * (p * (1 - p))[:, None]).T @ design + np.diag(shrink)
        step = np.linalg.solve(hessian, gradient)
        theta -= step
        if float(np.abs(step).max()) < 1e-8:
            break
    return theta[:-1], float(theta[-1])


def _calibrate(logits: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Platt's slope and offset; targets are smoothed so that few labels do not give certainty."""
    positives, negatives = y.sum(), (1 - y).sum()
    target = np.where(y > 0.5, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    weights, bias = _logistic(logits[:, None], target, 1e-3)
    return max(float(weights[0]), 0.0), bias


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -40, 40))))


def _log_loss(logits: FloatArray, y: FloatArray) -> float:
    p = np.clip(_sigmoid(logits), 1e-6, 1 - 1e-6)
    return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())


def to_arrays(model: Classifier, prefix: str) -> dict[str, FloatArray]:
    """Arrays of a file, their names behind ``prefix``."""
    quality = model.quality
    return {
        f"{prefix}mean": model.mean,
        f"{prefix}components": model.components,
        f"{prefix}basis": model.basis,
        f"{prefix}weights": model.weights,
        f"{prefix}scalars": np.array([model.bias, model.slope, model.offset, model.familiar]),
        f"{prefix}quality": np.array(
            [
                quality.labels,
                quality.successes,
                quality.accuracy,
                quality.log_loss,
                quality.constant_log_loss,
            ],
            dtype=np.float64,
        ),
    }


def from_arrays(arrays: Mapping[str, FloatArray], prefix: str) -> Classifier:
    """Inverse of ``to_arrays``; raises RewardSourceError for a damaged file."""
    try:
        mean, components, basis, weights, scalars, quality = (
            arrays[prefix + name]
            for name in ("mean", "components", "basis", "weights", "scalars", "quality")
        )
        bias, slope, offset, familiar = (float(value) for value in scalars)
        labels, successes, accuracy, log_loss, constant = (float(value) for value in quality)
    except (KeyError, ValueError, TypeError) as error:
        raise RewardSourceError("the classifier's file is damaged", got=repr(error)) from None
    fits = components.shape == basis.shape == (len(weights), len(mean))
    if not fits or not all(np.isfinite(array).all() for array in arrays.values()):
        raise RewardSourceError("the classifier's file is damaged", got="arrays that do not fit")
    found = Quality(int(labels), int(successes), accuracy, log_loss, constant)
    return Classifier(mean, components, basis, weights, bias, slope, offset, familiar, found)
