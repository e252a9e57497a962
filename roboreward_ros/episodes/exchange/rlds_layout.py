# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a TFDS folder says of itself: ``dataset_info.json`` and ``features.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import cast

from roboreward_ros.episodes.exchange.places import place_of
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.types.codec import JsonObject, JsonValue

INFO, FEATURES = "dataset_info.json", "features.json"
TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
STEPS = "steps"


class FeatureKind(StrEnum):
    """How a feature's values are stored."""

    NUMBERS = "numbers"  # flat floats or integers
    TEXT = "text"  # UTF-8
    IMAGE = "image"  # an encoded picture
    PACKED = "packed"  # numbers as raw or compressed bytes, by the feature's encoding


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One leaf of ``features.json``.

    Attributes:
        kind: how it is stored.
        shape: of one value, without the step axis; -1 where it is not fixed.
        dtype: name of the type of its numbers, such as ``float32``.
        encoding: of packed numbers (``bytes`` or ``zlib``) or pictures (``jpeg`` or ``png``).
    """

    kind: FeatureKind
    shape: tuple[int, ...]
    dtype: str
    encoding: str = ""


@dataclass(frozen=True, slots=True)
class Shard:
    """A record file and how many episodes it holds."""

    path: Path
    episodes: int


@dataclass(frozen=True, slots=True)
class Description:
    """A data set's header.

    Attributes:
        name: of the data set.
        version: of the data set.
        splits: shards by split.
        steps: features of a step by path, such as ``observation/image_0``.
        episode: features of the whole episode, such as ``episode_metadata/file_path``.
    """

    name: str
    version: str
    splits: Mapping[str, tuple[Shard, ...]]
    steps: Mapping[str, FeatureSpec]
    episode: Mapping[str, FeatureSpec]

    @property
    def cameras(self) -> tuple[str, ...]:
        """Step features that are colour pictures."""
        return tuple(
            name
            for name, spec in self.steps.items()
            if spec.kind is FeatureKind.IMAGE and spec.dtype == "uint8" and spec.shape[-1:] == (3,)
        )


def find_root(folder: Path) -> Path:
    """The folder with ``features.json``: itself, or its only version.

    Raises:
        ConfigError: none, or several versions.
    """
    if (folder / FEATURES).is_file():
        return folder
    found = sorted(path.parent for path in folder.glob(f"*/{FEATURES}"))
    if len(found) != 1:
        raise ConfigError(
            "which version shall be read?" if found else "no TFDS data set in this folder",
            got=[path.name for path in found] or str(folder),
            allowed=f"a folder with {INFO} and {FEATURES}",
            next_step="Name the version's folder, such as bridge_dataset/1.0.0.",
        )
    return found[0]


def read_description(folder: Path) -> Description:
    """Read both headers.

    Raises:
        ConfigError: no data set of episodes, or another file format than TFRecord.
        FormatError: a damaged header.
    """
    root = find_root(folder)
    info, features = _json(root / INFO), _json(root / FEATURES)
    kind = str(info.get("fileFormat") or "tfrecord")
    if kind != "tfrecord":
        raise ConfigError(f"{root}: file format", got=kind, allowed="tfrecord")
    try:
        name = str(info["name"])
        splits = {
            str(split["name"]): tuple(_shards(root, name, split))
            for split in cast("list[JsonObject]", info["splits"])
        }
        top = _children(features)
        if STEPS not in top:
            raise ConfigError(f"{root} holds no episodes of steps", got=sorted(top), allowed=STEPS)
        episode = {path: spec for path, spec in _leaves(features) if not _of_step(path)}
        steps = {
            path.removeprefix(f"{STEPS}/"): spec
            for path, spec in _leaves(features)
            if _of_step(path)
        }
    except (
        LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError
    ) as error:  # fmt: skip
        raise FormatError("the header of a TFDS data set is damaged", got=repr(error)) from None
    return Description(name, str(info.get("version", "")), splits, steps, episode)


def _of_step(path: str) -> bool:
    return path.startswith(f"{STEPS}/")


def _json(path: Path) -> JsonObject:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("no TFDS data set in this folder", got=str(path)) from None
    except (OSError, ValueError, OverflowError, RecursionError) as error:
        raise FormatError(f"{path} is damaged", got=str(error)) from None
    if not isinstance(found, dict):
        raise FormatError(f"{path} is no object", got=type(found).__name__)
    return cast("JsonObject", found)


def _shards(root: Path, name: str, split: JsonObject) -> list[Shard]:
    lengths = [int(cast("str", item)) for item in cast("list[JsonValue]", split["shardLengths"])]
    template = str(split.get("filepathTemplate") or TEMPLATE)
    shards = []
    for index, length in enumerate(lengths):
        place = place_of(
            root,
            template,
            DATASET=name,
            SPLIT=str(split["name"]),
            FILEFORMAT="tfrecord",
            SHARD_X_OF_Y=f"{index:05d}-of-{len(lengths):05d}",
            SHARD_INDEX=f"{index:05d}",
            NUM_SHARDS=f"{len(lengths):05d}",
        )
        shards.append(Shard(place, length))
    return shards


def _children(node: JsonObject) -> dict[str, JsonObject]:
    """Named features below a node; empty for a leaf."""
    inner = node.get("featuresDict")
    if isinstance(inner, dict):
        return cast("dict[str, JsonObject]", inner.get("features", {}))
    return {}


def _leaves(node: JsonObject, path: str = "") -> list[tuple[str, FeatureSpec]]:
    sequence = node.get("sequence")
    if isinstance(sequence, dict):  # steps, or a list in a step: one axis more, the same names
        return _leaves(cast("JsonObject", sequence["feature"]), path)
    children = _children(node)
    if "featuresDict" in node:
        found = []
        for name, child in children.items():
            found += _leaves(child, f"{path}/{name}" if path else name)
        return found
    return [(path, _leaf(node))]


def _leaf(node: JsonObject) -> FeatureSpec:
    for key, kind in (("image", FeatureKind.IMAGE), ("tensor", FeatureKind.NUMBERS)):
        inner = node.get(key)
        if isinstance(inner, dict):
            shape = inner.get("shape")
            sizes = shape.get("dimensions", []) if isinstance(shape, dict) else []
            dimensions = tuple(int(cast("str", size)) for size in cast("list[JsonValue]", sizes))
            dtype = str(inner.get("dtype") or ("uint8" if key == "image" else "float32"))
            coded = str(inner.get("encodingFormat" if key == "image" else "encoding") or "")
            if kind is FeatureKind.NUMBERS and coded not in ("", "none"):
                return FeatureSpec(FeatureKind.PACKED, dimensions, dtype, coded)
            if dtype in ("string", "object"):
                return FeatureSpec(FeatureKind.TEXT, dimensions, dtype)
            return FeatureSpec(kind, dimensions, dtype, "" if coded == "none" else coded)
    if "text" in node:
        return FeatureSpec(FeatureKind.TEXT, (), "string")
    return FeatureSpec(FeatureKind.NUMBERS, (), "int64")  # class labels and other scalars
