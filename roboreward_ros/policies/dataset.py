# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Demonstrations as flat arrays: one row per control step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.files import open_atomic
from roboreward_ros.types import (
    ACTION_DIM,
    PROPRIO_DIM,
    Float32Array,
    FloatArray,
    ImageU8,
    require_shape,
)


@dataclass(frozen=True, slots=True)
class Demonstrations:
    """N rows of training data.

    Attributes:
        tasks: sentences; ``task`` indexes them.
        images: ``[N, S, S, 3]`` uint8 RGB, already shrunk as ``encode`` shrinks.
        proprio: ``[N, 7]`` float32.
        chunks: ``[N, P, 7]`` float32, the actions from this step on, physical units.
        task: ``[N]`` int64.
        positions: ``[N, K]`` float32 object positions in metres for the training-only loss, NaN
            where a task has fewer; K may be 0.
    """

    tasks: tuple[str, ...]
    images: ImageU8
    proprio: Float32Array
    chunks: Float32Array
    task: npt.NDArray[np.int64]
    positions: Float32Array

    def __post_init__(self) -> None:
        rows = len(self.images)
        if rows == 0:
            raise ConfigError("there are no demonstrations", got=0, allowed="at least one step")
        side = self.images.shape[1]
        require_shape("images", self.images, (rows, side, side, 3))
        require_shape("proprio", self.proprio, (rows, PROPRIO_DIM))
        require_shape("chunks", self.chunks, (rows, None, ACTION_DIM))
        require_shape("task", self.task, (rows,))
        require_shape("positions", self.positions, (rows, None))
        if not (np.isfinite(self.proprio).all() and np.isfinite(self.chunks).all()):
            raise ConfigError("demonstrations are not finite")
        if self.task.min() < 0 or self.task.max() >= len(self.tasks):
            raise ConfigError(
                "task index is out of range",
                got=f"{self.task.min()}..{self.task.max()}",
                allowed=f"0..{len(self.tasks) - 1}",
            )

    def sha256(self) -> str:
        """Hash over all arrays; the data hash of a checkpoint's provenance."""
        digest = hashlib.sha256("\n".join(self.tasks).encode())
        for array in (self.images, self.proprio, self.chunks, self.task, self.positions):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


_ARRAYS = ("images", "proprio", "chunks", "task", "positions")


def save_demonstrations(path: Path, data: Demonstrations) -> None:
    """Write all arrays to one ``.npz``, replaced atomically."""
    with open_atomic(path) as file:
        arrays = {name: getattr(data, name) for name in _ARRAYS}
        np.savez(file, allow_pickle=False, tasks=np.array(data.tasks), **arrays)


def load_demonstrations(path: Path) -> Demonstrations:
    """Read what ``save_demonstrations`` wrote.

    Raises:
        FormatError: missing, damaged or foreign file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in _ARRAYS}
            tasks = tuple(str(task) for task in file["tasks"])
        return Demonstrations(tasks=tasks, **arrays)
    except (OSError, EOFError, ValueError, KeyError, BadZipFile, ConfigError) as error:
        raise FormatError(
            "demonstrations cannot be read",
            got=f"{path}: {error}",
            next_step="Delete the file: they are collected again.",
        ) from error


def chunks_of(actions: FloatArray, horizon: int) -> Float32Array:
    """Action chunks ``[T, P, 7]`` float32 of an episode's actions ``[T, 7]``.

    Chunks that reach beyond the end are filled with "stay": zero deltas and the last gripper
    command, which is what a demonstrator that has finished does.
    """
    require_shape("actions", actions, (None, ACTION_DIM))
    stay = np.zeros((horizon - 1, ACTION_DIM))
    stay[:, -1] = actions[-1, -1]
    padded = np.concatenate([actions, stay]).astype(np.float32)
    return np.stack([padded[start : start + horizon] for start in range(len(actions))])
