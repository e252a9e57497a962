# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reasons as they came and went (``run_dir/logs/health.jsonl``): what a morning is told.

A log for people: a torn or foreign line is left out, and nothing but reports reads it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from roboreward_ros.session.health import HealthEvent
from roboreward_ros.types import HealthLevel, HealthReason

HEALTH_FILE = Path("logs") / "health.jsonl"


class HealthLog:
    """Appends events; a disk that is full costs the line, not the caller.

    Args:
        run_dir: of the run.
    """

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / HEALTH_FILE

    def add(self, event: HealthEvent) -> str:
        """Append one; returns why it could not be, "" where it was."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(event)) + "\n")
        except OSError as error:
            return f"{self._path}: {error.strerror}"
        return ""


def read_health(run_dir: Path) -> list[HealthEvent]:
    """All events of a run, oldest first; empty where there is no log."""
    path = run_dir / HEALTH_FILE
    if not path.is_file():
        return []
    events = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
            reason = row["reason"]
            reason = HealthReason(**{**reason, "level": HealthLevel(reason["level"])})
            events.append(HealthEvent(int(row["stamp_ns"]), bool(row["raised"]), reason))
        except (ValueError, KeyError, TypeError):
            continue
    return events
