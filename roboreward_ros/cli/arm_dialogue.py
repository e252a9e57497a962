# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Nodes of an arm behind, one that talks with a person at this terminal in front."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from roboreward_ros.cli.launch import (
    LOG_FORMAT,
    child_of,
    run_dir_lock,
    signals_to,
    write_parameters,
)
from roboreward_ros.cli.preflight import config_dir
from roboreward_ros.cli.supervisor import Supervisor
from roboreward_ros.errors import StackError
from roboreward_ros.stack import ParameterValue, Stack

STOP_S = 40.0


def in_front(stack: Stack, name: str, parameters: Mapping[str, ParameterValue]) -> int:
    """Run the stack's nodes with their output in files and the node ``name`` at this terminal.

    Args:
        stack: what runs behind.
        name: node that reads this process's input.
        parameters: of that node.

    Returns:
        Its exit code; the others are stopped then.

    Raises:
        StackError: the nodes behind could not be kept running.
    """
    logs = Path(stack.arguments.run_dir) / "logs"
    environment = {**LOG_FORMAT, **stack.environment, **os.environ}
    with run_dir_lock(Path(stack.arguments.run_dir)):
        behind = Supervisor(
            [child_of(node, write_parameters(node, logs)) for node in stack.nodes],
            environment=environment,
            log_dir=logs,
            sink=_keep_quiet,
            restart=stack.restart,
            stop_on_give_up=True,
        )
        pool = ThreadPoolExecutor(1, "arm's nodes")
        running = pool.submit(behind.run)
        try:
            code = _talk(_command(stack, name, parameters), environment, running.done)
        finally:
            behind.ask_stop()
            wait([running], STOP_S)
            pool.shutdown(wait=False)
    end = _end_of(running) if running.done() else 0
    if code != 0 and end != 0:
        raise StackError(
            "the arm's nodes could not be kept running",
            got=end,
            next_step=f"Look at {logs}; the same command goes on.",
        )
    return code


def _end_of(running: Future[int]) -> int | str:
    """Exit code of the nodes behind, or why there is none; a bug keeps its traceback."""
    try:
        return running.result()
    except (StackError, OSError) as error:
        return str(error)


def _keep_quiet(name: str, line: str) -> None:
    """The nodes' lines are in their log files; the terminal is the person's."""


def _command(stack: Stack, name: str, parameters: Mapping[str, ParameterValue]) -> list[str]:
    command = [sys.executable, "-m", f"roboreward_ros.nodes.{name}", "--ros-args"]
    if stack.nodes[0].namespace:
        command += ["-r", f"__ns:={stack.nodes[0].namespace}"]
    command += ["--disable-stdout-logs", "--params-file", str(config_dir() / f"{name}.yaml")]
    given = {"run_dir": stack.arguments.run_dir, "exit_with_launcher": "true", **parameters}
    for key, value in given.items():
        command += ["-p", f"{key}:={value}"]
    return command


def _talk(command: list[str], environment: Mapping[str, str], gone: Callable[[], bool]) -> int:
    """The node in front; a Ctrl-C reaches it, too, and it ends by itself."""
    process = subprocess.Popen(command, env=dict(environment))

    def end() -> None:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)

    with signals_to(end):
        while True:
            try:
                return process.wait(0.2)
            except subprocess.TimeoutExpired:
                if gone():  # the arm is: nothing can be run any more
                    end()
