# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recipe: everything that decides a trained policy, read from ``config/policies/*.yaml``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import yaml

from roboreward_ros.errors import ConfigError
from roboreward_ros.files import read_yaml
from roboreward_ros.policies.config import NetworkConfig, SamplerConfig, TrainConfig

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Section = TypeVar("Section")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a policy is made.

    Attributes:
        demonstrations: episodes per task sentence; the order is the policy's order of tasks.
        seed: of the demonstrations' layouts and styles.
        network: sizes.
        sampler: schedule.
        train: optimisation.
    """

    demonstrations: tuple[tuple[str, int], ...]
    seed: int
    network: NetworkConfig
    sampler: SamplerConfig
    train: TrainConfig

    def __post_init__(self) -> None:
        if not self.demonstrations or min(count for _, count in self.demonstrations) < 1:
            raise ConfigError(
                "a recipe needs demonstrations",
                got=dict(self.demonstrations),
                allowed="at least one episode of at least one task",
            )
        if self.seed < 0:
            raise ConfigError("Recipe.seed is negative", got=self.seed, allowed=">= 0")

    def as_json(self) -> dict[str, object]:
        """Plain values for the provenance of a checkpoint."""
        values = asdict(self)
        values["demonstrations"] = dict(self.demonstrations)
        return values


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        ConfigError: missing file, unknown or wrong entries.
    """
    raw = read_entries(path, {field.name for field in fields(Recipe)})
    counts = raw["demonstrations"]
    if not isinstance(counts, dict) or not all(type(value) is int for value in counts.values()):
        raise ConfigError("Recipe.demonstrations", got=counts, allowed="sentence: episodes")
    if type(raw["seed"]) is not int:
        raise ConfigError("Recipe.seed", got=raw["seed"], allowed="an integer")
    return Recipe(
        demonstrations=tuple((str(task), count) for task, count in counts.items()),
        seed=raw["seed"],
        network=read_section(NetworkConfig, raw["network"], path),
        sampler=read_section(SamplerConfig, raw["sampler"], path),
        train=read_section(TrainConfig, raw["train"], path),
    )


def read_entries(path: Path, names: set[str]) -> dict[str, object]:
    """The top of a recipe's file, which must hold exactly these entries.

    Raises:
        ConfigError: missing file, unknown or missing entries.
    """
    try:
        raw = read_yaml(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            "recipe cannot be read",
            got=f"{path}: {why}",
            next_step="Give the name of one in config/policies, or the path of a .yaml file.",
        ) from error
    if not isinstance(raw, dict) or set(raw) != names:
        got = sorted(map(str, raw)) if isinstance(raw, dict) else type(raw).__name__
        raise ConfigError(f"recipe {path} has the wrong entries", got=got, allowed=sorted(names))
    return raw


def read_section(kind: type[Section], raw: object, path: Path) -> Section:
    """A configuration whose fields all have defaults, from plain values.

    Args:
        kind: its class.
        raw: some of its fields, or all.
        path: of the file, for errors.

    Raises:
        ConfigError: unknown entries, values of the wrong kind or out of range.
    """
    build = cast("Callable[..., Section]", kind)
    default = build()
    allowed = {field.name for field in fields(cast("DataclassInstance", default))}
    if not isinstance(raw, Mapping) or not set(raw) <= allowed:
        raise ConfigError(
            f"{kind.__name__} of recipe {path} has the wrong entries",
            got=raw,
            allowed=sorted(allowed),
        )
    values: dict[str, object] = {}
    for name, value in raw.items():
        wanted = type(getattr(default, name))
        given = tuple(value) if isinstance(value, list) else value
        if issubclass(wanted, StrEnum) and type(given) is str:
            if given not in [item.value for item in wanted]:
                allowed_words = [item.value for item in wanted]
                raise ConfigError(f"{kind.__name__}.{name}", got=given, allowed=allowed_words)
            given = wanted(given)
        if not (type(given) is wanted or (wanted is float and type(given) is int)):
            raise ConfigError(
                f"{kind.__name__}.{name} has the wrong type", got=value, allowed=wanted.__name__
            )
        values[name] = given
    return build(**values)
