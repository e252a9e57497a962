# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recipe of a diffusion transformer, read from ``config/policies/*.yaml``."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from roboreward_ros.errors import ConfigError
from roboreward_ros.files import config_folders, read_yaml
from roboreward_ros.policies.config import SamplerConfig
from roboreward_ros.policies.normalise import Statistics
from roboreward_ros.policies.recipe import read_entries, read_section
from roboreward_ros.policies.transformer.config import CloneConfig, TransformerConfig
from roboreward_ros.policies.transformer.rows import Actions
from roboreward_ros.types import ACTION_DIM, PROPRIO_DIM

STATISTICS = "policies/statistics"


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What a data set's rows become.

    Attributes:
        actions: see ``Actions``.
        statistics: published normalisation by its name in config/policies/statistics; "" fits it to
            the rows that are learned from.
        skip_unnamed: leave out episodes without a sentence, which BridgeData has, and count them;
            otherwise they are an error.
    """

    actions: Actions = Actions.STORED
    statistics: str = ""
    skip_unnamed: bool = True


@dataclass(frozen=True, slots=True)
class TransformerRecipe:
    """How a diffusion transformer is made.

    Attributes:
        network: sizes.
        sampler: schedule.
        train: optimisation.
        data: what rows become.
    """

    network: TransformerConfig = field(default_factory=TransformerConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    train: CloneConfig = field(default_factory=CloneConfig)
    data: DataConfig = field(default_factory=DataConfig)


def load_transformer_recipe(path: Path) -> TransformerRecipe:
    """Read a recipe.

    Raises:
        ConfigError: missing file, unknown or wrong entries.
    """
    raw = read_entries(path, {item.name for item in fields(TransformerRecipe)})
    return TransformerRecipe(
        network=read_section(TransformerConfig, raw["network"], path),
        sampler=read_section(SamplerConfig, raw["sampler"], path),
        train=read_section(CloneConfig, raw["train"], path),
        data=read_section(DataConfig, raw["data"], path),
    )


def published_statistics(name: str) -> tuple[Statistics, Statistics]:
    """Proprioception's and action's statistics by name.

    Raises:
        ConfigError: no such file, or not two times seven numbers.
    """
    folders = config_folders(STATISTICS)
    found = [path for folder in folders if (path := folder / f"{name}.yaml").is_file()]
    if not found:
        there = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
        raise ConfigError("unknown normalisation statistics", got=name, allowed=there)
    raw = read_yaml(found[0])
    try:
        proprio, action = (
            Statistics(
                tuple(float(x) for x in raw[part]["mean"]),
                tuple(float(x) for x in raw[part]["spread"]),
            )
            for part in ("proprio", "action")
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError("statistics cannot be read", got=f"{found[0]}: {error!r}") from None
    if (len(proprio.mean), len(action.mean)) != (PROPRIO_DIM, ACTION_DIM):
        raise ConfigError("statistics have the wrong length", got=str(found[0]))
    return proprio, action
