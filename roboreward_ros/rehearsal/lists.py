# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The lists that people write for a rehearsal, in YAML: faults, and the operator's keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from roboreward_ros.errors import ConfigError
from roboreward_ros.files import read_yaml


def read_list(path: Path, key: str) -> Sequence[object]:
    """The list under ``key``.

    Raises:
        ConfigError: the file is not there, or holds something else.
    """
    try:
        content = read_yaml(path)
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"the list of {key} cannot be read", got=f"{path}: {error}") from None
    rows = content.get(key) if isinstance(content, Mapping) else None
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise ConfigError(f"no {key} in the file", got=str(path), allowed=f"a list under `{key}`")
    return rows
