# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``ros2 launch roboreward_ros train_reward.launch.py data:=DIR``: fine-tune a reward model.

Starts reward_trainer_node, which trains by these arguments and ends; the same launch goes on where
a training was stopped. With ``train_at_start:=false`` it waits for goals of ``train_reward_model``.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from roboreward_ros.cli.preflight import config_dir

NODE = "reward_trainer_node"
ARGUMENTS = {
    "data": ("", "labelled videos: folder with train/metadata.jsonl and val/metadata.jsonl"),
    "recipe": ("tune_small", "name in config/reward_training, or a yaml file"),
    "model": ("", "model to begin with, over the recipe's: folder or Hub id"),
    "revision": ("", "full commit hash of a Hub id"),
    "run_dir": ("runs/rewards/tuned", "folder of the training; an unfinished one goes on"),
    "accelerate_config": ("", "several processes: configuration of accelerate"),
    "keep_going": ("false", "leave bad rows and videos out, by name"),
    "train_at_start": ("true", "false: wait for goals"),
    "namespace": ("", "ROS namespace"),
}
SWITCHES = ("keep_going", "train_at_start")


def start(context):
    """One node with the arguments as parameters; its end is the launch's."""
    given = {name: context.launch_configurations[name] for name in ARGUMENTS}
    namespace = given.pop("namespace")
    parameters = {
        name: value == "true" if name in SWITCHES else ParameterValue(value, value_type=str)
        for name, value in given.items()
    }
    node = Node(
        package="roboreward_ros",
        executable=NODE,
        name=NODE,
        namespace=namespace,
        parameters=[str(config_dir() / f"{NODE}.yaml"), parameters],
        output="both",
        emulate_tty=True,
    )
    over = [EmitEvent(event=Shutdown(reason=f"{NODE} is done"))]
    return [RegisterEventHandler(OnProcessExit(target_action=node, on_exit=over)), node]


def generate_launch_description():
    """The launch description."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])
