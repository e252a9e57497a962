# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``ros2 launch roboreward_ros dsrl_widowx.launch.py sim:=true``: DSRL on a WidowX or its twin.

Translates ``roboreward_ros.stack``; every decision is made there. The same as
``roboreward launch dsrl_widowx``.
"""

import dataclasses
import os
from pathlib import Path

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    TimerAction,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from roboreward_ros.cli.launch import note_end
from roboreward_ros.cli.preflight import config_dir, preflight
from roboreward_ros.clock import SystemClock
from roboreward_ros.stack import REFUSED_EXIT_CODE, StackArguments


def start(context):
    """Check, describe, and turn each process of the stack into a Node action."""
    # This runs before the arguments are declared: only those that were typed are there, so that
    # a resumed run keeps its own values for the others.
    typed = context.launch_configurations
    stack = preflight({name: typed[name] for name in StackArguments.names() if name in typed})
    actions = [LogInfo(msg=note) for note in stack.notes]
    actions += [
        SetEnvironmentVariable(name, value)
        for name, value in stack.environment.items()
        if name not in os.environ
    ]
    for process in stack.nodes:
        actions += run(process, stack.restart, restarts_s=[])
    return actions


def run(process, policy, restarts_s):
    """Actions that start a node and see to its end, by the same rules as ``roboreward launch``."""
    defaults = config_dir() / process.config
    # A text stays one: launch_ros would read a sentence like "42", or JSON, as YAML.
    own = {
        name: ParameterValue(value, value_type=str) if isinstance(value, str) else value
        for name, value in process.parameters.items()
    }
    node = Node(
        package="roboreward_ros",
        executable=process.name,
        name=process.name,
        namespace=process.namespace,
        parameters=[*([str(defaults)] if defaults.is_file() else []), own],
        output="both",
        emulate_tty=True,
    )

    def on_exit(event, context):
        if context.is_shutdown:
            return []
        if event.returncode == 0 and process.shutdown_on_exit_zero:
            return end(f"{process.name} is done")
        if event.returncode == REFUSED_EXIT_CODE:
            return give_up(process, f"{process.name} refused its configuration")
        now_s = SystemClock().steady_ns() / 1e9
        wait_s = policy.wait_s(restarts_s, now_s) if process.respawn else None
        if wait_s is not None:
            again = run(process, policy, [*restarts_s, now_s + wait_s])
            return [TimerAction(period=wait_s, actions=again)]
        if process.shutdown_on_exit_zero:
            return give_up(process, policy.spent(process.name))
        return [LogInfo(msg=f"{process.name} stays down; the session pauses until it is back")]

    return [RegisterEventHandler(OnProcessExit(target_action=node, on_exit=on_exit)), node]


def give_up(process, reason):
    """Stop all nodes; health_node calls a person about what is written down here."""
    note_end(Path(process.parameters["run_dir"]), reason)
    return end(reason)


def end(reason):
    """Stop all nodes."""
    return [EmitEvent(event=Shutdown(reason=reason))]


def generate_launch_description():
    """The launch description; arguments as ``StackArguments`` documents them."""
    declared = [
        DeclareLaunchArgument(
            item.name,
            default_value=str(item.default).lower()
            if isinstance(item.default, bool)
            else str(item.default),
            description=item.metadata["help"],
        )
        for item in dataclasses.fields(StackArguments)
    ]
    return LaunchDescription([OpaqueFunction(function=start), *declared])
