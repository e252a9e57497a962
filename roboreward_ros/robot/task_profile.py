# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A task of a lab as data: its sentence, time limit, box and scenes, from ``config/tasks``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from roboreward_ros.errors import ConfigError
from roboreward_ros.files import config_folders, read_yaml


@dataclass(frozen=True, slots=True)
class TaskProfile:
    """One task.

    Attributes:
        task: the sentence that policy and reward are told.
        max_steps: time limit of an episode, control steps.
        workspace: box of the robot's profile that it needs; empty for the profile's own.
        scenes: how to lay it out for an evaluation, in words, one a line; may be empty.
    """

    task: str
    max_steps: int
    workspace: str = ""
    scenes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.task.strip():
            raise ConfigError("a task profile needs a task", got=self.task, allowed="a sentence")
        if not 1 <= self.max_steps <= 100_000:
            raise ConfigError("max_steps of a task", got=self.max_steps, allowed="1..100000")
        if len(set(self.scenes)) < len(self.scenes):
            raise ConfigError("a scene of the task is listed twice", got=self.task)

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> TaskProfile:
        """Build from plain YAML values.

        Raises:
            ConfigError: unknown, missing or malformed keys.
        """
        names = {item.name for item in fields(cls)}
        if unknown := sorted(set(values) - names):
            raise ConfigError("unknown key in a task profile", got=unknown, allowed=sorted(names))
        steps, scenes = values.get("max_steps"), values.get("scenes", [])
        if not isinstance(steps, int) or isinstance(steps, bool) or not isinstance(scenes, list):
            raise ConfigError(
                "a task profile is malformed",
                got=f"max_steps {steps!r}, scenes {type(scenes).__name__}",
                allowed="max_steps: a whole number; scenes: a list of lines",
            )
        return cls(
            task=str(values.get("task", "")),
            max_steps=steps,
            workspace=str(values.get("workspace", "")),
            scenes=tuple(str(scene) for scene in scenes),
        )


def task_names() -> list[str]:
    """Names of the shipped profiles."""
    return sorted({p.stem for folder in config_folders("tasks") for p in folder.glob("*.yaml")})


def load_task(name: str) -> TaskProfile:
    """The profile ``name``, or the one in the YAML file at path ``name``.

    Raises:
        ConfigError: no such profile, unreadable YAML, or a bad value; names the file.
    """
    given = Path(name)
    found = [folder / f"{name}.yaml" for folder in config_folders("tasks")]
    if given.suffix in {".yaml", ".yml"}:
        found = [given]
    path = next((path for path in found if path.is_file()), None)
    if path is None:
        raise ConfigError("no such task profile", got=name, allowed=task_names())
    try:
        values = read_yaml(path)
    except yaml.YAMLError as error:
        raise ConfigError("task profile is not YAML", got=f"{path}: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError("task profile is not a mapping", got=str(path))
    return TaskProfile.from_mapping(values)


def find_task(words: str) -> TaskProfile | None:
    """The profile with that name, file or sentence; None where there is none."""
    if words in task_names() or Path(words).suffix in {".yaml", ".yml"}:
        return load_task(words)
    return next((one for name in task_names() if (one := load_task(name)).task == words), None)
