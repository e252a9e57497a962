# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward launch dsrl_widowx``: the stack on machines without the ros2 command line.

Translates :func:`roboreward_ros.stack.describe` into processes; the decisions are there.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import yaml

from roboreward_ros.cli.preflight import LOCK_FILE, config_dir, preflight
from roboreward_ros.cli.supervisor import ChildSpec, LineSink, Supervisor
from roboreward_ros.clock import SystemClock
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import StackError
from roboreward_ros.processes import process_id
from roboreward_ros.session.launch_end import LaunchEnd, add_end
from roboreward_ros.stack import NodeProcess, Stack, StackArguments, parse_assignments

DESCRIPTIONS = ("dsrl_widowx",)
LOG_FORMAT = {"RCUTILS_CONSOLE_OUTPUT_FORMAT": "{severity} {date_time_with_ms} {message}"}
"""The prefix names the node already."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "launch",
        help="start the whole stack, as `ros2 launch roboreward_ros dsrl_widowx.launch.py` does",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_argument_table(),
    )
    parser.add_argument("description", choices=DESCRIPTIONS, help="what to start")
    parser.add_argument(
        "assignments", nargs="*", default=[], metavar="name:=value", help="launch arguments"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Start the stack in the foreground; returns its exit code."""
    stack = preflight(parse_assignments(args.assignments))
    sink = ConsoleSink()
    for note in stack.notes:
        sink("launch", note)
    code = run_stack(stack, sink=sink)
    run_dir = stack.arguments.run_dir
    episodes = len(EpisodeStore(run_dir).ids())
    sink("launch", f"{episodes} episodes in {run_dir}; the same command goes on there")
    return code


def run_stack(
    stack: Stack,
    *,
    sink: LineSink,
    environment: Mapping[str, str] | None = None,
    tick: Callable[[], None] | None = None,
    stop_on_give_up: bool = False,
) -> int:
    """Run a stack until its session is done or SIGINT, SIGTERM or SIGHUP comes.

    Args:
        stack: what :func:`preflight` let through.
        sink: gets every line of every node.
        environment: variables on top of this process's own.
        tick: called about every 50 ms.
        stop_on_give_up: see :class:`Supervisor`.

    Returns:
        The exit code of the whole, as :meth:`Supervisor.run` says.

    Raises:
        StackError: another launch holds the run folder, or a node could not be started.
    """
    run_dir = Path(stack.arguments.run_dir)
    log_dir = run_dir / "logs"
    with run_dir_lock(run_dir):
        children = [child_of(node, write_parameters(node, log_dir)) for node in stack.nodes]
        supervisor = Supervisor(
            children,
            environment={**LOG_FORMAT, **stack.environment, **os.environ, **(environment or {})},
            log_dir=log_dir,
            sink=sink,
            restart=stack.restart,
            stop_on_give_up=stop_on_give_up,
            on_failure=lambda reason: note_end(run_dir, reason),
        )
        with signals_to(supervisor.ask_stop):
            return supervisor.run(tick)


def child_of(node: NodeProcess, parameters: Path) -> ChildSpec:
    """The process of one node: this interpreter, the node's module, its parameter files."""
    command = [sys.executable, "-m", node.module, "--ros-args"]
    if node.namespace:
        command += ["-r", f"__ns:={node.namespace}"]
    defaults = config_dir() / node.config
    if defaults.is_file():
        command += ["--params-file", str(defaults)]
    command += ["--params-file", str(parameters)]
    return ChildSpec(
        name=node.name,
        command=tuple(command),
        respawn=node.respawn,
        done_on_exit_zero=node.shutdown_on_exit_zero,
        stop_stage=node.stop_stage,
    )


def write_parameters(node: NodeProcess, log_dir: Path) -> Path:
    """Write what the launch arguments decide for a node; returns the parameter file."""
    path = log_dir / "parameters" / f"{node.name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": dict(node.parameters)}}))
    return path


def note_end(run_dir: Path, reason: str) -> None:
    """Write down why this process ends a stack that nobody stopped: health_node calls a person.

    A disk that takes no line costs the call, not the end of the stack; health_node has called about
    the disk.
    """
    with contextlib.suppress(OSError):
        add_end(run_dir, LaunchEnd(SystemClock().now_ns(), process_id(os.getpid()), reason))


@contextmanager
def run_dir_lock(run_dir: Path) -> Iterator[None]:
    """Hold the run folder: two stacks in one would write over each other.

    Raises:
        StackError: another launch holds it.
    """
    with (run_dir / LOCK_FILE).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise StackError(
                "another launch is using this run_dir",
                got=f"{run_dir}, process {lock.read().strip() or 'unknown'}",
                next_step="Stop that one, or give another run_dir:=.",
            ) from error
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


@contextmanager
def signals_to(ask_stop: Callable[[], None]) -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into ``ask_stop`` while the block runs."""

    def handler(number: int, frame: FrameType | None) -> None:
        del number, frame
        ask_stop()

    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in wanted}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


class ConsoleSink:
    """Prints ``[node] line``, one line at a time, coloured on a terminal."""

    COLOURS = (36, 32, 33, 35, 34, 96, 92, 93)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._colours: dict[str, int] = {}
        self._plain = not sys.stdout.isatty()

    def __call__(self, name: str, line: str) -> None:
        with self._lock:
            prefix = f"[{name}]"
            if not self._plain:
                colour = self._colours.setdefault(
                    name, self.COLOURS[len(self._colours) % len(self.COLOURS)]
                )
                prefix = f"\033[{colour}m{prefix}\033[0m"
            print(f"{prefix} {line}", flush=True)


def _argument_table() -> str:
    lines = ["launch arguments:"]
    for item in dataclasses.fields(StackArguments):
        default = str(item.default).lower() if isinstance(item.default, bool) else item.default
        lines.append(f"  {item.name + ':=' + str(default):28} {item.metadata['help']}")
    return "\n".join(lines)
