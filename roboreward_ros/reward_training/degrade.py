# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A deliberately worse copy of a reward model: how much of a gain survives a bad judge?"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

from roboreward_ros.episodes.locks import sync_directory, sync_tree
from roboreward_ros.errors import ConfigError

WEIGHTS, PROVENANCE = "model.safetensors", "training.json"


def degrade(model: Path, out: Path, noise: float, seed: int = 0) -> None:
    """Add normal noise to every matrix of a model.

    Args:
        model: folder with ``model.safetensors``.
        out: folder of the copy; must not exist.
        noise: standard deviation of the noise over that of the matrix.
        seed: of the noise.

    Raises:
        ConfigError: no such model, ``out`` exists, or a noise that is not positive.
    """
    import torch
    from safetensors.torch import load_file, save_file

    if not (math.isfinite(noise) and noise > 0):
        raise ConfigError("noise is out of range", got=noise, allowed="above 0")
    if not (model / WEIGHTS).is_file():
        raise ConfigError("no reward model in this folder", got=str(model), allowed=WEIGHTS)
    if out.exists():
        raise ConfigError("the folder exists already", got=str(out), next_step="Choose another.")
    rng = torch.Generator().manual_seed(seed)
    weights = load_file(model / WEIGHTS)
    for name in sorted(weights):
        matrix = weights[name]
        if matrix.ndim > 1:
            drawn = torch.randn(matrix.shape, generator=rng)
            worse = matrix.float() + noise * matrix.float().std() * drawn
            weights[name] = worse.to(matrix.dtype)
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(model, part)
    save_file(weights, part / WEIGHTS, metadata={"format": "pt"})
    described: dict[str, object] = {}
    if (part / PROVENANCE).is_file():
        described = json.loads((part / PROVENANCE).read_text(encoding="utf-8"))
        described.pop("metrics", None)  # they are the sound model's
    described["degraded"] = {"noise": noise, "seed": seed}
    (part / PROVENANCE).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    (part / "README.md").write_text(
        f"A deliberately degraded copy: noise {noise:g} of each matrix's spread, seed {seed}.\n",
        encoding="utf-8",
    )
    sync_tree(part)
    part.rename(out)
    sync_directory(out.parent)
