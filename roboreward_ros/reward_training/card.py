# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A finished model: weights, options it is used with, and where it came from."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
import yaml

from roboreward_ros.reward_training.config import ModelSize
from roboreward_ros.reward_training.model import save
from roboreward_ros.rewards.shipped import OPTIONS_FILE
from roboreward_ros.rewards.vlm.weights import Weights, fingerprint

CARD, PROVENANCE = "README.md", "training.json"
PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "mujoco")
HEADER = (
    "# SPDX-FileCopyrightText: 2026 The roboreward_ros authors\n"
    "# SPDX-License-Identifier: Apache-2.0\n"
)


def options_for(size: ModelSize) -> dict[str, object]:
    """What the reward source needs to show this model what it was trained on."""
    return {
        "sampling": "grid",
        "fps": 0.25,
        "min_frames": 2,
        "max_frames": 4,
        "frame_pixels": size.frame * size.frame,
        "order": "video_first",
        "rubric": "v2",
        "video_form": "bare",
        "dtype": "float32",
    }


def versions() -> dict[str, str]:
    """Of what decides the numbers."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def publish(
    weights: Weights, size: ModelSize, folder: Path, provenance: Mapping[str, object], text: str
) -> str:
    """Write the checkpoint folder in bfloat16, with options, provenance and card.

    Args:
        weights: as trained; the network is rounded to what is stored.
        size: of the network.
        folder: where to.
        provenance: data, command, metrics.
        text: body of the card, Markdown.

    Returns:
        Fingerprint of the weights.
    """
    weights.model.to(torch.bfloat16)
    save(weights, folder)
    weights.model.to(torch.float32)
    options = yaml.safe_dump(options_for(size), sort_keys=False)
    (folder / OPTIONS_FILE).write_text(
        f"{HEADER}# Options of the roboreward source that this model was trained on.\n{options}",
        encoding="utf-8",
    )
    digest = fingerprint(folder)
    record = {**provenance, "weights": digest, "versions": versions()}
    (folder / PROVENANCE).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (folder / CARD).write_text(
        f"# {folder.name}\n\nA small Qwen3-VL that scores episodes of the simulated twin, 1 to 5. "
        f"It knows the twin's scenes and {record.get('sentences', 'some')} sentences about them; "
        f"it says nothing about real pictures.\n\n{text}",
        encoding="utf-8",
    )
    return digest
