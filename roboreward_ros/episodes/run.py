# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run's folder and its ``run.json``: what the run is, and what a resume may not change."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.episodes.codec import Fields, JsonObject, JsonValue, from_text, to_text
from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.files import make_folder, sync_directory
from roboreward_ros.stack import FIXED_ON_RESUME

_LOG = logging.getLogger(__name__)
RUN_FORMAT = 1
FOLDERS = ("episodes", "ledger", "policies", "checkpoints", "logs")
OF_A_RUN = (*FOLDERS, "evaluation", "session.json", "brakes.json", "summary.json", "report.html")


@dataclass(frozen=True, slots=True)
class Run:
    """A run that was opened.

    Attributes:
        path: the folder.
        config: configuration in force (the stored one, with changes that a resume may make).
        resumed: the folder held a run before.
    """

    path: Path
    config: Mapping[str, JsonValue]
    resumed: bool


def read_run(run_dir: Path | str) -> Run:
    """The run in ``run_dir``, unchanged.

    Raises:
        StoreError: no run there, or it cannot be read.
        FormatError: ``run.json`` is damaged or newer.
    """
    path = Path(run_dir)
    file = path / "run.json"
    try:
        text = file.read_bytes()
    except OSError as error:
        raise StoreError(
            "there is no run that can be read",
            got=f"{file}: {error.strerror}",
            next_step="Check the path and its owner; a new run needs an empty folder.",
        ) from None
    try:
        fields = Fields(from_text(text, str(file)), str(file))
        version, config = fields.integer("format"), fields.object("config")
    except FormatError as error:
        raise FormatError(
            f"{file} is damaged",
            got=str(error),
            next_step="Restore it from a backup. Without one delete it, and launch with all "
            "arguments of the run again: episodes, ledger and checkpoints stay.",
        ) from None
    if version > RUN_FORMAT:
        raise FormatError(
            f"run {path} was written by a newer roboreward_ros",
            got=f"format {version}",
            allowed=f"format <= {RUN_FORMAT}",
            next_step="Upgrade roboreward_ros, or start a new run_dir.",
        )
    return Run(path, config, resumed=True)


def open_run(
    run_dir: Path | str,
    config: Mapping[str, JsonValue],
    fixed: Sequence[str] = FIXED_ON_RESUME,
) -> Run:
    """Create the run in ``run_dir``, or resume it with ``config``.

    Keys that are missing in ``config`` keep their stored value.

    Args:
        run_dir: an empty or missing folder, or a run.
        config: JSON values.
        fixed: keys that a resume may not change; the profile holds the noise's form.

    Raises:
        ConfigError: a resume that changes one of ``fixed`` (the message names all of them).
        StoreError: the folder cannot be written, or holds something else.
        FormatError: the run is damaged or newer.
    """
    path = Path(run_dir)
    file = path / "run.json"
    if not file.exists():
        _require_free(path)
        _write(path, dict(config))
        return Run(path, dict(config), resumed=False)
    stored = read_run(path)
    changed = [k for k in fixed if k in config and config[k] != stored.config.get(k)]
    if changed:
        got = ", ".join(f"{key}={config[key]!r}" for key in changed)
        allowed = ", ".join(f"{key}={stored.config.get(key)!r}" for key in changed)
        raise ConfigError(
            f"run {path} cannot be resumed with another {' and '.join(changed)}",
            got=got,
            allowed=allowed,
            next_step="Leave that argument out, or choose a new run_dir.",
        )
    merged = {**stored.config, **config}
    if merged != stored.config:
        for key in sorted(k for k in merged if merged[k] != stored.config.get(k)):
            _LOG.info("resume: %s is now %r (was %r)", key, merged[key], stored.config.get(key))
        _write(path, merged)
    return Run(path, merged, resumed=True)


def _require_free(path: Path) -> None:
    try:
        foreign = [p.name for p in path.iterdir() if p.name not in OF_A_RUN and p.name[0] != "."]
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(
            "run_dir cannot be read",
            got=f"{path}: {error.strerror}",
            next_step="Choose a folder that you own.",
        ) from None
    if foreign:
        raise StoreError(
            "run_dir holds something that is not a run",
            got=f"{path} with {', '.join(sorted(foreign)[:3])}",
            next_step="Choose an empty or new folder.",
        )


def _write(path: Path, config: JsonObject) -> None:
    to_text(config)  # one validator for NaN and foreign types, with the package's error
    text = json.dumps({"format": RUN_FORMAT, "config": config}, indent=1, ensure_ascii=False)
    scratch = path / ".run.json.new"
    try:
        make_folder(path)
        for folder in FOLDERS:
            (path / folder).mkdir(exist_ok=True)
        with scratch.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path / "run.json")
        sync_directory(path)
    except OSError as error:
        raise StoreError(
            "run_dir cannot be written",
            got=f"{path}: {error.strerror}",
            next_step="Check the folder's owner and free space, or choose another run_dir.",
        ) from None
