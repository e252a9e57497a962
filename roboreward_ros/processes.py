# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Names of processes that never come again; a process id alone does some day."""

from __future__ import annotations

import os
from pathlib import Path


def process_id(pid: int) -> str:
    """Names a process: its id and its start, in clock ticks since boot; "" where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return f"{pid}-{fields[19]}"


def launch_id() -> str:
    """Names the process that started this one."""
    return process_id(os.getppid())
