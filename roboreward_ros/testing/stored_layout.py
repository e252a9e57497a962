# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints made from a list of names and shapes, with numbers that anybody can draw again.

A file of layouts says which tensors a framework saves and what the framework itself made of these
numbers; so an adapter is held to its upstream without the upstream being installed.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from roboreward_ros.types import PROPRIO_DIM, Float32Array, FloatArray, ImageU8

Layout = dict[str, object]


def load_layout(path: Path) -> Layout:
    """The stored description of one framework's checkpoint."""
    layout: Layout = json.loads(path.read_text())
    return layout


def draw(name: str, shape: Sequence[int], gain: float = 1.0) -> Float32Array:
    """The numbers of a tensor, by its name: weights keep activations near unit size.

    Args:
        name: of the tensor.
        shape: of the tensor.
        gain: of tensors with more than one axis.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    values = rng.standard_normal(tuple(shape))
    if name.endswith("running_var"):
        values = 1 + 0.2 * np.tanh(values)
    elif len(shape) > 1:
        values *= gain / math.sqrt(math.prod(shape[1:]))
    elif name.endswith(("weight", "scale")):
        values = 1 + 0.1 * values
    else:
        values *= 0.1
    return values.astype(np.float32)


def draw_all(tensors: Mapping[str, Sequence[int]], gain: float = 1.0) -> dict[str, Float32Array]:
    """Every tensor of a layout."""
    return {name: draw(name, shape, gain) for name, shape in tensors.items()}


def observations(rows: int, height: int, width: int) -> tuple[list[ImageU8], FloatArray]:
    """Pictures ``[H, W, 3]`` and proprioception ``[rows, 7]`` that every comparison uses."""
    rng = np.random.default_rng(5)
    pictures = [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(rows)]
    return pictures, rng.normal(0, 0.1, (rows, PROPRIO_DIM))


def write_lerobot(layout: Layout, folder: Path) -> None:
    """A folder as lerobot saves a diffusion policy with its processors."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = layout["tensors"]
    files = layout["files"]
    if not isinstance(tensors, dict) or not isinstance(files, dict):
        raise TypeError("the layout is damaged")
    save_file(draw_all(tensors), str(folder / "model.safetensors"))
    for name, content in files.items():
        if name.endswith(".json"):
            (folder / name).write_text(json.dumps(content, indent=1))
        else:
            arrays = {key: np.array(value, np.float32) for key, value in content.items()}
            save_file(arrays, str(folder / name))
