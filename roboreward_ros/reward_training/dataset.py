# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labelled clips on disk: shards of memory-mapped arrays, each written once and then only read.

A clip is the beginning of an episode up to some step, judged as if it ended there. One video is
judged under many sentences, so a label is a cell of (clip, sentence) and no row of its own; frames
that several clips of an episode share are stored once. Memory stays flat whatever the number.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.types import Float32Array, ImageU8, require_shape

FORMAT = 1
DESCRIPTION = "clips.json"
Int16Array = npt.NDArray[np.int16]
Int8Array = npt.NDArray[np.int8]
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the numbers of a data set mean; every shard of one set shares it.

    Attributes:
        sentences: instructions, in the order of the labels' columns.
        tasks: sentence that each episode's scene was laid out for, by number.
        origins: how an episode came about (``scripted``, ``policy`` ...), by number.
        swaps: relation of a sentence to the scene's own (``own``, ``goal`` ...), by number.
        things: objects whose positions the states hold.
        roles: for each task and sentence, number of the thing that is to be moved and of the one
            it is to go to; -1 where there is none, or it is not in that scene.
        projection: camera matrix, base frame (m) to homogeneous places in the picture, 0..1 from
            its left and upper edge, ``[3][4]``.
        control_hz: steps a second.
    """

    sentences: tuple[str, ...]
    tasks: tuple[str, ...]
    origins: tuple[str, ...]
    swaps: tuple[str, ...]
    things: tuple[str, ...]
    roles: tuple[tuple[tuple[int, int], ...], ...]
    projection: tuple[tuple[float, ...], ...]
    control_hz: float

    @property
    def state_size(self) -> int:
        """Numbers of a state: gripper xyz and opening, drawer, then 5 for each thing."""
        return 5 + 5 * len(self.things)


@dataclass(frozen=True, slots=True)
class Shard:
    """E episodes of F frames each, and C clips of them.

    Attributes:
        frames: ``[E, F, H, W, 3]`` uint8 RGB.
        steps: control step of every frame ``[E, F]`` int16.
        states: privileged state ``[E, F, D]`` float32: gripper x y z (m, base frame) and opening,
            drawer's opening (m), then x y z, held, touched by the robot for each thing; NaN where
            a thing is not in the scene.
        seeds: layout ``[E]`` int64.
        task: number of the scene's sentence ``[E]`` int8.
        origin: number of the origin ``[E]`` int8.
        episode: of each clip ``[C]`` int16.
        slots: frames that each clip shows, ascending, -1 behind the last ``[C, K]`` int8.
        labels: score 1..5 under each sentence ``[C, S]`` int8.
        swaps: relation of each sentence to the clip's scene ``[C, S]`` int8.
    """

    frames: ImageU8
    steps: Int16Array
    states: Float32Array
    seeds: Int64Array
    task: Int8Array
    origin: Int8Array
    episode: Int16Array
    slots: Int8Array
    labels: Int8Array
    swaps: Int8Array

    def __post_init__(self) -> None:
        episodes, frames = self.frames.shape[:2]
        clips = len(self.episode)
        require_shape("Shard.frames", self.frames, (None, None, None, None, 3))
        require_shape("Shard.steps", self.steps, (episodes, frames))
        require_shape("Shard.states", self.states, (episodes, frames, None))
        for name in ("seeds", "task", "origin"):
            require_shape(f"Shard.{name}", getattr(self, name), (episodes,))
        require_shape("Shard.slots", self.slots, (clips, None))
        require_shape("Shard.labels", self.labels, (clips, None))
        require_shape("Shard.swaps", self.swaps, self.labels.shape)
        if len(self.labels) and not (self.labels.min() >= 1 and self.labels.max() <= 5):
            raise ConfigError(
                "a label is out of range",
                got=f"{self.labels.min()}..{self.labels.max()}",
                allowed="1..5",
            )


def shard_name(index: int) -> str:
    """Folder of shard ``index``."""
    return f"shard-{index:05d}"


def write_vocabulary(folder: Path, vocabulary: Vocabulary) -> None:
    """Begin a data set; the same again is no change.

    Raises:
        FormatError: the folder holds clips with another vocabulary.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / DESCRIPTION
    if path.is_file():
        if read_vocabulary(folder) != vocabulary:
            raise FormatError(
                "these clips were made with other sentences or settings",
                got=str(folder),
                next_step="Give another folder, or delete this one.",
            )
        return
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"format": FORMAT, **asdict(vocabulary)}, indent=1))
    partial.replace(path)


