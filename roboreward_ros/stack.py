# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The stack of the DSRL session as plain data: which processes, with which parameters.

Two front ends translate it: ``launch/dsrl_widowx.launch.py`` for the real ``ros2 launch`` and
``roboreward_ros.cli.launch`` where no ros2 command line is installed. Knows nothing about
processes, rclpy or files; :func:`describe` is a pure function.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from roboreward_ros.errors import ConfigError
from roboreward_ros.restarts import RestartPolicy

ParameterValue = bool | int | float | str

REWARD = "roboreward"
TWIN_REWARD_OPTIONS = '{"model": "twin_small"}'
"""The shipped reward model knows the twin's scenes and nothing else."""
SPEEDS = ("realtime", "max")
ARM_CANARY_EVERY = 5
"""On a real arm; without episodes of the base policy the monitor has nothing to compare with."""
DRIVERS = ("xs_sdk", "interbotix_api", "fake")
FIXED_ON_RESUME = ("sim", "robot", "task", "policy", "profile")
"""Arguments that a resumed run keeps: episodes of two of them do not mix."""
REFUSED_EXIT_CODE = 2
"""Exit code of a node that refuses its configuration: starting it again cannot help."""


T = TypeVar("T", bool, int, str)


def _argument(default: T, text: str) -> T:
    value: T = field(default=default, metadata={"help": text})
    return value


@dataclass(frozen=True, slots=True)
class StackArguments:
    """The launch arguments of ``dsrl_widowx``; one field each, documented in its metadata.

    Empty strings and zeros (and -1 for ``canary_every``, whose 0 is a choice) mean "not given": the
    run's own value on a resume, otherwise the value that the field's text names.

    Raises:
        ConfigError: a value outside what the field allows.
    """

    sim: bool = _argument(False, "true: the simulated twin; false: the real arm")
    robot: str = _argument("wx250s", "robot profile, config/robots/<robot>.yaml")
    task: str = _argument("", "what to do, as a sentence; the twin falls back on its demo task")
    reward: str = _argument("", f"reward source; empty: {REWARD}")
    reward_options: str = _argument(
        "", "JSON over config/rewards/<reward>.yaml; the twin falls back on the shipped model"
    )
    policy: str = _argument("", "policy checkpoint, or demo: the shipped one (twin's default)")
    run_dir: str = _argument("runs/dsrl_widowx", "where the run lives; an existing one is resumed")
    episodes: int = _argument(0, "stop by itself at this many committed episodes; 0: never")
    speed: str = _argument("realtime", "twin only: realtime, or max for lock-step")
    console: bool = _argument(True, "the operator's web page")
    console_port: int = _argument(8642, "port of the web page")
    console_address: str = _argument("127.0.0.1", "where the page listens; others need a token")
    console_token: str = _argument(
        "", "file with the web page's token; empty: ROBOREWARD_CONSOLE_TOKEN, or none"
    )
    namespace: str = _argument("", "ROS namespace of every node and topic, one per arm")
    seed: int = _argument(0, "seed of the run: layouts, noise, learner")
    max_steps: int = _argument(0, "control steps per episode; 0: the task's own")
    canary_every: int = _argument(
        -1,
        "every n-th episode runs the base policy for comparison; 0: none; "
        f"-1: {ARM_CANARY_EVERY} on a real arm, none on the twin",
    )
    device: str = _argument("cpu", "torch device of policy and learner: cpu, cuda, cuda:1")
    profile: str = _argument("widowx", "learner profile, config/dsrl/<profile>.yaml")
    demonstrations: str = _argument("", "run folder of demonstrations to learn from, too")
    learner: str = _argument("", "learner at another host: wss://HOST:PORT, or a YAML file of it")
    driver: str = _argument("xs_sdk", "real arm's driver; fake moves nothing and needs no arm")
    robot_name: str = _argument("", "real arm: namespace of its xs_sdk; empty: as robot")
    workspace: str = _argument("", "real arm: box of the profile that it stays in; empty: its own")
    camera: str = _argument("/dev/video0", "real arm: device, realsense[:SERIAL], ros:/TOPIC, file")

    def __post_init__(self) -> None:
        _one_of("speed", self.speed, SPEEDS)
        _one_of("driver", self.driver, DRIVERS)
        if self.speed == "max" and not self.sim:
            raise ConfigError(
                "speed:=max belongs to the twin",
                got="sim:=false speed:=max",
                allowed="sim:=true speed:=max, or speed:=realtime",
            )
        for name in ("episodes", "max_steps", "seed"):
            if getattr(self, name) < 0:
                raise ConfigError(
                    f"{name} is negative", got=getattr(self, name), allowed="0 or more"
                )
        if self.canary_every < -1:
            raise ConfigError(
                "canary_every is negative",
                got=self.canary_every,
                allowed=f"0 (none) or more; -1: {ARM_CANARY_EVERY} on a real arm, none on the twin",
            )
        if not re.fullmatch(r"cpu|cuda(:\d{1,2})?", self.device):
            raise ConfigError(
                "device is no torch device", got=self.device, allowed="cpu, cuda, cuda:1"
            )
        if not 1 <= self.console_port <= 65535:
            raise ConfigError("console_port is no port", got=self.console_port, allowed="1..65535")
        if not self.run_dir:
            raise ConfigError("run_dir is empty", allowed="a folder, such as runs/first")
        parts = self.namespace.strip("/").split("/") if self.namespace.strip("/") else []
        if not all(part.isidentifier() for part in parts):
            raise ConfigError(
                "namespace is no ROS name",
                got=self.namespace,
                allowed="letters, digits and _ , parts separated by /",
            )

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The arguments' names, in order."""
        return tuple(item.name for item in dataclasses.fields(cls))

    @classmethod
    def from_strings(
        cls, given: Mapping[str, str], base: StackArguments | None = None
    ) -> StackArguments:
        """Build from ``name -> text`` as both front ends get them.

        Args:
            given: what the user typed.
            base: values of what was not given: those of the run that is resumed.

        Raises:
            ConfigError: an unknown name, or a text that is no value of its argument.
        """
        known = {item.name: item for item in dataclasses.fields(cls)}
        values: dict[str, bool | int | str] = {}
        for name, text in given.items():
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                raise ConfigError(
                    "unknown launch argument",
                    got=name,
                    allowed=tuple(known),
                    next_step=f"Did you mean {close[0]}:= ?" if close else None,
                )
            values[name] = _parse(name, text, known[name].default)
        return dataclasses.replace(base if base is not None else cls(), **values)  # type: ignore[arg-type]


