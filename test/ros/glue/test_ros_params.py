# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters come from a dataclass and never hold a value that it refuses."""

from dataclasses import dataclass

import pytest
from rcl_interfaces.srv import DescribeParameters
from rclpy.parameter import Parameter

from roboreward_ros.errors import ConfigError
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option


@dataclass(frozen=True, slots=True)
class LampConfig(HostConfig):
    watts: float = option(5.0, "power, W", runtime=True)
    colour: str = option("red", "red or green", runtime=True)
    levels: tuple[float, ...] = option((0.5, 1.0), "levels")
    serial: int = option(7, "fixed at start")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        if self.colour not in ("red", "green"):
            raise ConfigError("unknown colour", got=self.colour, allowed=("red", "green"))
        if not self.watts > 0:
            raise ConfigError("watts out of range", got=self.watts, allowed="above 0")


class Lamp(HostNode[LampConfig]):
    def __init__(self, context, **parameters):
        super().__init__("lamp", LampConfig, context=context, parameters=parameters)
        self.changes = []

    def _parameters_changed(self, old, new):
        if new.watts == 13.0:
            raise ConfigError("not thirteen", got=13)
        self.changes.append((old.watts, new.watts))


def set_one(node, name, value):
    return node.set_parameters([Parameter(name, value=value)])[0]


def test_defaults_and_overrides_become_the_dataclass(ros):
    node = ros.add(Lamp(ros.context, watts=9, colour="green", levels=[0.1]))
    assert node.config == LampConfig(watts=9.0, colour="green", levels=(0.1,))
    assert type(node.config.watts) is float


def test_a_runtime_change_is_taken_over(ros):
    node = ros.add(Lamp(ros.context))
    assert set_one(node, "watts", 8).successful, "an integer is a number of watts as well"
    assert node.config.watts == 8.0
    assert node.changes == [(5.0, 8.0)]
    assert node.get_parameter("colour").value == "red"


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("colour", "blue", "red, green"),
        ("watts", -1.0, "above 0"),
        ("watts", "many", "float"),
        ("watts", 13.0, "thirteen"),
        ("watts", True, "float"),
        ("serial", 8, "read-only"),
    ],
)
def test_a_bad_runtime_change_is_refused_with_the_reason(ros, name, value, named):
    node = ros.add(Lamp(ros.context))
    answer = set_one(node, name, value)
    assert not answer.successful
    assert named in answer.reason
    assert node.config == LampConfig()


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"colour": "blue"}, "red, green"),
        ({"wats": 3.0}, "watts"),
        ({"serial": 1.5}, "int"),
        ({"levels": "high"}, "list"),
        ({"run_dir": ""}, "run_dir"),
    ],
)
def test_a_bad_start_value_or_name_is_refused(ros, parameters, named):
    with pytest.raises(ConfigError, match=named):
        Lamp(ros.context, **parameters)


def test_descriptions_reach_standard_tools(ros):
    ros.add(Lamp(ros.context))
    client = ros.node().create_client(DescribeParameters, "lamp/describe_parameters")
    answer = ros.call(client, DescribeParameters.Request(names=["watts", "serial"]))
    assert [d.description for d in answer.descriptors] == ["power, W", "fixed at start"]
    assert [d.read_only for d in answer.descriptors] == [False, True]
