# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A task of robomimic as a bench of the studies: data and environments in, a frozen policy out."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from pathlib import Path

from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.config import TrainConfig
from roboreward_ros.studies.lowdim.policy import (
    StateNetConfig,
    StatePolicy,
    load_state_policy,
    train_rows,
)
from roboreward_ros.studies.lowdim.setup import OnLine, Setup, SetupConfig
from roboreward_ros.studies.robomimic.data import SuiteData, find_data, read_data
from roboreward_ros.studies.robomimic.lanes import SuiteLanes
from roboreward_ros.studies.robomimic.suite import Suite
from roboreward_ros.studies.robomimic.tasks import SuiteTask

HORIZON = 4
"""Actions of a decision, all executed, as in DSRL's robomimic settings."""
RECIPE = SetupConfig(demonstrations=200, hidden=512, train=TrainConfig(steps=20_000))
TOGETHER = 4
"""Environments side by side; each takes some hundred megabytes."""


class SuiteBench:
    """Robomimic's data and robosuite's environment of one task.

    Args:
        task: which.
        root: folder of robomimic's data, or the file.
        config: ``demonstrations`` of the data at most, width and training of the policy.

    Raises:
        FormatError: no data, or of another task or robosuite.
        ConfigError: robosuite is not installed.
    """

    def __init__(self, task: SuiteTask, root: Path, config: SetupConfig = RECIPE) -> None:
        self._task, self._config = task, config
        self._path = find_data(root, task)

    @property
    def key(self) -> str:
        """For files and tables."""
        return self._task.spec.key

    @cached_property
    def _data(self) -> SuiteData:
        return read_data(self._path, self._task, self._config.demonstrations)

    def prepare(self, folder: Path, say: OnLine) -> Setup:
        """Judged demonstrations, and the policy cloned from them: made once, kept in ``folder``."""
        suite = Suite(self._task, self._data.env_kwargs)
        try:
            suite.check(self._data)
            demos = self._data.snapshots(suite.place, suite.goal, HORIZON, suite.resting)
        finally:
            suite.close()
        path, train = folder / "policy.safetensors", self._config.train
        if not path.with_suffix(".json").is_file():
            say(f"{self.key}: cloning {len(self._data.demos)} demonstrations, {train.steps} steps")
            states, chunks = self._data.rows(HORIZON)
            network = StateNetConfig(states.shape[1], HORIZON, self._config.hidden)
            policy = train_rows(states, chunks, self._task.spec.sentence, network, train)
            path.parent.mkdir(parents=True, exist_ok=True)
            policy.save(path, {"recipe": asdict(self._config), "data": self._path.name})
        return Setup(self._task.spec, demos, load_state_policy(path))

    def lanes(self, policy: StatePolicy, count: int, *, to_the_end: bool = False) -> SuiteLanes:
        """Environments for ``count`` runs side by side.

        Raises:
            ConfigError: a judge that looks at pictures: there are none here.
        """
        if to_the_end:
            raise ConfigError(
                "robomimic's tasks are judged by states here",
                got="a judge that looks at pictures",
                next_step="Run this study on the twin's tasks.",
            )
        together = max(1, min(count, TOGETHER))
        worlds = [Suite(self._task, self._data.env_kwargs) for _ in range(together)]
        return SuiteLanes(policy, self._task, worlds)
