# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reward models that come with the package, by short name, and the options they were trained on."""

from __future__ import annotations

from pathlib import Path

import yaml

from roboreward_ros.errors import ConfigError
from roboreward_ros.files import read_yaml
from roboreward_ros.rewards.config import Option

ASSETS = Path(__file__).parents[1] / "assets" / "rewards"
OPTIONS_FILE = "options.yaml"


def shipped_folder(name: str) -> Path | None:
    """Folder of the shipped model of this name; None where there is none."""
    if not name or not name.isidentifier():
        return None
    folder = ASSETS / name
    return folder if folder.is_dir() else None


def model_options(name: str) -> dict[str, Option]:
    """The options beside a model's weights: frames and prompt are part of what it was trained on.

    Args:
        name: short name or folder; anything else has none.

    Raises:
        ConfigError: the file is damaged.
    """
    folder = shipped_folder(name) or (Path(name).expanduser() if name else None)
    path = folder / OPTIONS_FILE if folder is not None else None
    if path is None or not path.is_file():
        return {}
    try:
        values: Option = read_yaml(path)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML", got=str(error)) from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is not a mapping", got=type(values).__name__)
    return values
