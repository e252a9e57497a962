# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trains the small success classifier from the labels that a run has collected."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import RewardView, ViewConfig
from roboreward_ros.errors import FormatError, RewardSourceError
from roboreward_ros.rewards.rubric import r01
from roboreward_ros.rewards.small.features import episode_features
from roboreward_ros.rewards.small.model import Classifier, fit
from roboreward_ros.rewards.small.store import FILE, save
from roboreward_ros.types import FloatArray

LEAST_LABELS = 10
"""Successes and failures that a task must have at least."""
_SUCCESS = 1.0 - 1e-9
_OWN = "classifier"


def train_classifier(
    run_dir: Path, least: int = LEAST_LABELS, success_from: float = _SUCCESS
) -> tuple[Path, dict[str, Classifier], dict[str, str]]:
    """Fit one classifier for every task that has labels enough, and save them beside the run.

    Labels are those that the learner sees: people first, then the run's source. What the
    classifier itself said does not count.

    Args:
        run_dir: the run.
        least: successes and failures that a task must have.
        success_from: share of the label's range from which it counts as a success.

    Returns:
        The file, the classifiers by task, and why other tasks have none.

    Raises:
        RewardSourceError: no task has labels enough, or none can be learnt; names each.
        StoreError: there is no run.
    """
    view = RewardView.of_run(run_dir, read_promoted(run_dir) or ViewConfig(source=""))
    clips: dict[str, list[tuple[FloatArray, float]]] = {}
    digest = hashlib.sha256()
    store = EpisodeStore(run_dir)
    for episode_id in store.ids():
        score = view.label(episode_id)
        if score is None or score.provenance.source == _OWN:
            continue
        try:
            episode = store.open(episode_id)
            summary = episode.summary
            if summary.discarded or summary.taint:
                continue
            frames = episode.frames()
            features = episode_features(frames[0], frames[-1])
        except (FormatError, RewardSourceError):
            continue  # a damaged episode is the store's business (`roboreward episodes verify`)
        success = float(r01(score.value, score.scale) >= success_from)
        task = " ".join(summary.meta.task.split())
        clips.setdefault(task, []).append((features, success))
        digest.update(f"{episode_id}:{success}".encode())
    models: dict[str, Classifier] = {}
    refused: dict[str, str] = {}
    for task, items in sorted(clips.items()):
        try:
            models[task] = fit(
                np.stack([item[0] for item in items]), np.array([item[1] for item in items]), least
            )
        except RewardSourceError as error:
            refused[task] = str(error)
    if not models:
        raise RewardSourceError(
            "no classifier could be trained",
            got="; ".join(f"{task}: {why}" for task, why in refused.items()) or "no labels",
        )
    path = run_dir / FILE
    save(path, models, {"run": run_dir.resolve().name, "labels": digest.hexdigest()})
    return path, models, refused
