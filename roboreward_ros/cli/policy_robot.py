# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward policy eval --robot``: base and steered policy on the arm, blinded, judged by eye.

Starts the arm's part of the stack (no learner, no reward, no console) with its output in files, and
leads the person through the trials in the foreground. The same command goes on where it ended.
"""

from __future__ import annotations

import argparse
import dataclasses
import getpass
import hashlib
import json
import re
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from roboreward_ros.cli.arm_dialogue import in_front
from roboreward_ros.cli.policy_checks import described_policy, policy_folder
from roboreward_ros.cli.preflight import preflight
from roboreward_ros.dsrl.actor import SteeringActor, load_actor
from roboreward_ros.dsrl.config import load_profile
from roboreward_ros.dsrl.noise_record import FormResult, Place, keep_results, untrained_actor
from roboreward_ros.errors import ConfigError
from roboreward_ros.evaluation.arm_trials.book import TrialBook
from roboreward_ros.evaluation.arm_trials.plan import TrialPlan, assign, load_plan, save_plan
from roboreward_ros.evaluation.arm_trials.report import (
    TrialReport,
    make_report,
    report_json,
    report_lines,
)
from roboreward_ros.files import write_atomic
from roboreward_ros.robot.task_profile import find_task
from roboreward_ros.stack import Stack, parse_assignments

PARTS = ("robot_node", "camera_node", "recorder_node", "policy_node")
TRIALS_PER_ARM = 20
_ACTOR = re.compile(r"actor_(\d+)\.safetensors")
_OURS = {
    "sim",
    "run_dir",
    "profile",
    "reward",
    "console",
    "policy",
    "task",
    "episodes",
    "max_steps",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What only an evaluation on the arm takes."""
    group = parser.add_argument_group("on the arm (--robot)")
    group.add_argument("--robot", action="store_true", help="on the real arm, blinded")
    group.add_argument("--actor", type=Path, help="steering actor: its file, or the run it is of")
    group.add_argument(
        "--profile",
        default="",
        help="instead of --actor: what this learner's untrained actor draws, before learning",
    )
    group.add_argument("--out", type=Path, help="folder of the comparison; an existing one goes on")
    group.add_argument(
        "--scenes", type=Path, help="scenes to lay out, one a line (default: task's)"
    )
    group.add_argument("--judge", default="", help="name in the judgements (default: your login)")
    group.add_argument(
        "--unblind", action="store_true", help="end the comparison now and say what is known"
    )
    group.add_argument(
        "launch", nargs="*", default=[], metavar="name:=value", help="launch arguments of the arm"
    )


def run_robot_eval(args: argparse.Namespace) -> int:
    """Run, resume or unblind a comparison; returns 3 when the person left before its end."""
    if args.out is None:
        raise ConfigError("a comparison needs a folder", next_step="Give --out FOLDER.")
    folder: Path = args.out.expanduser().absolute()
    given = parse_assignments(args.launch)
    if taken := sorted(_OURS & set(given)):
        raise ConfigError("launch arguments that the evaluation sets itself", got=taken)
    plan = load_plan(folder)
    if plan is not None and (args.unblind or _closed(folder, plan)):
        return _report(folder, plan, args, unblind=args.unblind)
    if args.unblind:
        raise ConfigError("there is no comparison to unblind", got=str(folder))
    if plan is None:
        plan, actor = _compose(args)
        stack = _stack(folder, plan, given, args)  # what is missing is said before anything is kept
        write_atomic(folder / "policies" / f"actor_{plan.actor_version}.safetensors", actor)
        save_plan(folder, plan)
    else:
        _require_same(args, plan)
        stack = _stack(folder, plan, given, args)
    code = in_front(stack, "trial_node", {"judge": args.judge or getpass.getuser()})
    if code == 0:
        return _report(folder, plan, args, unblind=True)
    return code


def _compose(args: argparse.Namespace) -> tuple[TrialPlan, bytes]:
    """The plan of a new comparison and its actor's file."""
    if bool(args.actor) == bool(args.profile) or not args.task or len(args.task) != 1:
        raise ConfigError(
            "a comparison needs one task and a steering actor, or a profile before learning",
            got=f"--task {args.task}, --actor {args.actor}, --profile '{args.profile}'",
            next_step="Give --task (a sentence or a name in config/tasks) and --actor RUN.",
        )
    profile = find_task(args.task[0])
    scenes = profile.scenes if profile is not None else ()
    if args.scenes is not None:
        lines = args.scenes.read_text().splitlines()
        scenes = tuple(line.strip() for line in lines if line.strip() and line[0] != "#")
    if not scenes:
        raise ConfigError(
            "the task has no list of scenes",
            got=args.task[0],
            next_step="Give --scenes FILE, one line a scene, or a task of config/tasks.",
        )
    steps = args.max_steps or (profile.max_steps if profile is not None else 0)
    if not steps:
        raise ConfigError("the task has no time limit", next_step="Give --max-steps N.")
    policy_id, horizon = described_policy(policy_folder(args.policy))
    if args.profile:
        version, actor = 1, _untrained(args.profile, policy_id, horizon)
    else:
        version, actor = _read_actor(args.actor, policy_id)
    seed = secrets.randbelow(2**16) if args.seed is None else args.seed
    return TrialPlan(
        task=profile.task if profile is not None else args.task[0],
        max_steps=steps,
        policy_id=policy_id,
        actor_version=version,
        actor_sha256=hashlib.sha256(actor).hexdigest(),
        scenes=scenes,
        trials=assign(scenes, args.episodes or TRIALS_PER_ARM, seed),
        seed=seed,
    ), actor


