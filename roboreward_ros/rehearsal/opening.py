# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Opens whatever was recorded, and finds the operator's script for it."""

from __future__ import annotations

from pathlib import Path

from roboreward_ros.errors import StoreError
from roboreward_ros.rehearsal.bag import BagOptions, BagRecording
from roboreward_ros.rehearsal.recording import Recording, StoredRecording
from roboreward_ros.rehearsal.script import Cue, load_script, script_of


def open_recording(path: Path | str, only: int = 0, options: BagOptions | None = None) -> Recording:
    """The recording in a folder or file.

    Args:
        path: folder of a run, folder of a bag, or one .mcap file.
        only: play no more than so many of its first episodes; 0 for all.
        options: what a bag does not say itself.

    Raises:
        StoreError: it is none.
        ConfigError: see ``BagRecording``.
        FormatError: it is damaged.
    """
    found = Path(path).expanduser()
    if (found / "run.json").is_file():
        return StoredRecording(found, only)
    if found.suffix == ".mcap" or (found / "metadata.yaml").is_file():
        return BagRecording(found, options or BagOptions(), only)
    raise StoreError(
        "this is no recording",
        got=str(path),
        allowed="the folder of a run, the folder of a bag, an .mcap file",
        next_step="Give the folder that was given as run_dir:= or to `ros2 bag record -o`.",
    )


def script_for(recording: Recording, script: str) -> tuple[Cue, ...]:
    """The keys to press: of a script file, else those of the recording.

    Raises:
        ConfigError: the script cannot be read.
        FormatError: the recording is damaged.
    """
    if script:
        return load_script(Path(script))
    return script_of(recording) if isinstance(recording, StoredRecording) else ()
