# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A policy on disk: ``policy.safetensors`` beside ``policy.json``; no pickle.

The policy's id is the sha256 over the weights' bytes and the description that decides what they
compute. Provenance (command, data, measured success) is beside it and does not change the id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.files import write_atomic
from roboreward_ros.policies.config import NetworkConfig, SamplerConfig
from roboreward_ros.policies.network import PolicyNetwork
from roboreward_ros.policies.normalise import Statistics
from roboreward_ros.policies.text import Vocabulary
from roboreward_ros.types import ACTION_DIM, PROPRIO_DIM

FORMAT = 1
WEIGHTS_FILE = "policy.safetensors"
DESCRIPTION_FILE = "policy.json"

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class PolicyDescription:
    """Everything beside the weights that decides what a policy computes.

    Attributes:
        network: sizes.
        sampler: schedule and steps.
        tasks: trained sentences, in the order of training.
        proprio: statistics ``[7]``.
        action: statistics ``[7]``.
    """

    network: NetworkConfig
    sampler: SamplerConfig
    tasks: tuple[str, ...]
    proprio: Statistics
    action: Statistics

    def __post_init__(self) -> None:
        Vocabulary(self.tasks)
        if len(self.proprio.mean) != PROPRIO_DIM or len(self.action.mean) != ACTION_DIM:
            raise ConfigError(
                "statistics have the wrong length",
                got=f"{len(self.proprio.mean)} and {len(self.action.mean)}",
                allowed=f"{PROPRIO_DIM} and {ACTION_DIM}",
            )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights (name -> float32 tensor), their description, and where they came from."""

    description: PolicyDescription
    weights: Mapping[str, Tensor]
    provenance: Mapping[str, Json]
    policy_id: str


def _canonical(description: PolicyDescription) -> bytes:
    return json.dumps(asdict(description), sort_keys=True, separators=(",", ":")).encode()


def _identity(description: PolicyDescription, weights: bytes) -> str:
    return hashlib.sha256(weights + _canonical(description)).hexdigest()


def _pack(weights: Mapping[str, Tensor]) -> bytes:
    ordered = {name: weights[name].detach().cpu().contiguous() for name in sorted(weights)}
    return bytes(save(ordered))


def make_checkpoint(
    description: PolicyDescription,
    weights: Mapping[str, Tensor],
    provenance: Mapping[str, Json] | None = None,
) -> Checkpoint:
    """A checkpoint in memory, with its id.

    Raises:
        CheckpointError: weights that do not fit the description.
    """
    _check_fit(description, weights)
    identity = _identity(description, _pack(weights))
    return Checkpoint(description, dict(weights), dict(provenance or {}), identity)


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write both files; each is replaced atomically and synced, the description last."""
    packed = _pack(checkpoint.weights)
    document = {
        "format": FORMAT,
        "policy_id": checkpoint.policy_id,
        "weights_sha256": hashlib.sha256(packed).hexdigest(),
        "description": asdict(checkpoint.description),
        "provenance": checkpoint.provenance,
    }
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    for name, data in ((WEIGHTS_FILE, packed), (DESCRIPTION_FILE, text.encode())):
        write_atomic(folder / name, data)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read and verify a checkpoint.

    Raises:
        CheckpointError: missing or damaged files, a newer format, weights that do not fit.
    """
    path = folder / DESCRIPTION_FILE
    for needed in (path, folder / WEIGHTS_FILE):
        if not needed.is_file():
            raise CheckpointError(
                "policy checkpoint is missing",
                got=str(needed),
                allowed=f"a folder with {WEIGHTS_FILE} and {DESCRIPTION_FILE}, or 'demo'",
                next_step="Check the path, or train one with: roboreward policy train --sim.",
            )
    try:
        document = json.loads(path.read_text())
        version = document["format"]
        if version != FORMAT:
            raise CheckpointError(
                "policy checkpoint has another format",
                got=version,
                allowed=FORMAT,
                next_step="Read it with the version of this package that wrote it.",
            )
        description = _parse(document["description"])
        packed = (folder / WEIGHTS_FILE).read_bytes()
        digest = hashlib.sha256(packed).hexdigest()
        if digest != document["weights_sha256"]:
            raise CheckpointError(
                f"{WEIGHTS_FILE} does not belong to {DESCRIPTION_FILE}",
                got=digest,
                allowed=document["weights_sha256"],
                next_step="Copy the whole folder again.",
            )
        weights = load(packed)
        provenance = dict(document["provenance"])
    except (
        OSError, ValueError, OverflowError, RecursionError, KeyError, TypeError, AttributeError,
        ConfigError, SafetensorError,
    ) as error:  # fmt: skip
        raise CheckpointError("policy checkpoint cannot be read", got=f"{path}: {error}") from error
    _check_fit(description, weights)
    return Checkpoint(description, weights, provenance, _identity(description, packed))


def _parse(raw: Mapping[str, Mapping[str, Json]]) -> PolicyDescription:
    network = _fields(NetworkConfig, raw["network"])
    channels = network.get("channels")
    if not isinstance(channels, list):
        raise ValueError("network.channels is not a list")
    return PolicyDescription(
        network=NetworkConfig(**{**network, "channels": tuple(channels)}),  # type: ignore[arg-type]
        sampler=SamplerConfig(**_fields(SamplerConfig, raw["sampler"])),  # type: ignore[arg-type]
        tasks=tuple(str(task) for task in raw["tasks"]),
        proprio=_statistics(raw["proprio"]),
        action=_statistics(raw["action"]),
    )


def _fields(kind: type, raw: Mapping[str, Json]) -> dict[str, Json]:
    names = {field.name for field in fields(kind)}
    if set(raw) != names:
        raise ValueError(f"{kind.__name__} has {sorted(raw)}, not {sorted(names)}")
    return dict(raw)


def _statistics(raw: Mapping[str, Json]) -> Statistics:
    values = _fields(Statistics, raw)
    mean, spread = values["mean"], values["spread"]
    if not (isinstance(mean, list) and isinstance(spread, list)):
        raise ValueError("statistics are not lists")
    return Statistics(
        tuple(float(x) for x in mean),  # type: ignore[arg-type]
        tuple(float(x) for x in spread),  # type: ignore[arg-type]
    )


def _check_fit(description: PolicyDescription, weights: Mapping[str, Tensor]) -> None:
    with torch.device("meta"):
        network = PolicyNetwork(description.network, len(Vocabulary(description.tasks).words))
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    got = {name: tuple(value.shape) for name, value in weights.items()}
    if wanted != got:
        odd = sorted(set(wanted.items()) ^ set(got.items()))[:4]
        raise CheckpointError(
            "weights do not fit the described network",
            got=f"differences such as {odd}",
            next_step="Load the weights with the description they were saved with.",
        )
    for name, value in weights.items():
        if not bool(torch.isfinite(value).all()):
            raise CheckpointError("weights are not finite", got=name)