def parse_assignments(words: Sequence[str]) -> dict[str, str]:
    """Turn ``["sim:=true", ...]`` into a mapping, as ``ros2 launch`` does.

    Raises:
        ConfigError: a word without ``:=``, or a name given twice.
    """
    given: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition(":=")
        if not separator or not name:
            raise ConfigError(
                "launch arguments have the form name:=value",
                got=word,
                allowed=tuple(f"{name}:=" for name in StackArguments.names()),
            )
        if name in given:
            raise ConfigError(f"launch argument {name} is given twice", got=word)
        given[name] = value
    return given


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} is not one of its values", got=value, allowed=allowed)


def _parse(name: str, text: str, default: object) -> bool | int | str:
    if isinstance(default, bool):
        truth = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if text.lower() not in truth:
            raise ConfigError(f"{name} is a switch", got=text, allowed="true, false")
        return truth[text.lower()]
    if isinstance(default, int):
        try:
            return int(text)
        except ValueError as error:
            raise ConfigError(f"{name} is a whole number", got=text) from error
    return text


@dataclass(frozen=True, slots=True)
class NodeProcess:
    """One node, one process.

    Attributes:
        name: node name; also the executable, and part of the command line.
        module: Python module with ``main()``.
        namespace: "" or "/arm1".
        parameters: what the launch arguments decide; the rest comes from ``config``.
        config: file of the package's ``config`` folder with the node's defaults.
        respawn: start again after an unexpected end, under the stack's RestartPolicy.
        shutdown_on_exit_zero: its end with code 0 ends the stack: the work is done.
        stop_stage: nodes of a lower stage are stopped first; the arm's owner goes last.
    """

    name: str
    module: str
    namespace: str
    parameters: Mapping[str, ParameterValue]
    config: str
    respawn: bool = True
    shutdown_on_exit_zero: bool = False
    stop_stage: int = 1


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything a front end needs to start the session.

    Attributes:
        arguments: with defaults resolved.
        nodes: in the order of their start.
        environment: variables to set for every node where the user has not set them.
        restart: when nodes are started again.
        notes: what the user should know before it starts.
    """

    arguments: StackArguments
    nodes: tuple[NodeProcess, ...]
    environment: Mapping[str, str]
    restart: RestartPolicy
    notes: tuple[str, ...] = ()

    def node(self, name: str) -> NodeProcess:
        """The node called ``name``; raises KeyError."""
        return next(node for node in self.nodes if node.name == name)


ENVIRONMENT: Mapping[str, str] = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "LP_NUM_THREADS": "1",  # llvmpipe's render threads
    "PYTHONUNBUFFERED": "1",
    "RCUTILS_COLORIZED_OUTPUT": "0",  # the front end colours its prefixes
}


def resolve(arguments: StackArguments, demo_task: str = "") -> tuple[StackArguments, list[str]]:
    """Fill in what was not given; returns the arguments and notes for the user.

    Args:
        arguments: as given.
        demo_task: the twin's default task.
    """
    notes: list[str] = []
    changes: dict[str, str | int] = {}
    reward = arguments.reward or REWARD
    changes["reward"] = reward
    if arguments.sim and reward == REWARD and not arguments.reward_options:
        changes["reward_options"] = TWIN_REWARD_OPTIONS
        notes.append(
            "reward: the shipped small model, which knows the twin's scenes only; "
            "reward:=ground_truth asks the simulator"
        )
    if arguments.sim and not arguments.policy:
        changes["policy"] = "demo"
    if arguments.sim and not arguments.task:
        changes["task"] = demo_task
    if arguments.canary_every < 0:
        changes["canary_every"] = 0 if arguments.sim else ARM_CANARY_EVERY
    if arguments.console:
        notes.append(f"console: http://{arguments.console_address}:{arguments.console_port}/")
    return dataclasses.replace(arguments, **changes), notes  # type: ignore[arg-type]


def camera_parameter(camera: str) -> tuple[str, str]:
    """Which parameter of camera_node a camera argument sets, and to what."""
    kind, _, rest = camera.partition(":")
    if kind == "realsense":
        return "realsense", rest or "any"
    if kind == "ros":
        return "ros_topic", rest
    return ("device" if camera.startswith("/dev/") else "file"), camera


def describe(arguments: StackArguments, demo_task: str = "") -> Stack:
    """The stack of one session; see the module's text.

    Args:
        arguments: launch arguments.
        demo_task: task of the twin when none is given.
    """
    arguments, notes = resolve(arguments, demo_task)
    namespace = "/" + arguments.namespace.strip("/") if arguments.namespace.strip("/") else ""
    lock_step = arguments.sim and arguments.speed == "max"
    patience = {"closing_s": 10.0} if lock_step else {}  # no arm waits, load changes nothing

    def node(
        name: str, own: Mapping[str, ParameterValue], *, ends: bool = False, stop_stage: int = 1
    ) -> NodeProcess:
        return NodeProcess(
            name=name,
            module=f"roboreward_ros.nodes.{name}",
            namespace=namespace,
            parameters={"run_dir": arguments.run_dir, "exit_with_launcher": True, **own},
            config=f"{name}.yaml",
            shutdown_on_exit_zero=ends,
            stop_stage=stop_stage,
        )

    nodes: list[NodeProcess] = []
    if arguments.sim:
        nodes.append(node("sim_node", {"speed": arguments.speed}, stop_stage=2))
    else:
        nodes += [
            node(
                "robot_node",
                {
                    "profile": arguments.robot,
                    "driver": arguments.driver,
                    "xs_namespace": arguments.robot_name,
                    "workspace": arguments.workspace,
                },
                stop_stage=2,
            ),
            node("camera_node", dict([camera_parameter(arguments.camera)])),
        ]
    nodes += [
        node("recorder_node", {"robot": arguments.robot, **patience}),
        node("policy_node", {"policy": arguments.policy, "device": arguments.device}),
        node(
            "reward_node",
            {"source": arguments.reward, "source_options": arguments.reward_options or "{}"},
        ),
        node(
            "learner_node",
            {
                "profile": arguments.profile,
                "policy": arguments.policy,
                "demonstrations": arguments.demonstrations,
                "learner": arguments.learner,
                "device": arguments.device,
                "seed": arguments.seed,
                "adapt_updates": not lock_step,
            },
        ),
        node(
            "session_node",
            {
                "task": arguments.task,
                "episodes": arguments.episodes,
                "max_steps": arguments.max_steps,
                "seed": arguments.seed,
                "canary_every": arguments.canary_every,
                "auto_reset": arguments.sim,
                "wait_for_learner": lock_step,
                "wait_for_reward": lock_step,
                "stop_when_done": arguments.episodes > 0,
                "exit_on_fault": lock_step,  # a person watches every other session
            },
            ends=True,
            stop_stage=0,
        ),
    ]
    if arguments.console or not lock_step:  # in lock-step without a page nobody is there to be told
        nodes.append(node("health_node", {}))
    if arguments.console:
        place: dict[str, ParameterValue] = {"address": arguments.console_address}
        place |= {"port": arguments.console_port, "token_file": arguments.console_token}
        nodes.append(node("console_node", place))
    return Stack(
        arguments=arguments,
        nodes=tuple(nodes),
        environment={**ENVIRONMENT, "ROBOREWARD_DDS": "loopback" if arguments.sim else "shm"},
        restart=RestartPolicy(),
        notes=tuple(notes),
    )
