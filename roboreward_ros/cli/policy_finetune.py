# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward policy finetune RUN --keep 'completion>0.5'``: clone the rollouts that were kept."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from roboreward_ros.cli.progress import Display, make_display
from roboreward_ros.errors import ConfigError

if TYPE_CHECKING:
    from roboreward_ros.evaluation.success import ArmResult
    from roboreward_ros.policies.checkpoint import Checkpoint, Json
    from roboreward_ros.policies.finetune import FinetuneConfig
    from roboreward_ros.studies.lrm.filtering import Kept

NOISES = ("prior", "zero")
STEPS, EPISODES = 2000, 100


def add_verb(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``finetune`` to ``roboreward policy``."""
    parser = commands.add_parser(
        "finetune", help="go on training a policy on the rollouts that a source calls done"
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of runs")
    parser.add_argument(
        "--keep",
        required=True,
        metavar="CONDITION",
        help="which rollouts, such as 'completion>0.5', 'score>=5 and steps<40', "
        "'lrm_completion>0.5 and lrm_progress>0.8'",
    )
    parser.add_argument("--source", default="", help="whose answers (default: the run's source)")
    parser.add_argument("--policy", default="", help="what to start from (default: the run's)")
    parser.add_argument("--out", type=Path, help="folder (default: RUN/policies/finetuned)")
    parser.add_argument("--steps", type=int, default=STEPS, help="optimiser steps (%(default)s)")
    parser.add_argument("--learning-rate", type=float, default=1e-4, help="peak (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the training (%(default)s)")
    parser.add_argument(
        "--rehearse", type=Path, metavar="NPZ",
        help="demonstrations of policy train --data: half of every batch, against forgetting",
    )  # fmt: skip
    parser.add_argument(
        "--episodes", type=int, default=EPISODES,
        help="held-out layouts of old and new policy on the twin; 0: none (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--task", action="append", help="evaluate these too; repeat for more")
    parser.set_defaults(run=run_finetune)


def run_finetune(args: argparse.Namespace) -> int:
    """Filter, train, save, evaluate both policies, save again with what was measured."""
    from roboreward_ros.episodes.run import read_run
    from roboreward_ros.policies.checkpoint import save_checkpoint
    from roboreward_ros.policies.finetune import FinetuneConfig, read_checkpoint
    from roboreward_ros.studies.lrm.filtering import FACTS, filter_runs, summary_of
    from roboreward_ros.studies.lrm.keep import parse_keep

    if args.episodes < 0:
        raise ConfigError("--episodes is negative", got=args.episodes, allowed="0 or more")
    keep = parse_keep(args.keep, FACTS)
    config = FinetuneConfig(args.steps, learning_rate=args.learning_rate, seed=args.seed)
    source = args.policy or str(read_run(args.runs[0]).config.get("policy") or "")
    if not source:
        raise ConfigError(
            f"run {args.runs[0]} names no policy", next_step="Name it: --policy FOLDER."
        )
    out: Path = args.out or args.runs[0] / "policies" / "finetuned"
    if out.resolve() == Path(source).resolve():
        raise ConfigError(
            "the new policy would take the place of the old one",
            got=str(out),
            next_step="Give another --out.",
        )
    old = read_checkpoint(source)
    network = old.description.network
    display = make_display()
    try:
        kept = filter_runs(
            args.runs, keep, args.source, network.image_size, network.prediction_horizon
        )
        display.say(
            f"kept {kept.count} rollouts ({len(kept.data.images)} rows) by '{keep.text}'"
            f"{f' of {kept.source}' if kept.source else ''}; {kept.dropped} do not meet it, "
            f"{kept.unanswered} without an answer, {kept.unfit} unfit"
        )
        tasks = [*dict.fromkeys([*kept.data.tasks, *(args.task or ())])] if args.episodes else []
        _require_on_twin(tasks)
        _make_folder(out)
        new = _train(args, old, kept, config, display)
        provenance: dict[str, Json] = {
            "command": _command(args),
            "from": {"policy": source, "policy_id": old.policy_id},
            "kept": cast("Json", summary_of(kept)),
            "finetune": cast("Json", dataclasses.asdict(config)),
            "success": {},
        }
        new = dataclasses.replace(new, provenance=provenance)
        save_checkpoint(out, new)
        if tasks:
            provenance["success"] = {
                task: _compare(task, source, str(out), args.episodes, display) for task in tasks
            }
            save_checkpoint(out, dataclasses.replace(new, provenance=provenance))
    finally:
        display.close()
    print(f"policy {new.policy_id[:12]} in {out}")
    return 0


def _require_on_twin(tasks: Sequence[str]) -> None:
    """Before an hour of training: an evaluation that cannot be made."""
    from roboreward_ros.sim.tasks import TASKS

    known = [name for spec in TASKS for name in (spec.key, spec.sentence)]
    unknown = [task for task in tasks if task not in known]
    if unknown:
        raise ConfigError(
            "the twin cannot evaluate a policy on a task that it does not have",
            got=unknown,
            allowed=[spec.sentence for spec in TASKS],
            next_step="Add --episodes 0, then judge on the arm: roboreward policy eval --robot.",
        )


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            "the folder of --out cannot be made",
            got=f"{out}: {error.strerror}",
            next_step="Give another --out.",
        ) from error


def _train(
    args: argparse.Namespace, old: Checkpoint, kept: Kept, config: FinetuneConfig, display: Display
) -> Checkpoint:
    from roboreward_ros.policies.dataset import load_demonstrations
    from roboreward_ros.policies.finetune import finetune

    rehearsal = load_demonstrations(args.rehearse) if args.rehearse else None
    display.stage("fine-tuning", config.steps)
    return finetune(
        old, kept.data, config, rehearsal,
        lambda p: display.update(p.step, f"loss {p.loss:.3f}"),
    )  # fmt: skip


def _compare(task: str, old: str, new: str, episodes: int, display: Display) -> dict[str, Json]:
    """Success of both policies on the same held-out layouts, printed and as plain values."""
    from roboreward_ros.evaluation.success import paired_gain
    from roboreward_ros.policies.diffusion import load_policy
    from roboreward_ros.studies.policy_bench import PolicyBench

    rows: dict[str, list[ArmResult]] = {}
    for name, folder in (("old", old), ("new", new)):
        display.stage(f"{name} policy", len(NOISES) * episodes)
        bench = PolicyBench(
            load_policy(folder),
            folder,
            lambda _task, done, _total, what: display.update(done, what),
        )
        rows[name] = bench.measure(task, NOISES, episodes)
    display.say(f"{task}, {episodes} held-out layouts")
    found: dict[str, Json] = {}
    for noise, before, after in zip(NOISES, rows["old"], rows["new"], strict=True):
        gain = paired_gain(after, before)
        found[noise] = {
            "n": episodes,
            "old": before.rate.value,
            "new": after.rate.value,
            "gain": [gain.value, gain.low, gain.high],
        }
        display.say(
            f"  {before.label:<18} old {100 * before.rate.value:3.0f} %  "
            f"new {100 * after.rate.value:3.0f} %  gain {100 * gain.value:+.0f} "
            f"[{100 * gain.low:+.0f}, {100 * gain.high:+.0f}]"
        )
    return found


def _command(args: argparse.Namespace) -> str:
    words = ["roboreward", "policy", "finetune", *map(str, args.runs), "--keep", args.keep]
    for option, value, default in (
        ("--source", args.source, ""), ("--policy", args.policy, ""),
        ("--steps", args.steps, STEPS),
        ("--learning-rate", args.learning_rate, 1e-4), ("--seed", args.seed, 0),
        ("--rehearse", args.rehearse, None),
    ):  # fmt: skip
        if value != default:
            words += [option, str(value)]
    return shlex.join(words)
