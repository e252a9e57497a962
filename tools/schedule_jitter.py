# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin that lets threads meet at unlikely moments, to find races before a busy day does.

Whoever has just told others something (a condition notified, an event set, a message published, a
response sent, a file synced or put in place) is held for some milliseconds with some probability,
so that those who were told run first. A test that takes the first of two consequences for both
fails under it. It reaches the threads of the test's own process only.

Usage: PYTHONPATH=tools python -m pytest -p schedule_jitter [--jitter-ms 30] [--jitter-seed 0] ...
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import pytest

P = ParamSpec("P")
R = TypeVar("R")
SHARE = 0.3
"""Of the moments that are held up."""
SWITCH_S = 1e-5
"""Between two threads that both compute."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--jitter-ms", type=float, default=30.0, help="longest hold-up (30)")
    parser.addoption("--jitter-seed", type=int, default=0, help="of the hold-ups (0)")


def pytest_configure(config: pytest.Config) -> None:
    jitter = Jitter(config.getoption("--jitter-ms") / 1e3, config.getoption("--jitter-seed"))
    sys.setswitchinterval(SWITCH_S)
    _hold_up_conditions(jitter)
    _hold_up_files(jitter)
    _hold_up_ros(jitter)


class Jitter:
    """Sleeps now and then."""

    def __init__(self, longest_s: float, seed: int) -> None:
        self._longest_s = longest_s
        self._random = random.Random(seed)

    def __call__(self) -> None:
        if self._random.random() < SHARE:
            time.sleep(self._random.random() * self._longest_s)

    def after(self, told: Callable[P, R]) -> Callable[P, R]:
        """``told``, then perhaps a rest."""

        @wraps(told)
        def slower(*args: P.args, **kwargs: P.kwargs) -> R:
            result = told(*args, **kwargs)
            self()
            return result

        return slower


def _hold_up_conditions(jitter: Jitter) -> None:
    """Events and queues are conditions underneath: one place reaches them all."""
    notify, leave = threading.Condition.notify, threading.Condition.__exit__
    told = threading.local()

    def notify_and_remember(self: threading.Condition, n: int = 1) -> None:
        notify(self, n)
        told.any = True

    def leave_and_rest(self: threading.Condition, *args: object) -> None:
        leave(self, *args)  # type: ignore[arg-type]
        if getattr(told, "any", False):
            told.any = False
            jitter()

    threading.Condition.notify = notify_and_remember  # type: ignore[method-assign]
    threading.Condition.__exit__ = leave_and_rest  # type: ignore[method-assign]


def _hold_up_files(jitter: Jitter) -> None:
    os.replace = jitter.after(os.replace)
    os.fsync = jitter.after(os.fsync)


def _hold_up_ros(jitter: Jitter) -> None:
    try:
        from rclpy.publisher import Publisher
        from rclpy.service import Service
    except ImportError:
        return
    Publisher.publish = jitter.after(Publisher.publish)  # type: ignore[method-assign]
    Service.send_response = jitter.after(Service.send_response)  # type: ignore[method-assign]
