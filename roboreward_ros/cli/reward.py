# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward reward train | eval | relabel``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from roboreward_ros.cli import reward_classifier
from roboreward_ros.cli.policy import _show
from roboreward_ros.cli.preflight import config_dir
from roboreward_ros.cli.reward_data import add_data
from roboreward_ros.cli.reward_relabel import add_relabel
from roboreward_ros.errors import ConfigError

if TYPE_CHECKING:
    from roboreward_ros.reward_training.train import Progress
    from roboreward_ros.studies.reward_eval import Report

DEFAULT_RECIPE = "twin_small"
TRAIN_HELP = """\
Train a reward model; the same command goes on where a killed training stopped.

  roboreward reward train --recipe tune_small --data DIR
  roboreward reward train --recipe roboreward_v2 --model Qwen/Qwen3-VL-4B-Instruct \\
      --revision COMMIT --data DIR --out DIR
  accelerate launch --config_file config/reward_training/accelerate/fsdp.yaml \\
      -m roboreward_ros.cli.main reward train --recipe roboreward_v2 ...
  roboreward reward train --sim          # the shipped small model, from nothing
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``reward`` and its subcommands."""
    reward = subparsers.add_parser("reward", help="train and evaluate reward models")
    commands = reward.add_subparsers(dest="reward_command", required=True, metavar="COMMAND")

    train = commands.add_parser(
        "train",
        help="train a reward model; goes on where a killed training stopped",
        description=TRAIN_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("--sim", action="store_true", help="on episodes of the simulated twin")
    train.add_argument(
        "--recipe",
        default="",
        help=f"name in config/reward_training, or a yaml file (with --sim: {DEFAULT_RECIPE})",
    )
    train.add_argument("--out", type=Path, help="folder (default: runs/rewards/<recipe>)")
    train.add_argument(
        "--data",
        type=Path,
        help="labelled videos: train/metadata.jsonl and val/metadata.jsonl; "
        "with --sim, folder of clips (default: <out>/data)",
    )
    train.add_argument("--model", default="", help="folder, short name or Hub id to begin with")
    train.add_argument("--revision", default="", help="full commit hash of a Hub id")
    train.add_argument("--keep-going", action="store_true", help="leave bad rows out, by name")
    train.add_argument("--json", action="store_true", help="progress as JSON, an object a line")
    train.add_argument("--policy", default="demo", help="--sim: whose rollouts are among the clips")
    train.add_argument(
        "--episodes", type=_count, default=448, help="--sim: rollouts of the evaluation; 0: none"
    )
    train.set_defaults(run=run_train)

    evaluate = commands.add_parser("eval", help="a reward model on held-out twin episodes")
    evaluate.add_argument("--sim", action="store_true", help="on the simulated twin")
    evaluate.add_argument(
        "--model", default=DEFAULT_RECIPE, help="folder or short name (default: %(default)s)"
    )
    evaluate.add_argument("--policy", default="demo", help="whose rollouts are judged")
    evaluate.add_argument("--episodes", type=_count, default=448, help="rollouts (%(default)s)")
    evaluate.add_argument("--data", type=Path, help="keep the rollouts here, or read them")
    evaluate.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    evaluate.set_defaults(run=run_eval)

    worse = commands.add_parser("degrade", help="a deliberately worse copy, to try a bad judge")
    worse.add_argument("model", help="folder or short name of a reward model")
    worse.add_argument("out", type=Path, help="folder of the copy")
    worse.add_argument("--noise", type=float, default=0.3, help="share of each matrix's spread")
    worse.add_argument("--seed", type=int, default=0, help="of the noise (default: 0)")
    worse.set_defaults(run=run_degrade)

    reward_classifier.add_parser(commands)
    add_relabel(commands)
    add_data(commands)


def run_train(args: argparse.Namespace) -> int:
    """Fine-tune on labelled videos, or make the twin's small model."""
    if args.sim:
        return _train_on_twin(args)
    if not args.recipe:
        raise ConfigError(
            "there is no recipe",
            allowed=[name for name in _recipes() if name != DEFAULT_RECIPE],
            next_step="Give --recipe NAME --data DIR; or --sim for the twin's small model.",
        )
    from roboreward_ros.cli.reward_finetune import finetune

    return finetune(args, _recipe_path(args.recipe))


def _train_on_twin(args: argparse.Namespace) -> int:
    """Collect, train, choose the best, save, evaluate, save again with what was measured."""
    import torch

    from roboreward_ros.policies.diffusion import load_policy
    from roboreward_ros.reward_training.card import publish
    from roboreward_ros.reward_training.config import load_recipe
    from roboreward_ros.reward_training.dataset import ClipSet
    from roboreward_ros.reward_training.train import Trainer
    from roboreward_ros.studies.reward_data import CollectConfig, collect

    torch.set_num_threads(1)
    path = _recipe_path(args.recipe or DEFAULT_RECIPE)
    recipe = load_recipe(path)
    out: Path = args.out or Path("runs/rewards") / path.stem
    data: Path = args.data or out / "data"
    policy = load_policy(args.policy)
    config = CollectConfig(
        seed=recipe.data_seed, episodes=recipe.episodes, frame_size=recipe.model.frame
    )
    held = dataclasses.replace(config, held_out=True)
    for name, kind, count in (
        ("train", config, recipe.shards),
        ("held_out", held, recipe.held_out),
    ):
        collect(
            data / name,
            kind,
            range(count),
            policy,
            on_shard=lambda k, name=name, count=count: _show(  # type: ignore[misc]
                f"clips: {name}", k + 1, count, "shards"
            ),
        )
    clips = ClipSet(data / "train", recipe.shards)
    trainer = Trainer(
        out / "training",
        clips,
        ClipSet(data / "held_out", recipe.held_out),
        recipe.model,
        recipe.train,
    )
    trainer.run(_note)
    best = trainer.load_best()
    provenance: dict[str, object] = {
        "command": f"roboreward reward train --sim --recipe {path.stem}",
        "recipe": dataclasses.asdict(recipe),
        "policy": policy.spec.policy_id,
        "data_sha256": clips.sha256(),
        "clips": len(clips),
        "sentences": len(clips.vocabulary.sentences),
        "best_step": best,
    }
    folder = out / "model"
    publish(trainer.weights, recipe.model, folder, provenance, "Not evaluated yet.\n")
    if args.episodes:
        report = _evaluate(str(folder), args.policy, args.episodes, out / "rollouts")
        measured = {**provenance, "metrics": report.as_json()}
        publish(trainer.weights, recipe.model, folder, measured, report.as_markdown())
        print(report.as_markdown())
    print(f"reward model in {folder}")
    return 0


def run_eval(args: argparse.Namespace) -> int:
    """Print how far a model's answers are from the twin's truth."""
    _require_sim(args.sim, "eval")
    if args.episodes < 1:
        raise ConfigError("--episodes of an evaluation", got=args.episodes, allowed=">= 1")
    data = args.data or Path("runs/rewards") / "rollouts"
    report = _evaluate(args.model, args.policy, args.episodes, data)
    print(json.dumps(report.as_json(), indent=1) if args.json else report.as_markdown())
    return 0


def run_degrade(args: argparse.Namespace) -> int:
    """Write the copy."""
    from roboreward_ros.reward_training.degrade import degrade
    from roboreward_ros.rewards.shipped import shipped_folder

    degrade(shipped_folder(args.model) or Path(args.model), args.out, args.noise, args.seed)
    print(f'degraded model in {args.out}; reward_options:=\'{{"model": "{args.out}"}}\'')
    return 0


def _evaluate(model: str, policy_name: str, episodes: int, data: Path) -> Report:
    import torch

    from roboreward_ros.policies.diffusion import load_policy
    from roboreward_ros.rewards.config import build_config
    from roboreward_ros.rewards.registry import merged_options
    from roboreward_ros.rewards.roboreward import RoboRewardConfig
    from roboreward_ros.rewards.vlm.backend import Backend
    from roboreward_ros.rewards.vlm.weights import load
    from roboreward_ros.studies.reward_eval import evaluate, held_out_rollouts

    torch.set_num_threads(1)
    options = merged_options("roboreward", {"model": model})
    config = build_config(RoboRewardConfig, options, f"reward model '{model}'")
    backend = Backend(load(config))  # before the rollouts, which take minutes
    policy = load_policy(policy_name)
    clips = held_out_rollouts(
        data,
        episodes,
        policy,
        math.isqrt(config.frame_pixels),
        lambda done, total: _show("rollouts", done, total, "shards"),
    )
    return evaluate(backend, clips, config)


def _note(progress: Progress) -> None:
    found = progress.validation
    detail = f"loss {progress.loss:.3f}"
    if found is not None:
        detail += f", validation MAE {found.own:.2f} own, {found.others:.2f} others"
    _show("training", progress.step, progress.steps, detail)


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is negative")
    return value


def _require_sim(sim: bool, command: str) -> None:
    if not sim:
        raise ConfigError(
            f"reward {command} works on the simulated twin in this release",
            got="no --sim",
            allowed="--sim",
            next_step=f"Run: roboreward reward {command} --sim",
        )


def _recipe_path(name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    path = config_dir() / "reward_training" / f"{name}.yaml"
    if not path.is_file():
        raise ConfigError("unknown recipe", got=name, allowed=_recipes())
    return path


def _recipes() -> list[str]:
    return sorted(item.stem for item in (config_dir() / "reward_training").glob("*.yaml"))
