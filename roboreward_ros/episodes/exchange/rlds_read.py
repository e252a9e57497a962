# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads Open X-Embodiment data sets: RLDS episodes in TFDS folders, without TensorFlow.

BridgeData's own conversion (``bridge_dataset``, ``bridge_orig``: ``observation/image_0``,
``language_instruction``) and the one in Open X-Embodiment (``bridge``: ``observation/image``,
``observation/natural_language_instruction``) are both such folders; so is every other of its
data sets. One episode is in memory at a time.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from roboreward_ros.episodes.exchange.rlds_layout import (
    STEPS,
    FeatureKind,
    FeatureSpec,
    Shard,
    read_description,
)
from roboreward_ros.episodes.exchange.tfrecord import Example, Values, read_records
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.types import ImageU8

Numbers = npt.NDArray[np.generic]
_LARGEST = 1 << 28
"""Bytes of one step's packed value; an array of 8 million numbers fits."""


@dataclass(frozen=True, slots=True)
class RldsEpisode:
    """One episode of T steps.

    Attributes:
        data: the record.
        dataset: where it is from.
        split: of the data set.
        index: its number in the split, over all shards.
    """

    data: Example
    dataset: RldsDataset
    split: str
    index: int

    @property
    def id(self) -> str:
        """Unique among all data sets: name, version, split and number."""
        about = self.dataset.description
        return f"{about.name}/{about.version}/{self.split}/{self.index:06d}"

    @property
    def length(self) -> int:
        """Number of steps T.

        Raises:
            FormatError: no feature that every step has exactly once.
        """
        for flag in ("is_first", "is_last"):
            if f"{STEPS}/{flag}" in self.data:
                return len(self.data.values(f"{STEPS}/{flag}"))
        for name, spec in self.dataset.description.steps.items():
            if spec.kind in (FeatureKind.IMAGE, FeatureKind.TEXT) and not _listed(spec):
                return len(self.data.values(f"{STEPS}/{name}"))
        raise FormatError(f"{self.data.where}: how many steps is it?", got=self.data.names)

    def array(self, name: str) -> Numbers:
        """A step feature ``[T, ...]`` in its own type.

        Raises:
            ConfigError: no such feature, or pictures or text.
            FormatError: another number of values than steps.
        """
        spec = self.dataset.step_feature(name)
        values = self.data.values(f"{STEPS}/{name}")
        if spec.kind is FeatureKind.PACKED:
            return _unpacked(values, spec, self._where(name))
        if spec.kind is not FeatureKind.NUMBERS:
            raise ConfigError(f"{self._where(name)} holds no numbers", got=spec.kind.value)
        length = self.length
        if not length or len(values) % length:
            raise FormatError(
                f"{self._where(name)}: values do not fit the steps", got=len(values), allowed=length
            )
        fixed = spec.shape if -1 not in spec.shape else (-1,)
        try:
            return np.asarray(values).astype(spec.dtype).reshape((length, *fixed))
        except (ValueError, TypeError, OverflowError) as error:
            raise FormatError(
                f"{self._where(name)} has another shape or type than announced",
                got=f"{len(values) // length} values a step: {str(error)[:200]}",
                allowed=f"{spec.dtype} {spec.shape}",
            ) from None

    def text(self, *names: str) -> str:
        """The first sentence in any of these step features; "" where all are empty or absent.

        Language-Table keeps its sentence as numbers of its bytes; that is read too.
        """
        for name in names:
            if f"{STEPS}/{name}" not in self.data or name not in self.dataset.description.steps:
                continue
            for sentence in self._texts(name):
                if sentence:
                    return sentence
        return ""

    def _texts(self, name: str) -> Iterator[str]:
        if self.dataset.step_feature(name).kind is FeatureKind.NUMBERS:
            for row in self.array(name).reshape(self.length, -1).astype(np.int64):
                yield bytes(row[row > 0].astype(np.uint8)).decode("utf-8", "replace").strip()
            return
        for value in self.data.values(f"{STEPS}/{name}"):
            if isinstance(value, bytes):
                yield value.decode("utf-8", "replace").strip()

    def encoded(self, name: str) -> Sequence[bytes]:
        """Pictures of a camera ``[T]`` as stored (JPEG or PNG).

        Raises:
            ConfigError: no such camera.
            FormatError: a step without a picture.
        """
        if name not in self.dataset.description.cameras:
            raise ConfigError(
                f"{self.dataset.description.name}: no such camera",
                got=name,
                allowed=self.dataset.description.cameras,
            )
        found = [
            value
            for value in self.data.values(f"{STEPS}/{name}")
            if isinstance(value, bytes) and value
        ]
        if len(found) != self.length:
            raise FormatError(
                f"{self._where(name)}: steps without a picture",
                got=f"{len(found)} pictures",
                allowed=f"{self.length} steps",
            )
        return found

    def frames(self, name: str) -> Iterator[ImageU8]:
        """Pictures of a camera, ``[H, W, 3]`` uint8 RGB, oldest first.

        Raises:
            ConfigError, FormatError: as ``encoded``, or a picture that cannot be decoded.
        """
        from PIL import Image

        for step, data in enumerate(self.encoded(name)):
            try:
                with Image.open(io.BytesIO(data)) as picture:
                    yield np.asarray(picture.convert("RGB"))
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                raise FormatError(
                    f"{self._where(name)}, step {step} cannot be decoded", got=str(error)
                ) from None

    def episode_text(self, name: str) -> str:
        """A text of the whole episode, such as ``episode_metadata/file_path``; "" if absent."""
        if name not in self.data:
            return ""
        found = self.data.values(name)
        first = found[0] if len(found) else b""
        return first.decode("utf-8", "replace").strip() if isinstance(first, bytes) else str(first)

    def _where(self, name: str) -> str:
        return f"{self.data.where}, '{name}'"


