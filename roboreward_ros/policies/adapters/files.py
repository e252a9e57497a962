# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights from safetensors into a module, with every misfit named; identity of what was loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from roboreward_ros.errors import CheckpointError
from roboreward_ros.policies.config import MAX_SIZE

_NAMED = 6  # keys that an error lists
_PIECE = 1 << 24


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, on the CPU.

    Raises:
        CheckpointError: missing or damaged.
    """
    if not path.is_file():
        raise CheckpointError(
            "policy weights are missing",
            got=str(path),
            allowed="a safetensors file",
            next_step="Copy the whole folder, or convert the checkpoint first.",
        )
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError("policy weights cannot be read", got=f"{path}: {error}") from error


def read_json(path: Path) -> dict[str, object]:
    """A JSON object.

    Raises:
        CheckpointError: missing, damaged, or not an object.
    """
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError, OverflowError, RecursionError) as error:
        raise CheckpointError("description cannot be read", got=f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise CheckpointError("description is no JSON object", got=str(path))
    return document


def whole(value: object, most: int = MAX_SIZE) -> int:
    """``value`` as a size in 1..most; ValueError if it is none."""
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{value!r} is no whole number in 1..{most}")
    return value


def fit(module: nn.Module, weights: Mapping[str, Tensor], what: str) -> None:
    """Load ``weights`` into a module whose parameters may live on the meta device.

    Args:
        module: whose names and shapes decide; it takes the tensors over without a copy.
        weights: by name, as float32 where they are of another precision.
        what: named in errors.

    Raises:
        CheckpointError: names that are missing or unexpected, other shapes, values not finite.
    """
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    got = {name: tuple(value.shape) for name, value in weights.items()}
    missing, odd = wanted.keys() - got.keys(), got.keys() - wanted.keys()
    if missing or odd:
        raise CheckpointError(
            f"weights do not fit {what}",
            got=f"missing {_some(missing)}; unexpected {_some(odd)}",
            next_step="The checkpoint is of another architecture or release than its description.",
        )
    other = [
        f"{name} {got[name]} for {wanted[name]}" for name in wanted if wanted[name] != got[name]
    ]
    if other:
        raise CheckpointError(f"weights of {what} have other shapes", got=_some(other))
    converted = {
        name: value.to(torch.float32) if value.is_floating_point() else value
        for name, value in weights.items()
    }
    for name, value in converted.items():
        if not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"weights of {what} are not finite", got=name)
    module.load_state_dict(converted, assign=True)


def require(folder: Path, names: Iterable[str]) -> None:
    """Refuse a folder that lacks a file.

    Raises:
        CheckpointError: names what is missing.
    """
    wanted = sorted(names)
    missing = [name for name in wanted if not (folder / name).is_file()]
    if missing:
        raise CheckpointError("policy files are missing", got=missing, allowed=wanted)


def identity(files: Iterable[Path]) -> str:
    """sha256 over the names and bytes of everything that decides what a policy does."""
    digest = hashlib.sha256(b"roboreward adapter 1\n")
    for path in sorted(files):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    return digest.hexdigest()


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return (", ".join(listed[:_NAMED]) or "nothing") + more
