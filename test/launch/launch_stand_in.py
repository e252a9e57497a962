# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stands in for ROS launch, which the wheels do not bring, and records what a file builds."""

import sys
from types import ModuleType

import pytest


class Recorded:
    """Keeps what it was built from."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.args = args
        self.kwargs = kwargs


RECORDED = {
    "launch": ("LaunchDescription",),
    "launch.actions": (
        "DeclareLaunchArgument", "EmitEvent", "LogInfo", "OpaqueFunction", "RegisterEventHandler",
        "SetEnvironmentVariable", "TimerAction",
    ),
    "launch.event_handlers": ("OnProcessExit",),
    "launch.events": ("Shutdown",),
    "launch_ros": (),
    "launch_ros.actions": ("Node",),
    "launch_ros.parameter_descriptions": ("ParameterValue",),
}  # fmt: skip


def plain_value(value: object) -> object:
    """What a parameter is set to; texts must be declared as such."""
    if not isinstance(value, Recorded):
        assert not isinstance(value, str)
        return value
    assert value.kwargs == {"value_type": str}
    return value.args[0]


def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the recorders in the place of the ROS launch packages."""
    for module, classes in RECORDED.items():
        fake = ModuleType(module)
        for name in classes:
            setattr(fake, name, type(name, (Recorded,), {}))
        monkeypatch.setitem(sys.modules, module, fake)
