# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``run.json``: the launch arguments that a run was started with, for its resume."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.stack import FIXED_ON_RESUME, StackArguments

FORMAT = 1
FILE = "run.json"
PARTS = ("episodes", "ledger", "policies", "checkpoints", "logs")
NOT_STORED = ("run_dir",)


def load(run_dir: Path) -> dict[str, str]:
    """The stored launch arguments as text by name; empty for a new run.

    Raises:
        FormatError: the folder is not a run's, or its run.json is damaged or newer.
        StoreError: the folder cannot be read or written.
    """
    if not run_dir.exists():
        return {}
    if not run_dir.is_dir():
        raise StoreError(
            "run_dir is not a folder", got=str(run_dir), next_step="Give another run_dir:=."
        )
    if not os.access(run_dir, os.R_OK | os.W_OK | os.X_OK):
        raise StoreError(
            "run_dir cannot be read and written by this user",
            got=str(run_dir),
            next_step="Change its owner or mode, or give another run_dir:=.",
        )
    path = run_dir / FILE
    if not path.exists():
        strangers = sorted(
            item.name
            for item in run_dir.iterdir()
            if item.name not in PARTS and not item.name.startswith(".")
        )
        if strangers:
            raise FormatError(
                "run_dir is not the folder of a run: it has no run.json but other files",
                got=f"{run_dir} with {', '.join(strangers[:5])}",
                next_step="Give an empty or new folder as run_dir:=.",
            )
        return {}
    return _read(path)


def _read(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text())
        number = content["format"]
        config = {str(name): value for name, value in content["config"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(
            "run.json cannot be read",
            got=f"{path}: {error}",
            next_step="Put it back from a copy, or give another run_dir:=.",
        ) from error
    if number != FORMAT:
        raise FormatError(
            "run.json has another format",
            got=f"{path} with format {number}",
            allowed=str(FORMAT),
            next_step="Use the release that wrote it, or give another run_dir:=.",
        )
    known = set(StackArguments.names())
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in config.items()
        if name in known
    }


def merge(given: Mapping[str, str], stored: Mapping[str, str], run_dir: Path) -> StackArguments:
    """Launch arguments over stored ones; what a run must keep may not change.

    Raises:
        ConfigError: an unknown argument, a bad value, or a change that a resume refuses.
    """
    arguments = StackArguments.from_strings({**stored, **given, "run_dir": str(run_dir)})
    if stored:
        before = StackArguments.from_strings(stored)
        for name in FIXED_ON_RESUME:
            if (
                name in given
                and name in stored
                and getattr(arguments, name) != getattr(before, name)
            ):
                raise ConfigError(
                    f"a resumed run keeps its {name}",
                    got=f"{name}:={getattr(arguments, name)} for {run_dir}",
                    allowed=f"{name}:={stored[name]}",
                    next_step="Leave it out to resume, or give another run_dir:=.",
                )
    return arguments


def save(run_dir: Path, arguments: StackArguments) -> None:
    """Create the folder and write run.json ; atomic.

    Raises:
        StoreError: the folder cannot be written.
    """
    config = {name: value for name, value in asdict(arguments).items() if name not in NOT_STORED}
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        fresh = run_dir / f".{FILE}.new"
        fresh.write_text(json.dumps({"format": FORMAT, "config": config}, indent=2) + "\n")
        fresh.replace(run_dir / FILE)
    except OSError as error:
        raise StoreError(
            "run_dir cannot be written", got=str(error), next_step="Give another run_dir:=."
        ) from error
