# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward policy train | convert | eval | finetune``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from roboreward_ros.cli import (
    policy_clone,
    policy_convert,
    policy_demonstrate,
    policy_finetune,
    policy_remote,
    policy_robot,
)
from roboreward_ros.cli.preflight import config_dir
from roboreward_ros.errors import ConfigError

if TYPE_CHECKING:
    from roboreward_ros.evaluation.success import ArmResult
    from roboreward_ros.policies.checkpoint import Json

DEFAULT_RECIPE = "widowx_twin"
NOISES = ("prior", "zero", "half", "quarter")
REPORTED = ("prior", "zero")
TWIN_EPISODES = 100


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``policy`` and its subcommands."""
    policy = subparsers.add_parser("policy", help="train and evaluate diffusion policies")
    commands = policy.add_subparsers(dest="policy_command", required=True, metavar="COMMAND")

    train = commands.add_parser(
        "train",
        help="clone the twin's demonstrators (--sim; reproduces the shipped policy) or a data set",
    )
    train.add_argument("--sim", action="store_true", help="demonstrations of the simulated twin")
    train.add_argument(
        "--recipe",
        default="",
        help=f"name in config/policies, or a yaml file (default: {DEFAULT_RECIPE} with --sim, "
        f"otherwise {policy_clone.DEFAULT_RECIPE})",
    )
    train.add_argument("--out", type=Path, help="folder (default: runs/policies/<recipe>)")
    train.add_argument(
        "--data", action="append", default=[], metavar="DATA",
        help="rlds:DIR or lerobot:DIR, repeat to join; with --sim: keep demonstrations in this "
        ".npz, or read them where it exists",
    )  # fmt: skip
    train.add_argument("--seed", type=_count, help="seed of data and training (default: recipe's)")
    train.add_argument(
        "--episodes", type=_count, default=100, help="evaluation per task; 0: none (%(default)s)"
    )
    train.add_argument(
        "--steps", type=_count, default=0, help="of a data set's training (default: recipe's)"
    )
    policy_clone.add_arguments(train)
    train.set_defaults(run=run_train)

    policy_convert.add_parser(commands)
    policy_demonstrate.add_parser(commands)
    policy_remote.add_parser(commands)

    evaluate = commands.add_parser("eval", help="success of a policy on held-out layouts")
    evaluate.add_argument("--sim", action="store_true", help="on the simulated twin")
    evaluate.add_argument("--policy", default="demo", help="folder, or demo: the shipped one")
    evaluate.add_argument(
        "--task", action="append", help="sentence; repeat for more (default: all)"
    )
    evaluate.add_argument(
        "--episodes", type=_count, help="per row (default: 100 on the twin, 20 on the arm)"
    )
    evaluate.add_argument("--seed", type=_count, help="arm: of the assignment (default: random)")
    evaluate.add_argument("--max-steps", type=_count, default=0, help="arm: 0: the task's own")
    evaluate.add_argument(
        "--noise", nargs="+", choices=NOISES, default=list(REPORTED), help="rows of the table"
    )
    evaluate.add_argument(
        "--constants",
        type=_count,
        default=0,
        help="also try so many constant latents: shows whether the noise steers (%(default)s)",
    )
    evaluate.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    policy_robot.add_arguments(evaluate)
    evaluate.set_defaults(run=run_eval)
    policy_finetune.add_verb(commands)


def run_train(args: argparse.Namespace) -> int:
    """Collect, clone, save, evaluate, save again with the measured success."""
    if args.data and not args.sim:
        return policy_clone.run_clone(
            args, _recipe_path(args.recipe or policy_clone.DEFAULT_RECIPE)
        )
    _require_sim(args.sim, "train", "--sim, --data rlds:DIR, --data lerobot:DIR")
    from roboreward_ros.policies.bc import train
    from roboreward_ros.policies.checkpoint import save_checkpoint
    from roboreward_ros.policies.dataset import load_demonstrations, save_demonstrations
    from roboreward_ros.policies.diffusion import load_policy
    from roboreward_ros.policies.recipe import load_recipe
    from roboreward_ros.sim.demo_style import DemoStyle, flat
    from roboreward_ros.studies.demonstrations import CollectProgress, collect
    from roboreward_ros.studies.policy_bench import PolicyBench

    path = _recipe_path(args.recipe or DEFAULT_RECIPE)
    recipe = load_recipe(path)
    file = Path(args.data[-1]) if args.data else None
    if args.seed is not None:
        recipe = dataclasses.replace(
            recipe, seed=args.seed, train=dataclasses.replace(recipe.train, seed=args.seed)
        )
    out: Path = args.out or Path("runs/policies") / path.stem
    for name, folder in (("--out", out), ("--data", file.parent if file else out)):
        _make_folder(name, folder)  # now: nobody wants to hear of it after an hour of training
    style = DemoStyle()

    def note(p: CollectProgress) -> None:
        share = f"{100 * p.successes / p.done:.0f} % succeed, {p.dropped} diverged"
        _show(f"demonstrations: {p.task}", p.done, p.episodes, share)

    if file is not None and file.exists():
        data = load_demonstrations(file)
        wanted = tuple(task for task, _ in recipe.demonstrations)
        if data.tasks != wanted:
            raise ConfigError(
                f"{file} holds demonstrations of other tasks",
                got=data.tasks,
                allowed=wanted,
                next_step="Give another --data, or delete the file.",
            )
    else:
        data = collect(recipe, style, note)
        if file is not None:
            save_demonstrations(file, data)
    checkpoint = train(
        data,
        recipe.network,
        recipe.sampler,
        recipe.train,
        lambda p: _show(
            "training",
            p.step,
            p.steps,
            f"loss {p.loss:.3f}, objects {1e3 * p.position_error:.1f} mm",
        ),
    )
    seed = "" if args.seed is None else f" --seed {args.seed}"
    provenance: dict[str, Json] = {
        "command": f"roboreward policy train --sim --recipe {path.stem}{seed}",
        "recipe": json.loads(json.dumps(recipe.as_json())),
        "style": dict(flat(style)),
        "data_sha256": data.sha256(),
        "data_steps": len(data.images),
        "versions": _versions(),
        "success": {},
    }
    save_checkpoint(out, dataclasses.replace(checkpoint, provenance=provenance))
    if args.episodes:
        bench = PolicyBench(load_policy(out), str(out), _show_trial)
        success: dict[str, Json] = {}
        for task in bench.policy.spec.tasks:
            results = bench.measure(task, REPORTED, args.episodes)
            print(task)
            _print_table(results)
            success[task] = _numbers(REPORTED, results)
        provenance["success"] = success
        save_checkpoint(out, dataclasses.replace(checkpoint, provenance=provenance))
    print(f"policy {checkpoint.policy_id[:12]} in {out}")
    return 0


def run_eval(args: argparse.Namespace) -> int:
    """Print success per task and choice of the noise, or compare on the arm."""
    if args.episodes is not None and args.episodes < 1:
        raise ConfigError("--episodes of an evaluation", got=args.episodes, allowed=">= 1")
    if args.robot:
        return policy_robot.run_robot_eval(args)
    _require_sim(args.sim, "eval", "--sim, --robot")
    episodes = args.episodes or TWIN_EPISODES
    from roboreward_ros.policies.loading import load_any_policy
    from roboreward_ros.studies.policy_bench import PolicyBench

    bench = PolicyBench(load_any_policy(args.policy), args.policy, _show_trial)
    report: dict[str, Json] = {}
    tasks = args.task or bench.policy.spec.tasks
    if not tasks:
        raise ConfigError(
            "the policy does not say which tasks it knows",
            got="no --task",
            next_step="Give --task, or name tasks in the policy's roboreward.yaml.",
        )
    for task in tasks:
        results = bench.measure(task, args.noise, episodes)
        rates = bench.constants(task, args.constants) if args.constants else []
        report[task] = {
            **_numbers(args.noise, results),
            **({"constants": list(rates)} if rates else {}),
        }
        if not args.json:
            print(task)
            _print_table(results)
            if rates:
                listed = " ".join(f"{100 * rate:.0f}" for rate in rates)
                print(f"  success of constant latents, %, sorted: {listed}")
    if args.json:
        print(json.dumps({"policy_id": bench.policy.spec.policy_id, "tasks": report}, indent=2))
    return 0


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is negative")
    return value


def _require_sim(sim: bool, command: str, allowed: str = "--sim") -> None:
    if not sim:
        raise ConfigError(
            f"policy {command} must be told where",
            got=f"none of {allowed}",
            allowed=allowed,
            next_step=f"Run: roboreward policy {command} --sim",
        )


def _make_folder(option: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder of {option} cannot be made",
            got=f"{folder}: {error.strerror}",
            next_step=f"Give another {option}.",
        ) from error


def _recipe_path(name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    folder = config_dir() / "policies"
    path = folder / f"{name}.yaml"
    if not path.is_file():
        there = sorted(item.stem for item in folder.glob("*.yaml"))
        raise ConfigError("unknown recipe", got=name, allowed=there)
    return path


def _numbers(names: Sequence[str], results: Sequence[ArmResult]) -> dict[str, Json]:
    return {
        name: {
            "n": result.n,
            "successes": result.successes,
            "rate": round(result.rate.value, 4),
            "low": round(result.rate.low, 4),
            "high": round(result.rate.high, 4),
            "mean_score": round(result.mean_score, 3),
        }
        for name, result in zip(names, results, strict=True)
    }


def _print_table(results: Sequence[ArmResult]) -> None:
    print(f"  {'noise':<22}{'success':>8}  {'95 % interval':>14}{'n':>6}{'mean score':>12}")
    for result in results:
        rate = result.rate
        between = f"{100 * rate.low:.0f}-{100 * rate.high:.0f} %"
        print(
            f"  {result.label:<22}{100 * rate.value:>6.0f} %  {between:>14}{result.n:>6}"
            f"{result.mean_score:>12.2f}"
        )


def _show_trial(task: str, done: int, total: int, noise: str) -> None:
    _show(f"evaluation: {task}", done, total, noise)


class _Progress:
    """One progress line on stderr; where stderr is no terminal, a plain line every tenth."""

    def __init__(self) -> None:
        self._shown = ("", -1)

    def __call__(self, what: str, done: int, total: int, detail: str) -> None:
        if sys.stderr.isatty():
            bar = "#" * round(20 * done / total)
            end = "\n" if done == total else ""
            print(f"\r\x1b[K{what} [{bar:<20}] {done}/{total} {detail}", end=end, file=sys.stderr)
            return
        tenth = (what, 10 * done // total)
        if tenth != self._shown:
            self._shown = tenth
            print(f"{what}: {done}/{total} {detail}", file=sys.stderr, flush=True)


_show = _Progress()


def _versions() -> dict[str, Json]:
    found: dict[str, Json] = {"python": platform.python_version()}
    for name in ("torch", "numpy", "mujoco", "opencv-python-headless"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found
