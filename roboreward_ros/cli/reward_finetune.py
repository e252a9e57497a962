# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward reward train`` on labelled videos, with published models or small ones."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from roboreward_ros.cli.policy import _show
from roboreward_ros.errors import ConfigError
from roboreward_ros.reward_training.finetune.recipe import FinetuneConfig, load_finetune

if TYPE_CHECKING:
    from roboreward_ros.reward_training.finetune.train import Progress

INTERRUPTED = 130


def finetune(args: argparse.Namespace, path: Path) -> int:
    """Check, decode, train, publish; the same command goes on where it was killed.

    Args:
        args: model, revision, data, out, json and keep_going over the recipe.
        path: of the recipe.
    """
    config = _config(args, path)
    from roboreward_ros.reward_training.finetune.material import gather, read_tables
    from roboreward_ros.rewards.vlm.weights import (
        locate,
        read_family,
        read_json,
        require_safetensors,
    )

    read_tables(config, keep_going=args.keep_going)
    folder = locate(config.model, config.revision, config.offline)
    read_family(read_json(folder, "config.json"), folder)
    require_safetensors(folder)
    import torch

    from roboreward_ros.reward_training.finetune.publish import MODEL, publish
    from roboreward_ros.reward_training.finetune.train import Finetuning, make_accelerator

    torch.set_num_threads(1)
    out: Path = args.out or Path("runs/rewards") / path.stem
    accelerator = make_accelerator(config, out)
    say = _Voice(args.json, accelerator.is_main_process)
    with accelerator.main_process_first():
        material = gather(
            config,
            out / "frames",
            keep_going=args.keep_going,
            on_videos=lambda split, done, total: say.videos(split, done, total),
        )
    for problem in material.problems:
        say.line(f"left out: {problem}")
    training = Finetuning(out, config, material, accelerator)
    with _stoppable() as wanted:
        finished = training.run(say.step, wanted)
    if finished and accelerator.is_main_process:
        command = "roboreward " + shlex.join(sys.argv[1:])
        steps = training.plan.steps
        record = publish(out, config, material, training.folder, command, steps)
        say.done(out / MODEL, record["validation"], training.at.best, training.at.best_step)
    at = training.at.step
    accelerator.wait_for_everyone()
    accelerator.end_training()
    if not finished:
        say.line(f"stopped at step {at}; the same command goes on from there")
    return 0 if finished else INTERRUPTED


def _config(args: argparse.Namespace, path: Path) -> FinetuneConfig:
    config = load_finetune(path)
    given = {"model": args.model, "revision": args.revision}
    given["data"] = "" if args.data is None else str(args.data)
    if args.model and not args.revision:
        config = dataclasses.replace(config, revision="")
    config = dataclasses.replace(config, **{k: v for k, v in given.items() if v})
    if not config.model:
        raise ConfigError("there is no model to begin with", next_step="Give --model.")
    if not config.data:
        raise ConfigError(
            "there are no labelled videos to learn from",
            allowed="a folder with train/metadata.jsonl and val/metadata.jsonl",
            next_step="Give --data.",
        )
    return config


class _Voice:
    """What the first process says: lines and bars, or one JSON object a line."""

    def __init__(self, as_json: bool, speaks: bool) -> None:
        self._json = as_json
        self._speaks = speaks

    def line(self, text: str) -> None:
        if self._speaks:
            print(json.dumps({"note": text}) if self._json else text, flush=True)

    def videos(self, split: str, done: int, total: int) -> None:
        if not self._speaks:
            return
        if self._json:
            row = {"stage": f"videos of {split}", "done": done, "total": total}
            print(json.dumps(row), flush=True)
        else:
            _show(f"videos: {split}", done, total, "decoded")

    def step(self, progress: Progress) -> None:
        if not self._speaks:
            return
        if self._json:
            print(json.dumps(dataclasses.asdict(progress)), flush=True)
            return
        detail = f"loss {progress.loss:.3f}"
        if progress.validation is not None:
            detail += f", validation MAE {progress.validation.mae:.3f}"
        _show("training", progress.step, progress.steps, detail)

    def done(self, folder: Path, validation: object, best: float, step: int) -> None:
        if not self._speaks:
            return
        if self._json:
            row = {"checkpoint": str(folder), "validation": validation, "best_step": step}
            print(json.dumps(row), flush=True)
        else:
            print(f"best validation MAE {best:.3f} at step {step}; reward model in {folder}")


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """The first interruption or termination ends after the step; a second one at once."""
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        del number, frame
        if stopped:
            raise KeyboardInterrupt
        stopped = True

    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, stop) for kind in kinds]
    try:
        yield lambda: not stopped
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
