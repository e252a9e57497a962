# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward policy train --data rlds:DIR | lerobot:DIR``: clone a data set on disk."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from roboreward_ros.cli.progress import Display, make_display

if TYPE_CHECKING:
    from torch import Tensor

    from roboreward_ros.policies.transformer.sentences import PretrainedText
    from roboreward_ros.policies.transformer.train import CloneProgress, Start
    from roboreward_ros.policies.transformer.vision import Json
    from roboreward_ros.studies.policy_rows import Prepared

DEFAULT_RECIPE = "bridge_transformer"
ROWS, BOARD = "rows", "tensorboard"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``policy train`` takes for data sets."""
    group = parser.add_argument_group("data sets (rlds:DIR, lerobot:DIR)")
    group.add_argument(
        "--text", type=Path, metavar="DIR",
        help="text model and tokenizer of transformers; default: words of the trained sentences",
    )  # fmt: skip
    group.add_argument(
        "--vision", type=Path, metavar="DIR",
        help="pre-trained vision model of transformers, for recipes that want one",
    )  # fmt: skip
    group.add_argument(
        "--camera", default="", help="feature of the pictures; default: the only one"
    )
    group.add_argument("--split", default="train", help="of an RLDS data set (%(default)s)")
    group.add_argument(
        "--rows", type=Path, metavar="DIR", help="prepared pictures and numbers (OUT/rows)"
    )
    group.add_argument("--device", default="cpu", help="torch device (%(default)s)")


def run_clone(args: argparse.Namespace, recipe_path: Path) -> int:
    """Prepare rows, train or go on training, save; the state stays beside the policy."""
    from roboreward_ros.policies.transformer.files import describe, save_policy
    from roboreward_ros.policies.transformer.recipe import load_transformer_recipe
    from roboreward_ros.policies.transformer.train import clone
    from roboreward_ros.studies.policy_rows import open_source, prepare_rows

    recipe = load_transformer_recipe(recipe_path)
    if args.seed is not None:
        train = dataclasses.replace(recipe.train, seed=args.seed)
        recipe = dataclasses.replace(recipe, train=train)
    if args.steps:
        train = dataclasses.replace(recipe.train, steps=args.steps)
        recipe = dataclasses.replace(recipe, train=train)
    out: Path = args.out or Path("runs/policies") / recipe_path.stem
    out.mkdir(parents=True, exist_ok=True)
    hz = recipe.network.control_hz
    sources = [open_source(text, args.camera, args.split, hz) for text in args.data]
    display = make_display()
    try:
        models = _models(args, recipe.network.image_size, out)
        display.stage("reading", sum(source.episodes for source in sources))
        prepared = prepare_rows(
            sources, recipe, args.rows or out / ROWS, args.camera, args.split, display.update
        )
        display.say(_summary(prepared))
        board = _Board(out / BOARD, display)
        display.stage("training", recipe.train.steps)
        try:
            description, weights = clone(
                prepared.store,
                recipe,
                models.start(prepared.store.tasks),
                out,
                args.device,
                board.note,
            )
        finally:
            board.close()
        provenance: dict[str, Json] = {
            "command": _command(args),
            "recipe": cast("Json", json.loads(json.dumps(dataclasses.asdict(recipe), default=str))),
            "rows": len(prepared.store),
            "rows_sha256": prepared.store.sha256,
            "held_out_loss": board.loss,
            "held_out_error": board.error,
        }
        save_policy(out, description, weights, provenance)
    finally:
        display.close()
    print(f"policy {describe(out).policy_id[:12]} in {out}")
    return 0


@dataclass(frozen=True, slots=True)
class _Models:
    """Pre-trained models; read before the data set, which may take an hour.

    Attributes:
        text: None where the sentences' own words will do.
        text_identity: of its files.
        vision: configuration; empty for none.
        vision_weights: of the vision model.
    """

    text: PretrainedText | None
    text_identity: str
    vision: Mapping[str, Json]
    vision_weights: Mapping[str, Tensor]

    def start(self, tasks: Sequence[str]) -> Start:
        from roboreward_ros.policies.transformer.sentences import WordBags
        from roboreward_ros.policies.transformer.train import Start

        sentences = self.text or WordBags(tasks)
        return Start(sentences, self.text_identity, self.vision, self.vision_weights)


def _models(args: argparse.Namespace, image_size: int, out: Path) -> _Models:
    from roboreward_ros.policies.adapters.files import identity
    from roboreward_ros.policies.transformer.sentences import TEXT_FOLDER, PretrainedText
    from roboreward_ros.policies.transformer.vision import read_vision

    vision, weights = read_vision(args.vision, image_size) if args.vision else ({}, {})
    if not args.text:
        return _Models(None, "", vision, weights)
    text = PretrainedText(args.text, args.device)
    text.save(out / TEXT_FOLDER)  # the policy's folder is whole by itself
    files = [path for path in (out / TEXT_FOLDER).iterdir() if path.is_file()]
    return _Models(text, identity(files), vision, weights)


def _summary(prepared: Prepared) -> str:
    store = prepared.store
    left = f"; left out: {prepared.unnamed} without a sentence, {prepared.short} too short"
    return (
        f"{len(store.ends)} episodes, {len(store)} rows, {len(store.tasks)} sentences"
        f"{left if prepared.unnamed or prepared.short else ''}"
    )


class _Board:
    """Progress to the display and to TensorBoard; a resumed training goes on in its curves."""

    def __init__(self, folder: Path, display: Display) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), flush_secs=10)
        self._display = display
        self.loss: float | None = None
        self.error: float | None = None

    def note(self, at: CloneProgress) -> None:
        self._writer.add_scalar("train/loss", at.loss, at.step)
        self._writer.add_scalar("train/learning_rate", at.learning_rate, at.step)
        if not math.isnan(at.held_out_loss):
            self.loss, self.error = at.held_out_loss, at.held_out_error
            self._writer.add_scalar("held_out/loss", self.loss, at.step)
            self._writer.add_scalar("held_out/error", self.error, at.step)
        held = "" if self.loss is None else f", held out {self.loss:.3f}, error {self.error:.2f}"
        self._display.update(at.step, f"loss {at.loss:.3f}{held}")

    def close(self) -> None:
        self._writer.close()


def _command(args: argparse.Namespace) -> str:
    words = ["roboreward", "policy", "train"]
    for name in ("data", "recipe", "text", "vision", "camera", "split", "seed", "steps"):
        value = getattr(args, name)
        for item in value if isinstance(value, list) else [value]:
            if item not in (None, "", 0):
                words += [f"--{name}", str(item)]
    return shlex.join(words)
