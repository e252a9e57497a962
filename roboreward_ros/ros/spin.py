# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``main`` of every node: bring up, spin in one thread, stop in order, exit with a telling code.

Exit codes: 0 stopped on request; 1 could not be brought up now (starting again may help); 2 the
configuration was refused (starting again cannot help).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TypeVar

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from roboreward_ros.clock import SystemClock
from roboreward_ros.errors import CheckpointError, ConfigError, RoboRewardError
from roboreward_ros.ros.dds import shared_memory_problem
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig
from roboreward_ros.ros.stop import StopSignal
from roboreward_ros.stack import REFUSED_EXIT_CODE

FAILED_EXIT_CODE = 1
SPIN_S = 0.1  # how soon a signal is noticed; Python runs handlers between waits only
LAUNCHER_POLL_S = 0.5
HARMLESS_THREADS = ("zarr_io", "asyncio_")
"""Threads that zarr keeps for its own; they end with the interpreter."""
DRAIN_S = 0.3  # results of goals that were ended by the stop still go out

ConfigT = TypeVar("ConfigT", bound=HostConfig)


def run(factory: Callable[[], HostNode[ConfigT]], argv: Sequence[str] | None = None) -> int:
    """Run one node until it is asked to stop; returns the process's exit code.

    A node may end the process itself by ``self.stop.set(reason, code)``.

    Args:
        factory: makes the node; it only declares parameters.
        argv: command line without the program; None: sys.argv.
    """
    stop = StopSignal()
    with _signals(stop):
        rclpy.init(
            args=[sys.argv[0], *argv] if argv is not None else sys.argv,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        try:
            code = _run(factory, stop)
        finally:
            rclpy.try_shutdown()
    _leave(code)
    return code


def _run(factory: Callable[[], HostNode[ConfigT]], stop: StopSignal) -> int:
    log = rclpy.logging.get_logger("roboreward")
    if problem := shared_memory_problem():
        log.warning(problem)
    try:
        node = factory()
    except RoboRewardError as error:
        log.error(str(error))
        return REFUSED_EXIT_CODE
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    node.stop = stop
    watch = None
    if node.config.exit_with_launcher:
        watch = threading.Thread(target=_watch_launcher, args=(stop, os.getppid()), daemon=True)
        watch.start()
    try:
        if node.config.autostart and not node.bring_up():
            return exit_code_of(node.failure)
        while not stop:
            executor.spin_once(timeout_sec=SPIN_S)
        node.get_logger().info(f"stopping: {stop.reason}")
    except ExternalShutdownException:
        stop.set("shut down from outside")
    finally:
        stop.set("failed", FAILED_EXIT_CODE)
        node.wind_down(stop.reason)
        _drain(executor)
        executor.remove_node(node)
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()
        if watch is not None:
            watch.join(2 * LAUNCHER_POLL_S)
    return stop.code


def exit_code_of(failure: Exception | None) -> int:
    """2 when the configuration is to blame, 1 otherwise."""
    refused = isinstance(failure, (ConfigError, CheckpointError))
    return REFUSED_EXIT_CODE if refused else FAILED_EXIT_CODE


def _drain(executor: SingleThreadedExecutor) -> None:
    clock = SystemClock()
    end_ns = clock.steady_ns() + round(DRAIN_S * 1e9)
    with contextlib.suppress(Exception):
        while clock.steady_ns() < end_ns:
            executor.spin_once(timeout_sec=0.02)


def _watch_launcher(stop: StopSignal, launcher: int) -> None:
    while not stop.wait(LAUNCHER_POLL_S):
        if os.getppid() != launcher:
            stop.set(f"the launcher (process {launcher}) is gone", orphaned=True)


@contextlib.contextmanager
def _signals(stop: StopSignal) -> Iterator[None]:
    def handler(number: int, frame: FrameType | None) -> None:
        del frame
        stop.set(signal.Signals(number).name)

    before = {
        number: signal.signal(number, handler)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _leave(code: int) -> None:
    """End the process here where the interpreter's own exit would hang, abort or take long.

    A worker that hangs in foreign code would make it hang or abort; unloading torch takes seconds
    on a busy machine. Everything of ours is closed by now.
    """
    threads = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
    hung = [name for name in threads if not name.startswith(HARMLESS_THREADS)]
    if hung:
        sys.stderr.write(f"leaving behind hung threads: {', '.join(hung)}\n")
    if hung or "torch" in sys.modules:
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(code)
