# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads robomimic's low-dimensional data: ``data/demo_K/{obs, next_obs, actions, rewards}``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from roboreward_ros.errors import FormatError
from roboreward_ros.policies.dataset import chunks_of
from roboreward_ros.studies.lowdim.demonstrations import StateDemos
from roboreward_ros.studies.robomimic.tasks import STATE_KEYS, SuiteTask, judge
from roboreward_ros.types import ACTION_DIM, Float32Array, FloatArray

if TYPE_CHECKING:
    import h5py

    from roboreward_ros.types.codec import JsonValue

SNAPSHOTS = 64
"""States of every demonstration that judges learn from, evenly over it, besides the first."""
# Names that robomimic's own download and its website give the file.
_PATTERNS = ("{name}/ph/low_dim*.hdf5", "{name}/low_dim*.hdf5", "{name}*.hdf5", "low_dim*.hdf5")
EnvKwargs: TypeAlias = "Mapping[str, JsonValue]"
"""What robosuite's ``make`` is given."""


@dataclass(frozen=True, slots=True)
class Demo:
    """One demonstration.

    Attributes:
        states: before every step and after the last ``[T + 1, S]`` float32.
        actions: ``[T, 7]`` in [-1, 1]: OSC deltas of place and rotation, gripper.
        won: robosuite's success of every state; the first is False ``[T + 1]``.
        simulator: flattened MuJoCo state before the first step.
    """

    states: Float32Array
    actions: FloatArray
    won: tuple[bool, ...]
    simulator: FloatArray


@dataclass(frozen=True, slots=True)
class SuiteData:
    """A data set.

    Attributes:
        path: of the file.
        env_kwargs: what the environment was made with, controller included.
        demos: in the file's order.
    """

    path: Path
    env_kwargs: EnvKwargs
    demos: tuple[Demo, ...]

    def rows(self, horizon: int) -> tuple[Float32Array, Float32Array]:
        """States ``[N, S]`` and the chunks of actions that follow ``[N, P, 7]``, for cloning."""
        states = np.concatenate([demo.states[:-1] for demo in self.demos])
        return states, np.concatenate([chunks_of(demo.actions, horizon) for demo in self.demos])

    def snapshots(
        self,
        place: slice,
        goal: FloatArray,
        horizon: int,
        resting: Callable[[FloatArray], FloatArray] = lambda place: place,
    ) -> StateDemos:
        """Judged states of all demonstrations, as many of each, for whoever trains a judge.

        Args:
            place: where the thing's place stands in a state.
            goal: see ``judge``.
            horizon: P of the chunks beside them.
            resting: where a thing comes to lie that the scene begins with.
        """
        kept, chunks, truths = [], [], []
        for demo in self.demos:
            at = np.linspace(0, len(demo.actions), SNAPSHOTS + 1).round().astype(np.int64)
            kept.append(demo.states[at])
            chunks.append(chunks_of(demo.actions, horizon)[np.minimum(at[:-1], at[-1] - 1)])
            start = resting(demo.states[0, place].astype(np.float64))
            places = demo.states[at][:, place].astype(np.float64)
            won = [demo.won[k] for k in at]
            truths.append([judge(start, p, goal, w) for p, w in zip(places, won, strict=True)])
        return StateDemos(
            states=np.stack(kept),
            chunks=np.stack(chunks),
            scores=np.array([[t.score for t in row] for row in truths], dtype=np.int64),
            progress=np.array([[t.progress for t in row] for row in truths], dtype=np.float32),
            success=np.array([[t.success for t in row] for row in truths], dtype=np.bool_),
        )


def find_data(root: Path, task: SuiteTask) -> Path:
    """The file of ``task`` below ``root``, which may be the file itself.

    Raises:
        FormatError: none, or several.
    """
    if root.is_file():
        return root
    name = task.spec.key.split("_", 1)[1]
    for pattern in _PATTERNS:
        found = sorted(root.glob(pattern.format(name=name)))
        if len(found) > 1:
            raise FormatError(
                f"several files of robomimic's {name}",
                got=", ".join(str(path) for path in found),
                next_step="Name the file itself.",
            )
        if found:
            return found[0]
    raise FormatError(
        f"no low-dimensional data of robomimic's {name}",
        got=str(root),
        allowed=f"{name}/ph/low_dim*.hdf5",
        next_step="Get it with robomimic's download_datasets.py --tasks ... --hdf5_types low_dim.",
    )


def read_data(path: Path, task: SuiteTask, limit: int | None = None) -> SuiteData:
    """Read a file.

    Args:
        path: of the file.
        task: which it must be of.
        limit: so many demonstrations at most.

    Raises:
        FormatError: not robomimic's layout, another task, or damaged.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            group = file["data"]
            described = json.loads(group.attrs["env_args"])
            if described["env_name"] != task.env_name:
                raise FormatError(
                    "data of another task",
                    got=f"{path}: {described['env_name']}",
                    allowed=task.env_name,
                )
            names = sorted(group, key=lambda name: int(name.rsplit("_", 1)[1]))[:limit]
            demos = tuple(_demo(group[name], f"{path}: {name}") for name in names)
            kwargs = dict(described["env_kwargs"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise FormatError("not robomimic's low-dimensional data", got=f"{path}: {error}") from error
    if not demos:
        raise FormatError("a data set without demonstrations", got=str(path))
    return SuiteData(path, kwargs, demos)


def _demo(group: h5py.Group, label: str) -> Demo:
    actions = np.asarray(group["actions"], dtype=np.float64)
    obs, after = group["obs"], group["next_obs"]
    if actions.ndim != 2 or actions.shape[1] != ACTION_DIM or not len(actions):
        raise FormatError("actions of another shape", got=f"{label}: {actions.shape}")
    last = np.concatenate([np.asarray(after[key][-1]) for key in STATE_KEYS])
    states = np.concatenate([np.asarray(obs[key]) for key in STATE_KEYS], axis=1)
    whole = np.concatenate([states, last[None]]).astype(np.float32)
    rewards = np.asarray(group["rewards"], dtype=np.float64)
    if len(whole) != len(actions) + 1 or rewards.shape != (len(actions),):
        raise FormatError("observations and actions of different lengths", got=label)
    if not (np.isfinite(whole).all() and np.isfinite(actions).all()):
        raise FormatError("a number that is not finite", got=label)
    simulator = np.asarray(group["states"][0], dtype=np.float64)
    return Demo(whole, actions, (False, *(bool(r > 0) for r in rewards)), simulator)
