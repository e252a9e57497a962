# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The launch file translates the same description as the command, by a recording stand-in.

The launch file itself is run, not read.
"""

import os
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from launch_stand_in import Recorded, plain_value, stand_in

from roboreward_ros.cli import preflight as checks
from roboreward_ros.processes import process_id
from roboreward_ros.session.launch_end import read_ends
from roboreward_ros.stack import REFUSED_EXIT_CODE, Stack, StackArguments, describe

FILE = Path(__file__).parents[2] / "launch" / "dsrl_widowx.launch.py"


class Built:
    """The launch file with its stand-ins, and the stack it describes."""

    def __init__(self, names: dict[str, object], stack: Stack) -> None:
        self.names = names
        self.stack = stack
        self.given: list[dict[str, str]] = []

    def actions(self, **typed: str) -> list[Recorded]:
        start = self.names["start"]
        assert callable(start)
        context = SimpleNamespace(launch_configurations={**typed, "stranger": "1"})
        found: list[Recorded] = start(context)
        return found

    def of(self, kind: str, actions: list[Recorded]) -> list[Recorded]:
        return [action for action in actions if type(action).__name__ == kind]


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Built:
    stand_in(monkeypatch)
    given = StackArguments(sim=True, namespace="arm1", episodes=3, run_dir=str(tmp_path))
    stack = describe(given, "open the drawer")

    def preflight(given: dict[str, str]) -> Stack:
        result.given.append(given)
        return stack

    monkeypatch.setattr(checks, "preflight", preflight)
    result = Built({}, stack)
    result.names = runpy.run_path(str(FILE))
    return result


def test_every_argument_is_declared_with_its_default_and_text(built: Built) -> None:
    generate = built.names["generate_launch_description"]
    assert callable(generate)
    ((function, *declared),) = generate().args
    assert type(function).__name__ == "OpaqueFunction"
    assert [d.args[0] for d in declared] == list(StackArguments.names())
    by_name = {d.args[0]: d.kwargs for d in declared}
    assert by_name["sim"]["default_value"] == "false"
    assert by_name["console_port"]["default_value"] == "8642"
    assert all(d.kwargs["description"] for d in declared)


def test_only_typed_arguments_of_the_stack_reach_the_checks(built: Built) -> None:
    built.actions(sim="true", episodes="3")
    assert built.given == [{"sim": "true", "episodes": "3"}]


def test_both_front_ends_start_the_same_nodes(built: Built) -> None:
    nodes = built.of("Node", built.actions())
    assert [n.kwargs["name"] for n in nodes] == [n.name for n in built.stack.nodes]
    for action, process in zip(nodes, built.stack.nodes, strict=True):
        assert action.kwargs["executable"] == process.module.rsplit(".", 1)[1]
        assert action.kwargs["namespace"] == process.namespace
        parameters = action.kwargs["parameters"]
        assert isinstance(parameters, list)
        plain = {name: plain_value(value) for name, value in parameters[-1].items()}
        assert plain == dict(process.parameters)


def test_the_environment_is_set_where_the_user_has_not(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in built.stack.environment:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    settings = built.of("SetEnvironmentVariable", built.actions())
    assert dict(s.args for s in settings) == {  # type: ignore[arg-type, misc]
        name: value for name, value in built.stack.environment.items() if name != "OMP_NUM_THREADS"
    }


def ending(built: Built, name: str) -> Callable[..., list[Recorded]]:
    handlers = built.of("RegisterEventHandler", built.actions())
    for handler in handlers:
        (on_exit,) = handler.args
        assert isinstance(on_exit, Recorded)
        target = on_exit.kwargs["target_action"]
        assert isinstance(target, Recorded)
        if target.kwargs["name"] == name:
            function = on_exit.kwargs["on_exit"]
            assert callable(function)
            return function
    raise AssertionError(f"nobody watches {name}")


RUNNING = SimpleNamespace(is_shutdown=False)


def after(on_exit: Callable[..., list[Recorded]], returncode: int) -> list[Recorded]:
    return on_exit(SimpleNamespace(returncode=returncode), RUNNING)


@pytest.mark.parametrize(
    ("name", "returncode", "reasons"),
    [
        ("session_node", 0, []),
        ("policy_node", REFUSED_EXIT_CODE, ["policy_node refused its configuration"]),
    ],
)
def test_the_stack_ends_with_its_session_or_a_refusal(
    built: Built, name: str, returncode: int, reasons: list[str], tmp_path: Path
) -> None:
    actions = after(ending(built, name), returncode)
    assert [type(action).__name__ for action in actions] == ["EmitEvent"]
    assert [end.reason for end in read_ends(tmp_path)] == reasons


END_OF_TRIES = [("learner_node", "LogInfo"), ("session_node", "EmitEvent")]


@pytest.mark.parametrize(("name", "last"), END_OF_TRIES)
def test_a_node_that_dies_is_started_again_as_often_as_the_command_would(
    built: Built, name: str, last: str, tmp_path: Path
) -> None:
    on_exit = ending(built, name)
    waits = []
    for _ in range(built.stack.restart.limit):
        (timer,) = after(on_exit, -9)
        assert type(timer).__name__ == "TimerAction"
        waits.append(timer.kwargs["period"])
        again = timer.kwargs["actions"]
        assert isinstance(again, list)
        handler, node = again
        assert node.kwargs["name"] == name
        on_exit = handler.args[0].kwargs["on_exit"]
    assert waits == list(built.stack.restart.backoff_s)
    assert read_ends(tmp_path) == []
    assert [type(action).__name__ for action in after(on_exit, -9)] == [last]
    told = [(end.launcher, end.reason) for end in read_ends(tmp_path)]
    mine = (process_id(os.getpid()), "session_node died 4 times")
    assert told == ([mine] if last == "EmitEvent" else [])


def test_a_node_that_ends_while_all_stop_is_left_alone(built: Built) -> None:
    on_exit = ending(built, "learner_node")
    assert on_exit(SimpleNamespace(returncode=-2), SimpleNamespace(is_shutdown=True)) == []
