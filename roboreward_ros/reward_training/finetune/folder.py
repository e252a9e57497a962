# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a training leaves on disk: the state it goes on from, the best weights, the log.

Every file is written beside its place and renamed, so that a kill at any moment leaves the last
whole one. The log is cut back to the state when a training goes on.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Required, TypedDict

import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    OptimizerStateType,
    StateDictOptions,
    ValueType,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from roboreward_ros.errors import CheckpointError
from roboreward_ros.files import write_atomic

if TYPE_CHECKING:
    from roboreward_ros.types.codec import JsonValue

STATE, BEST, LOG, REFERENCE = "state.pt", "best.pt", "log.jsonl", "reference.pt"
# Whole tensors on the CPU, however the model is spread over processes; what rests is left out.
_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)
_BACK = StateDictOptions(full_state_dict=True, ignore_frozen_params=True, strict=False)


class _Content(TypedDict, total=False):
    """What the files hold, as far as each needs it."""

    identity: Required[str]
    model: dict[str, ValueType]
    optimiser: OptimizerStateType
    step: int
    best: float
    best_step: int
    sums: torch.Tensor


@dataclass(slots=True)
class Standing:
    """Where a training stands.

    Attributes:
        step: optimiser steps done.
        best: least validation error so far.
        best_step: when that was.
    """

    step: int = 0
    best: float = math.inf
    best_step: int = 0


class Folder:
    """The files of one training.

    Args:
        path: where they lie.
        identity: digest of what decides the weights; a folder belongs to one.
        writes: whether this process writes (one of several does).
    """

    def __init__(self, path: Path, identity: str, writes: bool = True) -> None:
        self.path = path
        self._identity = identity
        self._writes = writes
        if writes:
            path.mkdir(parents=True, exist_ok=True)

    def save(self, network: nn.Module, optimiser: torch.optim.Optimizer, at: Standing) -> None:
        """Write the state; all processes call this."""
        content: _Content = {
            "identity": self._identity,
            "model": get_model_state_dict(network, options=_WHOLE),
            "optimiser": get_optimizer_state_dict(network, optimiser, options=_WHOLE),
            "step": at.step,
            "best": at.best,
            "best_step": at.best_step,
        }
        self._write(content, STATE)

    def restore(self, network: nn.Module, optimiser: torch.optim.Optimizer) -> Standing:
        """Take the state up again; the standing of a new training where there is none.

        Raises:
            CheckpointError: the folder belongs to a training with other settings or data.
        """
        content = self._read(STATE)
        if content is None:
            return Standing()
        set_model_state_dict(network, content["model"], options=_BACK)
        set_optimizer_state_dict(network, optimiser, content["optimiser"], options=_BACK)
        at = Standing(int(content["step"]), float(content["best"]), int(content["best_step"]))
        if self._writes:
            self._cut_log(at.step)
        return at

    def keep_best(self, network: nn.Module, at: Standing) -> None:
        """Write the trained weights as the best so far; all processes call this."""
        model = get_model_state_dict(network, options=_WHOLE)
        content: _Content = {
            "identity": self._identity,
            "model": model,
            "step": at.step,
            "best": at.best,
        }
        self._write(content, BEST)

    def best(self) -> tuple[dict[str, torch.Tensor], int, float]:
        """Best weights by name, their step and their validation error.

        Raises:
            CheckpointError: there was no validation yet.
        """
        content = self._read(BEST)
        if content is None:
            raise CheckpointError("no validation has chosen weights yet", got=str(self.path))
        model = {k: v for k, v in content["model"].items() if isinstance(v, torch.Tensor)}
        return model, int(content["step"]), float(content["best"])

    def keep_reference(self, sums: torch.Tensor) -> None:
        """Write what the model held likely at the beginning ``[examples, 2]``."""
        self._write({"identity": self._identity, "sums": sums}, REFERENCE)

    def reference(self) -> torch.Tensor | None:
        """What ``keep_reference`` wrote."""
        content = self._read(REFERENCE)
        return None if content is None else content["sums"]

    def rows(self) -> list[dict[str, JsonValue]]:
        """Lines of the log."""
        path = self.path / LOG
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return [json.loads(line) for line in lines]

    def note(self, row: Mapping[str, JsonValue]) -> None:
        """Append a line to the log."""
        if self._writes:
            with (self.path / LOG).open("a", encoding="utf-8") as file:
                file.write(json.dumps(dict(row)) + "\n")

    def _cut_log(self, step: int) -> None:
        path = self.path / LOG
        if not path.is_file():
            return
        kept = []
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                if int(json.loads(line)["step"]) <= step:
                    kept.append(line + "\n")
            except (ValueError, OverflowError, RecursionError, KeyError, TypeError):
                break  # a kill in the middle of the last line
        write_atomic(path, "".join(kept))

    def _write(self, content: _Content, name: str) -> None:
        if not self._writes:
            return
        part = self.path / f"{name}.part"
        with part.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path / name)

    def _read(self, name: str) -> _Content | None:
        path = self.path / name
        if not path.is_file():
            return None
        content: _Content = torch.load(path, weights_only=True, map_location="cpu")
        if content["identity"] != self._identity:
            raise CheckpointError(
                "a training with other settings or data lies in this folder",
                got=str(self.path),
                next_step="Give another --out, or delete this folder.",
            )
        return content
