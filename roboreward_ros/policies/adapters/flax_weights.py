# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Flax's checkpoints: the container (msgpack, read as plain data) and the names inside.

A converted file keeps Flax's names and shapes; what torch calls and turns otherwise happens when
it is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgpack
import numpy as np
import numpy.typing as npt
from torch import Tensor

from roboreward_ros.errors import CheckpointError

Array = npt.NDArray[np.generic]
_NDARRAY, _SCALAR = 1, 3  # extension types of flax.serialization
_DTYPES = {"float32": np.float32, "float16": np.float16, "float64": np.float64}
_CHUNKED = "__msgpack_chunked_array__"


def read_flax(path: Path, subtree: tuple[str, ...]) -> dict[str, Array]:
    """Arrays below a node of a Flax checkpoint by their slash-joined names.

    Args:
        path: the file, or the folder of a checkpoint that has one called ``checkpoint``.
        subtree: names from the root down.

    Raises:
        CheckpointError: no such file, not msgpack, no such node, arrays stored elsewhere.
    """
    file = path / "checkpoint" if path.is_dir() else path
    try:
        tree = msgpack.unpackb(
            file.read_bytes(), ext_hook=_extension, raw=False, strict_map_key=False
        )
    except (
        OSError, ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException
    ) as error:  # fmt: skip
        raise CheckpointError(
            "Flax checkpoint cannot be read",
            got=f"{file}: {error}",
            allowed="a msgpack file as flax.training.checkpoints writes it",
            next_step="Where it was saved by Orbax, restore it there and write it with "
            "flax.serialization.to_bytes.",
        ) from error
    for name in subtree:
        if not isinstance(tree, dict) or name not in tree:
            got = sorted(map(str, tree)) if isinstance(tree, dict) else type(tree).__name__
            raise CheckpointError(f"Flax checkpoint has no {'/'.join(subtree)}", got=got)
        tree = tree[name]
    found: dict[str, Array] = {}
    try:
        _flatten(tree, "", found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError("Flax checkpoint is damaged", got=f"{file}: {error!r}") from None
    return found


def _extension(code: int, data: bytes) -> Array | msgpack.ExtType:
    if code not in (_NDARRAY, _SCALAR):
        return msgpack.ExtType(code, data)
    shape, kind, values = msgpack.unpackb(data, raw=False)
    array: Array = np.frombuffer(values, dtype=np.dtype(_DTYPES.get(kind, kind))).reshape(shape)
    return array


def _flatten(node: object, name: str, found: dict[str, Array]) -> None:
    if isinstance(node, dict) and _CHUNKED in node:
        chunks = [node["chunks"][key] for key in sorted(node["chunks"], key=int)]
        shape = [node["shape"][key] for key in sorted(node["shape"], key=int)]
        found[name] = np.concatenate(chunks).reshape(shape)
    elif isinstance(node, dict):
        for key, value in node.items():
            _flatten(value, f"{name}/{key}" if name else str(key), found)
    elif isinstance(node, np.ndarray):
        found[name] = node
    else:
        raise CheckpointError(
            "a Flax checkpoint keeps an array elsewhere",
            got=f"{name}: {node!r}"[:200],
            next_step="Restore it with Orbax and write it with flax.serialization.to_bytes.",
        )


def to_torch(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Flax's names and axes to torch's: kernels HWIO to OIHW and IO to OI, scale to weight."""
    turned: dict[str, Tensor] = {}
    for name, value in tensors.items():
        *parents, leaf = name.split("/")
        if leaf == "kernel":
            leaf = "weight"
            value = value.permute(3, 2, 0, 1) if value.ndim == 4 else value.mT
        elif leaf in ("scale", "embedding"):
            leaf = "weight"
        turned[".".join([*parents, leaf])] = value.contiguous()
    return turned