def _read_actor(given: Path, policy_id: str) -> tuple[int, bytes]:
    """Version and bytes of a trained actor that fits the policy."""
    path = given.expanduser()
    if path.is_dir():
        files = (path / "policies").glob("*")
        found = [(int(m[1]), p) for p in files if (m := _ACTOR.fullmatch(p.name))]
        if not found:
            raise ConfigError("there is no steering actor in this run", got=str(path / "policies"))
        path = max(found)[1]
    actor = load_actor(path, None, policy_id)
    if actor.version < 1:
        raise ConfigError("that actor was never trained", got=f"{path}, version {actor.version}")
    return actor.version, path.read_bytes()


def _untrained(profile: str, policy_id: str, horizon: int) -> bytes:
    """The file of a profile's actor before its first update, where that is not the base policy."""
    config = load_profile(profile)
    if config.starts_as_prior:
        raise ConfigError(
            f"profile '{profile}' starts as the base policy: there is nothing to compare",
            next_step="Give --actor RUN once it has learnt.",
        )
    return untrained_actor(config, policy_id, horizon).to_bytes()


def _keep_form(folder: Path, plan: TrialPlan, report: TrialReport, policy: str) -> str:
    """Keep what a complete comparison says of an untrained actor's noise; returns where, or ""."""
    path = folder / "policies" / f"actor_{plan.actor_version}.safetensors"
    actor = load_actor(path, plan.actor_sha256, plan.policy_id)
    prior = SteeringActor.prior(actor.policy_id, actor.horizon)
    plain = (actor.form, actor.noise_bound) == (prior.form, prior.noise_bound)
    if actor.weights or plain or not report.complete:
        return ""
    base, mine = ((rate.successes, rate.n) for rate in report.rates)
    here = described_policy(policy_folder(policy))[0] == plan.policy_id
    result = FormResult.of(actor, plan.task, Place.ARM, mine, base)
    return (
        f"{result.what}: {result.verdict}; kept in {keep_results(policy if here else '', [result])}"
    )


def _closed(folder: Path, plan: TrialPlan) -> bool:
    book = TrialBook(folder, plan, write=False)
    return book.complete or book.unblinded


def _require_same(args: argparse.Namespace, plan: TrialPlan) -> None:
    """What is given again must be what the comparison began with."""
    differs = []
    if args.task:
        profile = find_task(args.task[0])
        task = profile.task if profile is not None else args.task[0]
        differs += [f"task '{plan.task}'"] if task != plan.task else []
    if args.episodes is not None and 2 * args.episodes != len(plan.trials):
        differs.append(f"--episodes {len(plan.trials) // 2}")
    if described_policy(policy_folder(args.policy))[0] != plan.policy_id:
        differs.append(f"the policy {plan.policy_id[:12]}")
    if differs:
        raise ConfigError(
            "this folder holds another comparison",
            allowed="; ".join(differs),
            next_step="Repeat what it began with, or give another --out.",
        )


def _stack(
    folder: Path, plan: TrialPlan, given: Mapping[str, str], args: argparse.Namespace
) -> Stack:
    fixed = {
        "run_dir": str(folder),
        "task": plan.task,
        "policy": args.policy,
        "reward": "human",
        "console": "false",
        "max_steps": str(plan.max_steps),
    }
    stack = preflight({**given, **fixed})
    nodes = tuple(node for node in stack.nodes if node.name in PARTS)
    return dataclasses.replace(stack, nodes=nodes)


def _report(folder: Path, plan: TrialPlan, args: argparse.Namespace, *, unblind: bool) -> int:
    book = TrialBook(folder, plan, write=unblind)
    try:
        if unblind:
            book.unblind()
        report = make_report(book)
    finally:
        book.close()
    text = json.dumps(report_json(report), indent=2)
    write_atomic(folder / "report.json", text)
    print(text if args.json else "\n".join(report_lines(report)))
    if kept := _keep_form(folder, plan, report, args.policy):
        print(kept, file=sys.stderr if args.json else sys.stdout)
    return 0
