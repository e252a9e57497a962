# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The stack of a rehearsal: everything as it was recorded, with one player for arm and cameras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from roboreward_ros.cli import run_config
from roboreward_ros.cli.policy_checks import described_policy, policy_folder
from roboreward_ros.cli.preflight import part_problems
from roboreward_ros.errors import StackError, StoreError
from roboreward_ros.rehearsal.bag import BagOptions
from roboreward_ros.rehearsal.latency import Latencies
from roboreward_ros.rehearsal.player import decoded
from roboreward_ros.rehearsal.recording import Recording
from roboreward_ros.stack import NodeProcess, ParameterValue, Stack, StackArguments, describe

REPLACED = frozenset({"sim_node", "robot_node", "camera_node"})
LOOPBACK_PIXELS = 256 * 256
"""Larger pictures cross the shared-memory profile, as a real arm's do."""
OWN = ("sim", "speed", "run_dir", "episodes", "max_steps", "task", "namespace")
"""Arguments that the recording decides, or that a rehearsal has for itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a rehearsal.

    Attributes:
        recording: folder or file.
        run_dir: of the rehearsal; must not hold a run.
        episodes: first ones of the recording; 0 for all.
        script: YAML of the operator's keys; None for those recorded.
        faults: YAML of what goes wrong; None for nothing.
        speed: ``realtime`` or ``max``.
        given: launch arguments over the recording's.
        latencies: whose decisions and rewards take how long.
        bag: what a bag does not say itself.
    """

    recording: Path
    run_dir: Path
    episodes: int
    script: Path | None
    faults: Path | None
    speed: str
    given: Mapping[str, str]
    bag: BagOptions = field(default_factory=BagOptions)
    latencies: Latencies = Latencies.OWN


def rehearsal_stack(plan: Plan, recording: Recording) -> Stack:
    """Check and describe it; leaves the rehearsal's run folder behind.

    Raises:
        ConfigError: an argument that is none, or that the recording decides.
        StackError: something is missing, or the folder is in use; all of it is said.
    """
    first = recording.episode(0)
    twin = recording.arguments.get("sim") == "true" or bool(first.truth)
    if taken := sorted(set(plan.given) & set(OWN)):
        raise StackError(
            f"{', '.join(taken)} of a rehearsal cannot be given as a launch argument",
            allowed="arguments of policy, reward and learner, and the command's own options",
        )
    if (plan.run_dir / "run.json").exists():
        raise StoreError(
            "this folder holds a run already",
            got=str(plan.run_dir),
            next_step="Give another one by --out.",
        )
    kept = {
        name: text
        for name, text in recording.arguments.items()
        if name in StackArguments.names() and name not in (*OWN, *run_config.NOT_STORED)
    }
    if plan.given.get("reward", kept.get("reward")) != kept.get("reward"):
        kept.pop("reward_options", None)  # another source's options do not fit
    arguments = StackArguments.from_strings({"console": "false", **kept, **plan.given})
    lock_step = plan.speed == "max"
    arguments = replace(
        arguments,
        sim=twin,
        speed="max" if twin and lock_step else "realtime",
        run_dir=str(plan.run_dir),
        episodes=len(recording.names),
        max_steps=first.max_steps,
        task=first.task,
    )
    stack = describe(arguments)
    if problems := part_problems(stack):
        raise StackError(
            "the rehearsal cannot start:"
            + "".join(f"\n  {number}. {text}" for number, text in enumerate(problems, 1))
        )
    height, width = decoded(first.frames[0], first.name).shape[:2]
    wire = "loopback" if height * width <= LOOPBACK_PIXELS else "shm"
    plan.run_dir.mkdir(parents=True, exist_ok=True)
    policy_id, _ = described_policy(policy_folder(stack.arguments.policy))
    run_config.save(plan.run_dir, stack.arguments, policy_id)
    return replace(
        stack,
        nodes=(_player(plan, stack), *_others(stack, first.control_hz, lock_step, twin)),
        environment={**stack.environment, "ROBOREWARD_DDS": wire},
    )


def _player(plan: Plan, stack: Stack) -> NodeProcess:
    recorder = stack.node("recorder_node")
    own: dict[str, ParameterValue] = {
        "run_dir": str(plan.run_dir),
        "exit_with_launcher": True,
        "recording": str(plan.recording.expanduser().absolute()),
        "episodes": plan.episodes,
        "script": str(plan.script.absolute()) if plan.script else "",
        "faults": str(plan.faults.absolute()) if plan.faults else "",
        "speed": plan.speed,
        "latencies": str(plan.latencies),
        **asdict(plan.bag),
    }
    return replace(
        recorder,
        name="player_node",
        module="roboreward_ros.nodes.player_node",
        parameters=own,
        config="player_node.yaml",
        stop_stage=2,
    )


def _others(stack: Stack, control_hz: float, lock_step: bool, twin: bool) -> list[NodeProcess]:
    """All nodes but the arm's and the camera's; the session ends when the script leaves it."""
    more: dict[str, dict[str, ParameterValue]] = {
        "recorder_node": {"control_hz": control_hz},
        "learner_node": {"adapt_updates": not lock_step},
        "session_node": {
            "auto_reset": twin,
            "wait_for_learner": lock_step,
            "wait_for_reward": lock_step,
            "stop_when_done": False,
            "exit_on_fault": False,
        },
    }
    return [
        replace(node, parameters={**node.parameters, **more.get(node.name, {})})
        for node in stack.nodes
        if node.name not in REPLACED
    ]
