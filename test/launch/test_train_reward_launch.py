# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""train_reward.launch.py: arguments become parameters, and the launch ends with its node."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from launch_stand_in import Recorded, plain_value, stand_in

from roboreward_ros.nodes.reward_trainer_node import RewardTrainerConfig

FILE = Path(__file__).parents[2] / "launch" / "train_reward.launch.py"


def run_file(monkeypatch: pytest.MonkeyPatch, **typed: str) -> tuple[Recorded, Recorded]:
    """The one node, and the handler of its end, for a command line."""
    stand_in(monkeypatch)
    names = runpy.run_path(str(FILE))
    *declared, function = names["generate_launch_description"]().args[0]
    defaults = {d.args[0]: d.kwargs["default_value"] for d in declared}
    assert typed.keys() <= defaults.keys()
    assert all(d.kwargs["description"] for d in declared)
    context = SimpleNamespace(launch_configurations={**defaults, **typed})
    handler, node = function.kwargs["function"](context)
    return node, handler


def parameters(node: Recorded) -> dict[str, object]:
    given = node.kwargs["parameters"]
    assert isinstance(given, list)
    return {name: plain_value(value) for name, value in given[-1].items()}


def test_arguments_become_parameters_that_the_node_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    node, _ = run_file(
        monkeypatch, data="DIR", recipe="roboreward_v2", run_dir="OUT", keep_going="true",
        namespace="gpu",
    )  # fmt: skip
    assert node.kwargs["executable"] == "reward_trainer_node"
    assert node.kwargs["namespace"] == "gpu"
    given = parameters(node)
    config = RewardTrainerConfig(**given)  # type: ignore[arg-type]
    assert (config.data, config.recipe, config.run_dir) == ("DIR", "roboreward_v2", "OUT")
    assert config.keep_going
    assert config.train_at_start


def test_the_defaults_of_launch_and_of_the_shipped_file_agree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node, _ = run_file(monkeypatch)
    files = node.kwargs["parameters"]
    assert isinstance(files, list)
    shipped = yaml.safe_load(Path(files[0]).read_text())["/**"]["ros__parameters"]
    given = parameters(node)
    apart = {name for name in given if name in shipped and given[name] != shipped[name]}
    assert apart == {"train_at_start"}


def test_the_launch_ends_with_its_node(monkeypatch: pytest.MonkeyPatch) -> None:
    node, handler = run_file(monkeypatch)
    (on_exit,) = handler.args
    assert isinstance(on_exit, Recorded)
    assert on_exit.kwargs["target_action"] is node
    over = on_exit.kwargs["on_exit"]
    assert isinstance(over, list)
    assert [type(action).__name__ for action in over] == ["EmitEvent"]