def read_vocabulary(folder: Path) -> Vocabulary:
    """Raises FormatError where there is none, or a newer one."""
    path = folder / DESCRIPTION
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        version = raw.pop("format")
    except (OSError, ValueError, OverflowError, RecursionError, KeyError, AttributeError) as error:
        raise FormatError("no clips here", got=f"{path}: {error}") from None
    if version != FORMAT:
        raise FormatError("clips of another format", got=version, allowed=FORMAT)
    try:
        return Vocabulary(**{k: _frozen(v) for k, v in raw.items()})  # type: ignore[arg-type]
    except TypeError as error:
        raise FormatError("the clips' description is damaged", got=str(error)) from None


def _frozen(value: object) -> object:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def write_shard(folder: Path, index: int, shard: Shard) -> Path:
    """Write a shard under a temporary name, then give it its own: it is there whole or not."""
    final = folder / shard_name(index)
    partial = folder / f".{final.name}.partial"
    partial.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    for item in fields(Shard):
        values = np.ascontiguousarray(getattr(shard, item.name))
        np.save(partial / f"{item.name}.npy", values)
        digest.update(item.name.encode() + str(values.shape).encode())
        digest.update(values.tobytes())
    (partial / "sha256").write_text(digest.hexdigest())
    partial.rename(final)
    return final


def read_shard(path: Path) -> Shard:
    """A shard whose frames stay on disk until they are looked at.

    Raises:
        FormatError: a file is missing or damaged.
    """
    try:
        arrays = {
            item.name: np.load(
                path / f"{item.name}.npy",
                mmap_mode="r" if item.name == "frames" else None,
                allow_pickle=False,
            )
            for item in fields(Shard)
        }
        return Shard(**arrays)
    except (OSError, ValueError) as error:
        raise FormatError("a shard of clips cannot be read", got=f"{path}: {error}") from None


class ClipSet:
    """All finished shards of a folder as one list of clips.

    Args:
        folder: see ``write_vocabulary``.
        limit: use the first so many shards only; 0 for all.
    """

    def __init__(self, folder: Path, limit: int = 0) -> None:
        self.folder = folder
        self.vocabulary = read_vocabulary(folder)
        self._paths = sorted(folder.glob("shard-*"))[: limit or None]
        if not self._paths:
            raise FormatError("no finished shard of clips", got=str(folder))
        self.shards = [read_shard(path) for path in self._paths]
        counts = [len(shard.episode) for shard in self.shards]
        self.shard_of = np.repeat(np.arange(len(counts)), counts)
        self.row_of = np.concatenate([np.arange(count) for count in counts])
        self.labels: Int8Array = np.concatenate([shard.labels for shard in self.shards])
        self.swaps: Int8Array = np.concatenate([shard.swaps for shard in self.shards])
        self.task: Int8Array = self._of_episode("task")
        self.origin: Int8Array = self._of_episode("origin")

    def __len__(self) -> int:
        return len(self.row_of)

    @cached_property
    def is_whole(self) -> npt.NDArray[np.bool_]:
        """Whether each clip is its episode to the end ``[C]``."""
        found = []
        for shard in self.shards:
            last = _last_slot(shard.slots)
            end = shard.steps[shard.episode, last]
            found.append(end == shard.steps.max(axis=1)[shard.episode])
        return np.concatenate(found)

    @property
    def end_steps(self) -> Int16Array:
        """Last step of each clip ``[C]``."""
        return np.concatenate(
            [shard.steps[shard.episode, _last_slot(shard.slots)] for shard in self.shards]
        )

    def clip(self, index: int) -> tuple[ImageU8, Int16Array, Float32Array]:
        """Frames ``[n, H, W, 3]``, their steps ``[n]`` and states ``[n, D]`` of one clip."""
        shard = self.shards[int(self.shard_of[index])]
        row = int(self.row_of[index])
        slots = shard.slots[row][shard.slots[row] >= 0].astype(np.int64)
        episode = int(shard.episode[row])
        return (
            np.asarray(shard.frames[episode, slots]),
            shard.steps[episode, slots],
            shard.states[episode, slots],
        )

    def sha256(self) -> str:
        """Digest over the vocabulary and all shards, in order."""
        digest = hashlib.sha256((self.folder / DESCRIPTION).read_bytes())
        for path in self._paths:
            digest.update((path / "sha256").read_bytes())
        return digest.hexdigest()

    def _of_episode(self, name: str) -> Int8Array:
        return np.concatenate([getattr(shard, name)[shard.episode] for shard in self.shards])


def _last_slot(slots: Int8Array) -> Int64Array:
    count = (slots >= 0).sum(axis=1)
    last: Int64Array = slots[np.arange(len(slots)), count - 1].astype(np.int64)
    return last
