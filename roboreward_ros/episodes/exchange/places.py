# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Paths that a data set's own header names: templates are filled in, and stay below its folder."""

from __future__ import annotations

import re
from pathlib import Path

from roboreward_ros.files import inside

_FIELD = re.compile(r"\{(\w+)(?::0?(\d{1,2})d?)?\}")


def place_of(root: Path, template: str, **values: int | str) -> Path:
    """The file that a template names.

    Only ``{name}`` and ``{name:03d}`` are understood: ``str.format`` would let a header from
    elsewhere look into objects, or ask for a text of any length.

    Args:
        root: the data set's folder.
        template: such as ``data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet``.
        values: what the names stand for.

    Raises:
        ValueError: a name without a value, or a path that leaves ``root``.
    """

    def fill(field: re.Match[str]) -> str:
        name, width = field.group(1), field.group(2)
        if name not in values:
            raise ValueError(f"{{{name}}} stands for nothing in {template!r}")
        value = values[name]
        return f"{int(value):0{int(width)}d}" if width else str(value)

    return inside(root, _FIELD.sub(fill, template))
