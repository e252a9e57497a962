# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Looks at everything that a stack needs before its first process starts.

Both front ends call :func:`preflight`. What is missing is reported at once, not one by one.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from roboreward_ros.cli import arm_checks, run_config
from roboreward_ros.cli.domain import own_domain
from roboreward_ros.cli.policy_checks import (
    described_policy,
    noise_problems,
    policy_folder,
    policy_problems,
    problems_of,
)
from roboreward_ros.console.gate import load_token, require_token
from roboreward_ros.dsrl.config import load_profile as load_learner
from roboreward_ros.dsrl.remote_duty import endpoint_of
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError, StackError
from roboreward_ros.files import config_folders
from roboreward_ros.protocols import RewardSource
from roboreward_ros.rewards.config import options_from_json
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.remote.source import RemoteSource
from roboreward_ros.rewards.vlm.source import ModelSource
from roboreward_ros.robot.profile import load_profile as load_robot
from roboreward_ros.sim.tasks import TASKS, find_task
from roboreward_ros.stack import Stack, StackArguments, describe

PROBE_S = 2.0
"""How long the domain is listened to, s: discovery on one host takes up to 1.7 s."""
PROBE_LIMIT_S = 60.0
"""Only a bound: on a starved machine the libraries alone take 15 s to load."""
TORCH_LIMIT_S = 60.0
LOCK_FILE = ".launch.lock"


def preflight(given: Mapping[str, str], *, probe_domain: bool = True) -> Stack:
    """Check what the arguments ask for and describe the stack; leaves a run folder behind.

    Args:
        given: launch arguments by name, as text.
        probe_domain: look whether a stack runs in this ROS domain already.

    Raises:
        ConfigError: an unknown argument, or a value that is not allowed.
        StackError: one or more things are missing; the message lists all of them.
    """
    run_dir = Path(given.get("run_dir") or StackArguments().run_dir).expanduser().absolute()
    stored = run_config.load(run_dir)
    arguments = run_config.merge(given, stored, run_dir)
    if arguments.sim and arguments.task in {spec.key for spec in TASKS}:
        arguments = replace(arguments, task=find_task(arguments.task).sentence)
    if not arguments.sim:
        arguments = arm_checks.with_task(arguments)
    stack = describe(arguments, TASKS[0].sentence)
    missing = _twin_problems(stack) if arguments.sim else _arm_problems(stack)
    missing += _profile_problems(stack) + noise_problems(stack.arguments)
    missing += problems_of("device", lambda: require_device(stack.arguments.device))
    missing += _demonstration_problems(stack.arguments) + _learner_problems(stack.arguments)
    missing += _console_problems(stack.arguments)
    if holder := launch_in(run_dir):
        missing.append(
            f"run_dir: process {holder} runs the stack in {run_dir} already; "
            "stop it, or give another run_dir:="
        )
    elif probe_domain:
        missing += _domain_problems(stack)
    if missing:
        raise StackError(
            f"the stack cannot start, {len(missing)} "
            + ("thing is" if len(missing) == 1 else "things are")
            + " missing:"
            + "".join(f"\n  {number}. {text}" for number, text in enumerate(missing, 1)),
        )
    policy_id, _ = described_policy(policy_folder(stack.arguments.policy))
    run_config.save(run_dir, stack.arguments, policy_id)
    return stack


def part_problems(stack: Stack) -> list[str]:
    """What is missing of policy, reward, learner's profile and device; of any robot or none."""
    arguments = stack.arguments
    problems = ["policy: none given; give policy:=FOLDER"]
    if arguments.policy:
        problems = policy_problems(arguments.policy, arguments.task)
    problems += _reward_problems(arguments) + _profile_problems(stack)
    return problems + problems_of("device", lambda: require_device(arguments.device))


def config_dir() -> Path:
    """The package's ``config`` folder: beside a checkout's package, or installed with it."""
    for folder in config_folders():
        return folder
    raise StackError(
        "the package's config folder is not there",
        got=f"none beside or above {Path(__file__).parents[1]}",
        allowed="config of a checkout, share/roboreward_ros/config of an installation",
        next_step="Install the whole package: make setup, colcon build or pip install.",
    )


def _twin_problems(stack: Stack) -> list[str]:
    problems = problems_of("task", lambda: find_task(stack.arguments.task))
    problems += _reward_problems(stack.arguments)
    problems += policy_problems(stack.arguments.policy, stack.arguments.task)
    return problems


def _arm_problems(stack: Stack) -> list[str]:
    arguments = stack.arguments
    problems = []
    problems += arm_checks.driver_problems(arguments) + arm_checks.camera_problems(arguments.camera)
    if not arguments.task:
        problems.append('task: none given; give task:="put the mushroom on the cloth" or yours')
    if arguments.policy:
        problems += policy_problems(arguments.policy, arguments.task)
    else:
        problems.append("policy: none given, the real arm has no default; give policy:=FOLDER")
    problems += _reward_problems(arguments)
    return problems


def _reward_problems(arguments: StackArguments) -> list[str]:
    def source() -> RewardSource:
        return build(arguments.reward, options_from_json(arguments.reward_options))

    if problems := problems_of("reward", source):
        return problems
    found = source()
    problems = _dense_problems(arguments, found)
    if isinstance(found, RemoteSource):
        return problems + problems_of("reward host", found.require_host)
    if isinstance(found, ModelSource):
        problems += problems_of("weights", found.require_weights)
    return problems


