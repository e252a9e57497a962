# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The launch file translates the same description as the command, by a recording stand-in.

The wheels bring no ROS launch. The stand-in records what the file builds; the launch file itself is
run, not read.
"""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from roboreward_ros.cli import preflight as checks
from roboreward_ros.stack import REFUSED_EXIT_CODE, Stack, StackArguments, describe

FILE = Path(__file__).parents[2] / "launch" / "dsrl_widowx.launch.py"


class Recorded:
    """Keeps what it was built from."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.args = args
        self.kwargs = kwargs


RECORDED = {
    "launch": ("LaunchDescription",),
    "launch.actions": (
        "DeclareLaunchArgument", "EmitEvent", "LogInfo", "OpaqueFunction", "RegisterEventHandler",
        "SetEnvironmentVariable",
    ),
    "launch.event_handlers": ("OnProcessExit",),
    "launch.events": ("Shutdown",),
    "launch_ros": (),
    "launch_ros.actions": ("Node",),
}  # fmt: skip


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
def built(monkeypatch: pytest.MonkeyPatch) -> Built:
    for module, classes in RECORDED.items():
        fake = ModuleType(module)
        for name in classes:
            setattr(fake, name, type(name, (Recorded,), {}))
        monkeypatch.setitem(sys.modules, module, fake)
    stack = describe(StackArguments(sim=True, namespace="arm1", episodes=3), "open the drawer")

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
        assert parameters[-1] == dict(process.parameters)
        assert action.kwargs["respawn"] is process.respawn
        assert action.kwargs["respawn_max_retries"] == built.stack.restart.limit


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


@pytest.mark.parametrize(
    ("name", "returncode", "ends"),
    [
        ("session_node", 0, True),
        ("session_node", 1, False),
        ("learner_node", 0, False),
        ("learner_node", -9, False),
        ("policy_node", REFUSED_EXIT_CODE, True),
    ],
)
def test_the_stack_ends_with_its_session_or_a_refusal(
    built: Built, name: str, returncode: int, ends: bool
) -> None:
    actions = ending(built, name)(SimpleNamespace(returncode=returncode), None)
    assert [type(action).__name__ for action in actions] == (["EmitEvent"] if ends else [])
