# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a session remembers beyond its process (``run_dir/session.json``): task and spent time.

Everything else is in the stores: the number of committed episodes, labels, learner progress.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

from roboreward_ros.errors import FormatError, StoreError
from roboreward_ros.files import write_atomic
from roboreward_ros.types import IdleAccount

SESSION_FORMAT = 1


@dataclass(frozen=True, slots=True)
class SessionMemory:
    """What outlives the session's process.

    Attributes:
        task: sentence of the next episode.
        idle: time spent so far.
        waits: a person had stopped or held the session when its process died; an orderly end
            leaves no such wish behind.
    """

    task: str = ""
    idle: IdleAccount = field(default_factory=IdleAccount)
    waits: bool = False


def memory_path(run_dir: Path | str) -> Path:
    return Path(run_dir) / "session.json"


def load_memory(run_dir: Path | str) -> SessionMemory:
    """The run's memory; an empty one where no session ran yet.

    Raises:
        FormatError: damaged, or written by a newer version.
    """
    path = memory_path(run_dir)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version = int(values["format"])
        names = [item.name for item in dataclasses.fields(IdleAccount)]
        idle = IdleAccount(**{name: float(values["idle"][name]) for name in names})
        memory = SessionMemory(str(values["task"]), idle, bool(values.get("waits", False)))
    except FileNotFoundError:
        return SessionMemory()
    except (OSError, ValueError, OverflowError, RecursionError, KeyError, TypeError) as error:
        raise FormatError(
            f"{path} cannot be read",
            got=repr(error),
            next_step="Remove it to start the account of time anew; episodes are not touched.",
        ) from None
    if version > SESSION_FORMAT:
        raise FormatError(
            f"{path} was written by a newer version",
            got=version,
            allowed=f"format <= {SESSION_FORMAT}",
            next_step="Upgrade roboreward_ros, or use another run_dir.",
        )
    return memory


def save_memory(run_dir: Path | str, memory: SessionMemory) -> None:
    """Write atomically.

    Raises:
        StoreError: the disk is full or run_dir cannot be written.
    """
    path = memory_path(run_dir)
    values = {
        "format": SESSION_FORMAT,
        "task": memory.task,
        "idle": dataclasses.asdict(memory.idle),
        "waits": memory.waits,
    }
    try:
        write_atomic(path, json.dumps(values, indent=1))
    except OSError as error:
        raise StoreError(
            "the session's account could not be written",
            got=f"{path}: {error.strerror}",
            next_step="Check free space and rights of run_dir.",
        ) from None
