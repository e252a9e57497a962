# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Classifiers of a run on disk: one file, one classifier a task, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.files import write_atomic
from roboreward_ros.rewards.small.model import Classifier, from_arrays, to_arrays
from roboreward_ros.types import FloatArray

FORMAT = 1
FILE = "classifier.safetensors"


def save(path: Path, models: Mapping[str, Classifier], provenance: Mapping[str, str]) -> None:
    """Write classifiers by task, with where they come from."""
    from safetensors.numpy import save as to_bytes

    tasks = sorted(models)
    arrays: dict[str, FloatArray] = {}
    for number, task in enumerate(tasks):
        arrays |= to_arrays(models[task], f"{number}.")
    metadata = {"format": str(FORMAT), "tasks": json.dumps(tasks), **provenance}
    write_atomic(path, to_bytes(arrays, metadata))


def load(path: Path) -> tuple[dict[str, Classifier], str]:
    """Classifiers by task, and what names them in a score.

    Raises:
        RewardSourceError: no such file, damaged, or of a newer format.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise RewardSourceError(
            "there is no trained classifier",
            got=str(path) or "no file",
            next_step="Train one from a run's labels: `roboreward reward classifier RUN`.",
        )
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        number, tasks = int(metadata["format"]), json.loads(metadata["tasks"])
        if number > FORMAT:
            raise RewardSourceError(f"{path} is of a newer format", got=number, allowed=FORMAT)
        models = {str(task): from_arrays(arrays, f"{k}.") for k, task in enumerate(tasks)}
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise RewardSourceError(f"{path} is no classifier", got=str(error)) from None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return models, f"{path.name}@{digest}"