def _dense_problems(arguments: StackArguments, source: RewardSource) -> list[str]:
    """A learner of progress cannot learn from a source that says one thing about an episode."""
    try:
        profile = load_learner(arguments.profile)
    except ConfigError:
        return []  # named with the profile
    if source.spec.dense or not profile.needs_dense:
        return []
    remedy = """reward_options:='{"dense": true}' where the source has it, or another source"""
    problem = (
        f"reward: source '{source.spec.name}' gives no value for every step, which profile "
        f"'{arguments.profile}' learns from (reward: {profile.reward}); give {remedy}"
    )
    return [problem]


def _profile_problems(stack: Stack) -> list[str]:
    arguments = stack.arguments
    return problems_of("profile", lambda: load_learner(arguments.profile)) + problems_of(
        "robot",
        lambda: (
            load_robot(arguments.robot).with_workspace(arguments.workspace)
            if arguments.workspace
            else load_robot(arguments.robot)
        ),
    )


def _demonstration_problems(arguments: StackArguments) -> list[str]:
    def look() -> None:
        if not EpisodeStore(Path(folder).expanduser()).ids():
            raise ConfigError(
                "the folder holds no episodes",
                got=folder,
                next_step="Give the folder of a run, the one that holds episodes/.",
            )

    folder = arguments.demonstrations
    return problems_of("demonstrations", look) if folder else []


def _learner_problems(arguments: StackArguments) -> list[str]:
    def look() -> None:
        endpoint = endpoint_of(arguments.learner)
        endpoint.token()
        endpoint.tls()

    return problems_of("learner", look) if arguments.learner else []


def _console_problems(arguments: StackArguments) -> list[str]:
    def look() -> None:
        require_token(arguments.console_address, load_token(arguments.console_token))

    return problems_of("console", look) if arguments.console else []


def require_device(device: str) -> None:
    """Look for the CUDA device of ``cuda`` or ``cuda:N``; in a process of its own, torch is big.

    Raises:
        StackError: it is not there.
    """
    if not device.startswith("cuda"):
        return
    code = "import torch; print(torch.__version__, torch.cuda.device_count())"
    words = [sys.executable, "-c", code]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=TORCH_LIMIT_S, check=False
        )
        release, count = done.stdout.split()
        found = int(count)
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise StackError(
            "torch cannot be asked for its devices", next_step="roboreward doctor says more."
        ) from error
    if int(device.partition(":")[2] or 0) >= found:
        raise StackError(
            "that device is not here",
            got=f"{device}, torch {release} with {found} CUDA devices",
            allowed=", ".join(["cpu", *(f"cuda:{index}" for index in range(found))]),
        )


def launch_in(run_dir: Path) -> str:
    """Process id of the launch that holds a run folder; "" for none."""
    try:
        with (run_dir / LOCK_FILE).open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return lock.read().strip() or "unknown"
    except OSError:
        return ""
    return ""


def _domain_problems(stack: Stack) -> list[str]:
    try:
        domain = own_domain()
    except StackError as error:
        return [f"domain: {error}"]
    wanted = {f"{node.namespace}/{node.name}" for node in stack.nodes}
    xs_sdk = arm_checks.vendor_node(stack.arguments)
    if xs_sdk and f"/{stack.arguments.namespace.strip('/')}/xs_sdk" == xs_sdk:
        return [f"namespace: {xs_sdk} lives in the same one; give another namespace:="]
    found = nodes_in_domain(wanted, stack.environment)
    taken = sorted(wanted & found)
    if xs_sdk and xs_sdk not in found and not taken:
        return [arm_checks.no_vendor_node(xs_sdk, stack.arguments, domain)]
    if not taken:
        return []
    others = "stop that stack, or set another ROS_DOMAIN_ID (0..101) or namespace:="
    return [f"domain: ROS domain {domain} is occupied by {', '.join(taken)}; {others}"]


def nodes_in_domain(wanted: set[str], environment: Mapping[str, str] | None = None) -> set[str]:
    """Full names of the nodes that answer in this ROS domain; listens for about 2 s.

    Args:
        wanted: listening ends early when one of these was seen.
        environment: variables for the listener where the user has not set them.

    Raises:
        StackError: rclpy cannot be loaded or started.
    """
    if importlib.util.find_spec("rclpy") is None:
        raise StackError(
            "ROS 2 is not in this environment: rclpy cannot be imported",
            next_step="Run make setup, or source /opt/ros/jazzy/setup.bash first.",
        )
    command = [sys.executable, "-m", "roboreward_ros.ros.graph_probe", str(PROBE_S), *wanted]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=PROBE_LIMIT_S,
            check=False,
            env={**(environment or {}), **os.environ},
        )
    except subprocess.TimeoutExpired as error:
        raise StackError(
            f"the ROS domain could not be looked at within {PROBE_LIMIT_S:g} s",
            next_step="roboreward doctor says more.",
        ) from error
    if done.returncode != 0:
        raise StackError(
            "the ROS domain could not be looked at",
            got=(done.stderr.strip().splitlines() or ["no message"])[-1],
            next_step="roboreward doctor says more.",
        )
    return set(json.loads(done.stdout))
