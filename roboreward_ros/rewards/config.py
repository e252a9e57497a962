# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``config/rewards/<name>.yaml`` and options to a source's configuration dataclass."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias, TypeVar

import yaml

from roboreward_ros.errors import ConfigError
from roboreward_ros.files import config_folders, read_yaml

Option: TypeAlias = "bool | int | float | str | list[Option] | dict[str, Option] | None"
Options: TypeAlias = Mapping[str, Option]
Config = TypeVar("Config")


def file_options(name: str) -> dict[str, Option]:
    """What the source's file sets; {} where there is no such file (defaults hold).

    Raises:
        ConfigError: not a YAML mapping.
    """
    for folder in config_folders("rewards"):
        path = folder / f"{name}.yaml"
        if path.is_file():
            try:
                values: Option = read_yaml(path)
            except yaml.YAMLError as error:
                raise ConfigError(f"{path} is not YAML", got=str(error)) from None
            if values is None:
                return {}
            if not isinstance(values, dict):
                raise ConfigError(f"{path} is not a mapping", got=type(values).__name__)
            return values
    return {}


def options_from_json(text: str) -> dict[str, Option]:
    """Options of a service call; "" is none. Raises ConfigError."""
    if not text.strip():
        return {}
    try:
        values: Option = json.loads(text)
    except (ValueError, OverflowError, RecursionError) as error:
        raise ConfigError(
            "options are not JSON", got=str(error), allowed='an object such as {"error": 0.1}'
        ) from None
    if not isinstance(values, dict):
        raise ConfigError("options are not a JSON object", got=type(values).__name__)
    return values


def build_config(kind: type[Config], options: Options, where: str) -> Config:
    """An instance of the dataclass ``kind`` from plain values.

    Raises:
        ConfigError: unknown key or wrong type; the dataclass's own checks.
    """
    hints = typing.get_type_hints(kind)
    if not dataclasses.is_dataclass(kind):
        raise ConfigError(f"{where}: {kind.__name__} is not a dataclass")
    names = [item.name for item in dataclasses.fields(kind)]
    values: dict[str, object] = {}
    for key, value in options.items():
        if key not in names:
            raise ConfigError(
                f"{where}: unknown option", got=key, allowed=names or "none: it has no options"
            )
        values[key] = _coerce(value, hints[key], f"{where}: option '{key}'")
    return kind(**values)


def _coerce(value: Option, hint: object, where: str) -> object:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        item = typing.get_args(hint)[0]
        return tuple(_coerce(entry, item, where) for entry in value)
    if hint in (bool, int, float, str):
        exact = type(value) is hint
        if not exact:
            name = getattr(hint, "__name__", str(hint))
            raise ConfigError(f"{where} has the wrong type", got=repr(value), allowed=name)
        return value
    if isinstance(hint, type) and issubclass(hint, StrEnum) and isinstance(value, str):
        if value not in list(hint):
            raise ConfigError(f"{where} is unknown", got=value, allowed=tuple(hint))
        return hint(value)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return build_config(hint, value, where)
    raise ConfigError(f"{where} has the wrong type", got=repr(value), allowed=str(hint))


def config_hash(config: object) -> str:
    """sha256 of a configuration dataclass, for provenance."""
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise ConfigError("not a configuration", got=type(config).__name__)
    text = json.dumps(
        {"class": type(config).__name__, **dataclasses.asdict(config)}, sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()
