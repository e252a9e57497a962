# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the studies of a task share, made once and kept: demonstrations and the frozen policy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from roboreward_ros.dsrl.config import DsrlConfig, load_profile
from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.config import TrainConfig
from roboreward_ros.sim.demo_style import DemoStyle, flat
from roboreward_ros.sim.tasks import DRAWER, MUSHROOM, TaskSpec
from roboreward_ros.studies.lowdim.demonstrations import StateDemos, collect_states
from roboreward_ros.studies.lowdim.policy import (
    StateNetConfig,
    StatePolicy,
    load_state_policy,
    train_state_policy,
)
from roboreward_ros.studies.lowdim.view import view_dim

OnLine = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SetupConfig:
    """How the frozen policy of a task is made.

    Attributes:
        demonstrations: episodes, with the shipped policy's demonstrators.
        hidden: width of the denoiser.
        train: of the cloning.
        seed: of the demonstrations.
    """

    demonstrations: int = 300
    hidden: int = 160
    train: TrainConfig = field(default_factory=lambda: TrainConfig(steps=4000))
    seed: int = 0

    def __post_init__(self) -> None:
        if self.demonstrations < 1:
            raise ConfigError("no demonstrations", got=self.demonstrations, allowed="1 or more")


RECIPES = {
    DRAWER.key: SetupConfig(),
    MUSHROOM.key: SetupConfig(demonstrations=400, train=TrainConfig(steps=5000)),
}
"""How a task's policy is made unless said otherwise: a grasp asks for more than a hook."""


def recipe(task: TaskSpec, hidden: int = 0) -> SetupConfig:
    """How the policy of ``task`` is made, with another width of the denoiser unless it is 0."""
    view_dim(task)
    config = RECIPES[task.key]
    return replace(config, hidden=hidden) if hidden else config


@dataclass(frozen=True, slots=True)
class Setup:
    """One task's frozen policy and the demonstrations that it was cloned from."""

    task: TaskSpec
    demos: StateDemos
    policy: StatePolicy


def prepare(task: TaskSpec, folder: Path, config: SetupConfig | None, say: OnLine) -> Setup:
    """Load what lies in ``folder``, make what is missing.

    Args:
        task: with a low-dimensional view.
        folder: of the task's studies.
        config: how to make it; None for the task's recipe.
        say: told in a line what takes long.

    Raises:
        CheckpointError: the policy in ``folder`` was made in another way.
    """
    config = config or recipe(task)
    style, horizon = DemoStyle(), 4
    demos_file, policy_file = folder / "demonstrations.npz", folder / "policy.safetensors"
    demos = _load_demos(demos_file)
    if demos is None:
        say(f"{task.key}: {config.demonstrations} demonstrations")
        demos = collect_states(task, config.demonstrations, horizon, style, config.seed)
        _save_demos(demos_file, demos)
    if not policy_file.with_suffix(".json").is_file():
        say(f"{task.key}: cloning, {config.train.steps} steps")
        network = StateNetConfig(view_dim(task), horizon, config.hidden)
        policy = train_state_policy(demos, task.sentence, network, config.train)
        policy.save(policy_file, {"recipe": asdict(config), "style": flat(style)})
    _require_recipe(policy_file.with_suffix(".json"), config)
    return Setup(task, demos, load_state_policy(policy_file))


def study_learner(updates: int = 20) -> DsrlConfig:
    """The ``widowx`` learner, half as wide and with half of its updates.

    A state of a dozen numbers needs no more, and a study of a hundred runs costs a fifth.
    """
    return replace(
        load_profile("widowx"), hidden=(64, 64), batch_size=64, updates_per_episode=updates
    )


def _require_recipe(path: Path, config: SetupConfig) -> None:
    """Raises CheckpointError where the policy's file tells of another recipe."""
    try:
        stored = json.loads(path.read_text())["provenance"]["recipe"]
    except (ValueError, KeyError, TypeError):
        return  # whoever loads the policy says what is wrong with it
    wanted = json.loads(json.dumps(asdict(config)))
    if stored != wanted:
        changed = [name for name, value in wanted.items() if stored.get(name) != value]
        raise CheckpointError(
            "the policy in this folder was made by another recipe",
            got=f"{path}: another {', '.join(changed)}",
            next_step="Take another folder (--runs), or delete this one's policy and runs.",
        )


def _save_demos(path: Path, demos: StateDemos) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        arrays = {f.name: getattr(demos, f.name) for f in fields(StateDemos)}
        np.savez_compressed(file, allow_pickle=False, **arrays)
    part.replace(path)


def _load_demos(path: Path) -> StateDemos | None:
    """None where there are none, or a damaged file: they are made again."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return StateDemos(**{f.name: file[f.name] for f in fields(StateDemos)})
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        return None