class RldsDataset:
    """A data set on disk.

    Args:
        root: folder with ``features.json``, or its parent where there is one version.

    Raises:
        ConfigError: no such data set.
        FormatError: a damaged header.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.description = read_description(root)

    def step_feature(self, name: str) -> FeatureSpec:
        """Description of a step's feature; raises ConfigError with the names there are."""
        found = self.description.steps.get(name)
        if found is None:
            raise ConfigError(
                f"{self.description.name}: no such step feature",
                got=name,
                allowed=sorted(self.description.steps),
            )
        return found

    def count(self, split: str = "train") -> int:
        """Episodes of a split, as announced."""
        return sum(shard.episodes for shard in self._shards(split))

    def episodes(
        self,
        split: str = "train",
        on_damage: Callable[[FormatError], object] | None = None,
    ) -> Iterator[RldsEpisode]:
        """All episodes of a split, in order.

        Args:
            split: such as ``train``.
            on_damage: told of a missing or damaged file; the rest of that file is left out.
                Without it the first damage is raised.

        Raises:
            ConfigError: no such split.
            FormatError: a file is missing, damaged, or holds another number of episodes.
        """
        first = 0
        for shard in self._shards(split):
            found = 0
            try:
                for data in read_records(shard.path):
                    where = f"{shard.path.name}, record {found}"
                    yield RldsEpisode(Example(data, where), self, split, first + found)
                    found += 1
                if found != shard.episodes:
                    raise FormatError(
                        f"{shard.path.name} holds another number of episodes than announced",
                        got=found,
                        allowed=shard.episodes,
                    )
            except FormatError as error:
                if on_damage is None:
                    raise
                on_damage(error)
            first += shard.episodes

    def _shards(self, split: str) -> Sequence[Shard]:
        shards = self.description.splits.get(split)
        if shards is None:
            raise ConfigError(
                f"{self.description.name}: no such split",
                got=split,
                allowed=sorted(self.description.splits),
            )
        return shards


def _listed(spec: FeatureSpec) -> bool:
    """Whether a step holds several values of this kind."""
    return spec.kind is FeatureKind.TEXT and bool(spec.shape)


def _unpacked(values: Values, spec: FeatureSpec, where: str) -> Numbers:
    rows = []
    for value in values:
        if not isinstance(value, bytes):
            raise FormatError(f"{where} is not packed as announced", got=type(value).__name__)
        try:
            data = _inflated(value) if spec.encoding == "zlib" else value
            rows.append(np.frombuffer(data, spec.dtype).reshape(spec.shape))
        except (ValueError, TypeError, zlib.error) as error:
            raise FormatError(f"{where} cannot be unpacked", got=str(error)) from None
    return np.array(rows)


def _inflated(value: bytes) -> bytes:
    """Raises ValueError for what grows beyond all measure: a few bytes can stand for gigabytes."""
    inflater = zlib.decompressobj()
    data = inflater.decompress(value, _LARGEST)
    if inflater.unconsumed_tail:
        raise ValueError(f"more than {_LARGEST} bytes when unpacked")
    if not inflater.eof:
        raise ValueError("it ends early")
    return data
