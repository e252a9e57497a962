# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A diffusion transformer on disk: description, weights, and its text model beside them.

``transformer_policy.json``, ``transformer_policy.safetensors``, and ``text/`` where a pre-trained
model reads the sentences; ``provenance.json`` says where it came from and does not change its id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import save
from torch import Tensor

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.files import write_atomic
from roboreward_ros.policies.adapters.card import CARD_FILE
from roboreward_ros.policies.adapters.files import fit, identity, read_json, read_tensors, require
from roboreward_ros.policies.config import SamplerConfig
from roboreward_ros.policies.normalise import Statistics
from roboreward_ros.policies.recipe import read_section
from roboreward_ros.policies.transformer.config import TransformerConfig
from roboreward_ros.policies.transformer.network import TransformerNetwork
from roboreward_ros.policies.transformer.sentences import TEXT_FOLDER
from roboreward_ros.policies.transformer.vision import Json
from roboreward_ros.types import ACTION_DIM, PROPRIO_DIM, PolicySpec

FORMAT = 1
DESCRIPTION_FILE = "transformer_policy.json"
WEIGHTS_FILE = "transformer_policy.safetensors"
PROVENANCE_FILE = "provenance.json"
LISTED_TASKS = 256


@dataclass(frozen=True, slots=True)
class TransformerDescription:
    """Everything beside weights and text model that decides what a policy computes.

    Attributes:
        network: sizes.
        sampler: schedule and steps.
        tasks: trained sentences; those of an open vocabulary are not listed.
        sentence_width: V, what the text model gives.
        proprio, action: statistics, ``[7]`` each.
        vision: configuration of the pre-trained vision model; empty where there is none.
    """

    network: TransformerConfig
    sampler: SamplerConfig
    tasks: tuple[str, ...]
    sentence_width: int
    proprio: Statistics
    action: Statistics
    vision: Mapping[str, Json]

    def __post_init__(self) -> None:
        if not self.tasks and not self.network.open_vocabulary:
            raise ConfigError("a policy of a closed vocabulary names no task")
        if len(self.tasks) > LISTED_TASKS:
            raise ConfigError(
                "too many sentences for a closed vocabulary",
                got=len(self.tasks),
                allowed=f"{LISTED_TASKS}",
                next_step="Train with open_vocabulary: true and a text model.",
            )
        widths = (len(self.proprio.mean), len(self.action.mean))
        if widths != (PROPRIO_DIM, ACTION_DIM):
            raise ConfigError("statistics have the wrong length", got=widths, allowed="7 and 7")


def build(description: TransformerDescription) -> TransformerNetwork:
    """The described network, with weights of its own drawing."""
    return TransformerNetwork(
        description.network, description.sentence_width, description.vision or None
    )


def save_policy(
    folder: Path,
    description: TransformerDescription,
    weights: Mapping[str, Tensor],
    provenance: Mapping[str, Json],
) -> None:
    """Write all but the text model; each file appears whole, the description last."""
    ordered = {name: weights[name].detach().cpu().contiguous() for name in sorted(weights)}
    write_atomic(folder / WEIGHTS_FILE, save(ordered))
    write_provenance(folder, provenance)
    document = {"format": FORMAT, **asdict(description)}
    text = json.dumps(document, indent=1, sort_keys=True, default=str) + "\n"
    write_atomic(folder / DESCRIPTION_FILE, text)


def write_provenance(folder: Path, provenance: Mapping[str, Json]) -> None:
    """Say where a policy came from."""
    write_atomic(folder / PROVENANCE_FILE, json.dumps(provenance, indent=1, sort_keys=True) + "\n")


def read_description(folder: Path) -> TransformerDescription:
    """The description of a policy's folder.

    Raises:
        CheckpointError: missing, damaged, or of another format.
    """
    path = folder / DESCRIPTION_FILE
    raw = read_json(path)
    if raw.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} has another format",
            got=raw.get("format"),
            allowed=FORMAT,
            next_step="Read it with the version of this package that wrote it.",
        )
    try:
        return TransformerDescription(
            network=read_section(TransformerConfig, raw["network"], path),
            sampler=read_section(SamplerConfig, raw["sampler"], path),
            tasks=tuple(str(task) for task in cast("list[Json]", raw["tasks"])),
            sentence_width=int(cast("int", raw["sentence_width"])),
            proprio=_statistics(raw["proprio"]),
            action=_statistics(raw["action"]),
            vision=dict(cast("dict[str, Json]", raw["vision"])),
        )
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise CheckpointError(
            "policy description cannot be read", got=f"{path}: {error}"
        ) from error


def load_network(folder: Path, description: TransformerDescription) -> TransformerNetwork:
    """The trained network.

    Raises:
        CheckpointError: missing or damaged weights, or of another network.
    """
    weights = read_tensors(folder / WEIGHTS_FILE)
    with torch.random.fork_rng(devices=[]):
        network = build(description)
    fit(network, weights, "the diffusion transformer")
    return network


def describe(folder: Path) -> PolicySpec:
    """The policy's spec, without building its network.

    Raises:
        CheckpointError: missing or damaged files.
    """
    return spec_of(folder, read_description(folder))


def spec_of(folder: Path, description: TransformerDescription) -> PolicySpec:
    """The spec; its id is a hash over every file that decides what the policy does."""
    network = description.network
    require(folder, (DESCRIPTION_FILE, WEIGHTS_FILE))
    if (folder / CARD_FILE).is_file():
        raise CheckpointError(
            f"{CARD_FILE} is for policies of other frameworks",
            got=str(folder / CARD_FILE),
            next_step="Remove the file.",
        )
    text = sorted(path for path in (folder / TEXT_FOLDER).glob("*") if path.is_file())
    return PolicySpec(
        policy_id=identity([folder / DESCRIPTION_FILE, folder / WEIGHTS_FILE, *text]),
        prediction_horizon=network.prediction_horizon,
        chunk_size=network.chunk_size,
        feature_dim=network.feature_dim,
        image_size=network.image_size,
        control_hz=network.control_hz,
        tasks=() if network.open_vocabulary else description.tasks,
    )


def _statistics(raw: object) -> Statistics:
    values = cast("Mapping[str, list[float]]", raw)
    return Statistics(
        tuple(float(x) for x in values["mean"]), tuple(float(x) for x in values["spread"])
    )
