# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that a training needs to go on exactly: one file, replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.files import write_atomic
from roboreward_ros.policies.bc import AveragedWeights

STATE_FILE = "training.safetensors"


def save_state(
    path: Path,
    step: int,
    purpose: str,
    network: nn.Module,
    average: AveragedWeights,
    optimiser: torch.optim.Optimizer,
) -> None:
    """Write weights, averages and moments after ``step`` steps.

    Args:
        path: of the file.
        step: optimiser steps done.
        purpose: hash of everything that decides the training; a resume must have the same.
        network: trained weights.
        average: averaged weights.
        optimiser: AdamW.
    """
    tensors: dict[str, Tensor] = {}
    for name, weight in network.named_parameters():
        tensors[f"weight.{name}"] = weight
    tensors |= {f"average.{name}": value for name, value in average.weights.items()}
    for number, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"moment.{number}.{name}": value for name, value in moments.items()}
    ready = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_atomic(path, save(ready, {"step": str(step), "purpose": purpose}))


def load_state(
    path: Path,
    purpose: str,
    network: nn.Module,
    average: AveragedWeights,
    optimiser: torch.optim.Optimizer,
) -> int:
    """Put a saved state back; returns its step.

    Raises:
        ConfigError: the state of another training.
        CheckpointError: a damaged file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            said: Mapping[str, str] = file.metadata() or {}
            if said.get("purpose") != purpose:
                raise ConfigError(
                    f"{path} is the state of another training",
                    got=said.get("purpose", "nothing")[:12],
                    allowed=purpose[:12],
                    next_step="Train with the same data, recipe and models, or give another --out.",
                )
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        step = int(said["step"])
        moments: dict[int, dict[str, Tensor]] = {}
        with torch.no_grad():
            for name, weight in network.named_parameters():
                weight.copy_(tensors[f"weight.{name}"])
        for name, value in tensors.items():
            if name.startswith("moment."):
                _, number, moment = name.split(".")
                moments.setdefault(int(number), {})[moment] = value
        average.restore({n: tensors[f"average.{n}"] for n in average.weights}, step)
        whole = optimiser.state_dict()
        optimiser.load_state_dict({**whole, "state": moments})
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            "the state of a training cannot be read",
            got=f"{path}: {error!r}",
            next_step="Delete it to begin anew.",
        ) from None
    return step
