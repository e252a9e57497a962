# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The best weights as folders that reward sources load, with their card."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
import yaml

from roboreward_ros.errors import CheckpointError
from roboreward_ros.reward_training.card import CARD, HEADER, PROVENANCE, versions
from roboreward_ros.reward_training.finetune.folder import Folder
from roboreward_ros.reward_training.finetune.material import Material
from roboreward_ros.reward_training.finetune.network import load_weights, prepare
from roboreward_ros.reward_training.finetune.recipe import FinetuneConfig, Method
from roboreward_ros.rewards.shipped import OPTIONS_FILE
from roboreward_ros.rewards.vlm.weights import Weights, fingerprint, locate, read_json
from roboreward_ros.types.codec import JsonValue

MODEL, ADAPTER, VIDEOS = "model", "adapter", "videos.sha256"
_PROCESSOR = ("*preprocessor_config.json", "processor_config.json", "chat_template.*")
_TEXT = """\
---
base_model: {base}
tags:
- robotics
- reward-model
library_name: {library}
---
# {name}

{what} Fine-tuned from `{base}` ({identity}) with roboreward_ros.

| on held-out examples of the data set ({n} of its `val` split) | |
|---|---|
| mean absolute error | {mae:.3f} |
| exact | {exact:.1%} |
{praise}
These examples chose the weights (step {step} of {steps}), so the figures flatter the model: measure
it on others with `roboreward bench rewards`. They say nothing about robots, cameras and tasks that
are not in the data.

| | |
|---|---|
| examples | {examples} to learn, of {videos} videos |
| sha256 of examples | `{data}` |
| method | {method}, the vision tower as it was |
| command | `{command}` |

{use}
`{provenance}` holds the recipe and versions, `{list}` the sha256 of every training video
(`roboreward bench rewards --trained-on` flags them).
"""
_WHAT = {
    "roboreward": "Scores the end of a robot's episode from 1 to 5.",
    "lrm_progress": "Tells from a robot's first and present picture how far a task has come.",
    "lrm_completion": "Tells from a robot's present picture whether a task is done.",
    "lrm_contrastive": "Tells which of two pictures of a robot is further with a task.",
}


def publish(
    out: Path, config: FinetuneConfig, material: Material, folder: Folder, command: str, steps: int
) -> dict[str, JsonValue]:
    """Write ``out/model`` (and ``out/adapter`` of LoRA); what lies there is replaced.

    Args:
        out: folder of the training.
        config: recipe.
        material: what was learned.
        folder: of the training's files.
        command: that was run, for the card.
        steps: of the whole training.

    Returns:
        The record that stands in ``training.json``.

    Raises:
        CheckpointError: there was no validation yet, or its weights do not fit the model.
    """
    state, step, _ = folder.best()
    weights = load_weights(config, half=False)
    network = prepare(weights, config)
    if missing := set(network.trained()) - set(state):
        raise CheckpointError("the best weights are incomplete", got=sorted(missing)[:3])
    left = network.load_state_dict(state, strict=False).unexpected_keys
    if left:
        raise CheckpointError("the best weights fit another model", got=left[:3])
    found = next(row for row in folder.rows() if row["step"] == step and "validation_mae" in row)
    record: dict[str, JsonValue] = {
        "command": command,
        "base": weights.identity,
        "recipe": json.loads(json.dumps(dataclasses.asdict(config))),
        "source": material.form.source,
        "data_sha256": material.sha256,
        "examples": len(material.train),
        "videos": len(material.videos),
        "left_out": len(material.problems),
        "steps": steps,
        "best_step": step,
        "validation": {
            name.removeprefix("validation_"): value
            for name, value in found.items()
            if name.startswith("validation_")
        },
        "versions": dict(versions()),
    }
    base = locate(config.model, config.revision, config.offline)
    dtype = _dtype(base)
    if config.method is Method.LORA:
        tuned = network.model
        tuned.peft_config["default"].base_model_name_or_path = config.model
        with _fresh(out / ADAPTER) as part:
            tuned.save_pretrained(str(part))
            shutil.rmtree(part / "default", ignore_errors=True)
            _describe(part, config, material, {**record, "weights": fingerprint(part)}, ADAPTER)
        if not config.merge:
            return record
        weights = dataclasses.replace(weights, model=tuned.merge_and_unload())
    with _fresh(out / MODEL) as part:
        _save(weights, base, part, dtype)
        record["weights"] = fingerprint(part)
        _describe(part, config, material, record, MODEL)
    return record


@contextlib.contextmanager
def _fresh(folder: Path) -> Iterator[Path]:
    """A folder to fill, which then takes the place of ``folder``."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)


def _dtype(base: Path) -> torch.dtype:
    """What the base checkpoint is stored in."""
    settings = read_json(base, "config.json")
    name = settings.get("dtype") or settings.get("torch_dtype") or "float32"
    found = getattr(torch, str(name), torch.float32)
    return found if isinstance(found, torch.dtype) else torch.float32


def _save(weights: Weights, base: Path, folder: Path, dtype: torch.dtype) -> None:
    model = weights.model.to(dtype)
    model.config.use_cache = True
    model.save_pretrained(str(folder))
    weights.tokenizer.save_pretrained(str(folder))
    for pattern in _PROCESSOR:
        for path in base.glob(pattern):
            shutil.copyfile(path, folder / path.name)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)  # the library keeps them from everybody else


def _describe(
    folder: Path,
    config: FinetuneConfig,
    material: Material,
    record: Mapping[str, JsonValue],
    kind: str,
) -> None:
    """Options, provenance, list of videos and card."""
    source, place = material.form.source, f"<this folder>/{kind}"
    options: dict[str, object] = dict(material.form.options)
    if kind == ADAPTER:
        options |= {"model": config.model, "revision": config.revision, "adapter": place}
    else:
        options_text = yaml.safe_dump(dict(material.form.options), sort_keys=False)
        (folder / OPTIONS_FILE).write_text(
            f"{HEADER}# Options of the {source} source that this model was trained with.\n"
            f"{options_text}",
            encoding="utf-8",
        )
        options = {"model": place}
    (folder / PROVENANCE).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (folder / VIDEOS).write_text("".join(f"{video}\n" for video in material.videos))
    found = record["validation"]
    assert isinstance(found, dict)
    false = found["false_positives"]
    praise = ""
    if isinstance(false, float) and not math.isnan(false):
        praise = f"| answered 5 where the truth is at most 2 | {false:.1%} |\n"
    text = _TEXT.format(
        base=config.model,
        library="peft" if kind == ADAPTER else "transformers",
        name=folder.parent.name,
        what=_WHAT[source],
        identity=record["base"],
        n=found["n"],
        mae=found["mae"],
        exact=found["exact"],
        praise=praise,
        step=record["best_step"],
        steps=record["steps"],
        examples=record["examples"],
        videos=record["videos"],
        data=record["data_sha256"],
        method="LoRA" if config.method is Method.LORA else "merger and language model",
        command=record["command"],
        use=f"```\nreward:={source} reward_options:='{json.dumps(options)}'\n```\n",
        provenance=PROVENANCE,
        list=VIDEOS,
    )
    (folder / CARD).write_text(text, encoding="utf-8")
