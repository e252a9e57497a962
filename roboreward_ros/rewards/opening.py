# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A warm source, ready to be asked."""

from __future__ import annotations

from roboreward_ros.clock import Clock
from roboreward_ros.rewards.config import Options
from roboreward_ros.rewards.guard import Guard
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.worker import ChildSource


def open_source(
    name: str,
    options: Options | None = None,
    deadline_s: float | None = None,
    start_s: float = 300.0,
    clock: Clock | None = None,
) -> Guard:
    """A warm source behind its guard, in a child process if its spec asks for one.

    Raises:
        ConfigError: unknown name or options.
        RewardSourceError: it could not be warmed up; nothing is left running.
    """
    source = build(name, options)
    if source.spec.needs_child_process:
        source.close()
        child = ChildSource(name, options, deadline_s, start_s, clock)
        guard = Guard(child, deadline_s, clock, own_thread=False)
    else:
        guard = Guard(source, deadline_s, clock)
    try:
        guard.warm_up(start_s)
    except BaseException:
        guard.source.close()
        raise
    return guard
