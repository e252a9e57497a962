# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labelled grey videos and a recipe that a tiny model goes through in a second."""

import json
import multiprocessing
import os
import signal
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from accelerate import DistributedType, PartialState
from torch.distributed.tensor import DTensor

from roboreward_ros.reward_training.finetune.material import Material, gather
from roboreward_ros.reward_training.finetune.recipe import FinetuneConfig, parse_finetune
from roboreward_ros.reward_training.finetune.train import Finetuning, make_accelerator
from roboreward_ros.rewards.config import Option
from roboreward_ros.testing.grey_video import write_video

TASKS = ("open the drawer", "close the drawer", "lift the cube")


def write_layout(folder: Path, train: int = 4, val: int = 2) -> Path:
    """Videos that get brighter, each under three sentences."""
    for split, count in (("train", train), ("val", val)):
        place = folder / split / "toy"
        place.mkdir(parents=True)
        rows = []
        for k in range(count):
            write_video(place / f"{k}.mp4", 20 + 7 * k + (split == "val"))
            labels = (5 if k % 2 else 2, 1 + k % 5, 5)
            rows += [
                {"file_name": f"toy/{k}.mp4", "task": task, "reward": label}
                for task, label in zip(TASKS, labels, strict=True)
            ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (place.parent / "metadata.jsonl").write_text(text)
    return folder


def recipe(model: Path, data: Path, **changes: Option) -> FinetuneConfig:
    """Six steps, two validations; ``changes`` replace whole sections."""
    values: dict[str, Option] = {
        "model": str(model),
        "data": str(data),
        "lora": {"rank": 4, "alpha": 8, "dropout": 0.1},
        "optimisation": {"lr": 1e-3, "batch": 4, "epochs": 2.0},
        "options": {
            "frame_pixels": 1024,
            "max_frames": 6,
            "order": "video_first",
            "sampling": "grid",
        },
        "watch": {"validate_every": 3, "save_every": 2, "tracker": "none"},
    }
    if changes.get("head", "rubric") != "rubric":
        values["options"] = {"frame_pixels": 1024}
    return parse_finetune({**values, **changes}, "toy")


def training(out: Path, config: FinetuneConfig) -> tuple[Finetuning, Material]:
    """Ready to run."""
    material = gather(config, out.parent / "frames")
    return Finetuning(out, config, material, make_accelerator(config, out)), material


CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["roboreward_ros.testing.loaded_vlm"])
"""Processes that have the libraries loaded already: that takes longer than these trainings."""


def in_a_child(
    out: Path, config: FinetuneConfig, killed_at: int = 0, environment: Mapping[str, str] = {}
) -> BaseProcess:
    """Starts a training in a process of its own, which kills itself behind step ``killed_at``."""
    child = CHILDREN.Process(target=_train, args=(out, config, killed_at, dict(environment)))
    child.start()
    return child


def _train(out: Path, config: FinetuneConfig, killed_at: int, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    torch.set_num_threads(1)
    if "ACCELERATE_USE_FSDP" in environment:
        # accelerate asks for GPUs before it spreads weights; torch does it on CPUs as well.
        PartialState(cpu=True).distributed_type = DistributedType.MULTI_GPU
    run, _ = training(out, config)
    spread = any(isinstance(weight, DTensor) for weight in run.network.parameters())
    assert spread == ("ACCELERATE_USE_FSDP" in environment)

    def on_step(progress: object) -> None:
        if run.at.step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    run.run(on_step)
