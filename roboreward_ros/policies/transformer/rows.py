# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Demonstrations on disk as rows that can be read in any order: one row per control step.

A data set is streamed through once: pictures are shrunk as the policy will shrink them and kept as
JPEG in one file, numbers in flat files. Training then maps these files, so that its memory stays
the same for ten episodes and for BridgeData's two million rows, every batch is a true shuffle, and
what a step sees depends on its number alone.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.files import write_atomic
from roboreward_ros.types import (
    ACTION_DIM,
    PROPRIO_DIM,
    Float32Array,
    FloatArray,
    ImageU8,
    require_shape,
)

FORMAT = 1
HEADER_FILE = "rows.json"
QUALITY = 95
_JPEG = [
    cv2.IMWRITE_JPEG_QUALITY, QUALITY,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]  # fmt: skip
Number = TypeVar("Number", bound=np.generic)


class Actions(StrEnum):
    """Which actions are cloned."""

    STORED = "stored"  # the data set's own
    REACHED = "reached"  # from where the arm was a step later, as BridgeData's policies are trained


@dataclass(frozen=True, slots=True)
class EpisodeRows:
    """One episode of T rows.

    Attributes:
        task: the sentence.
        frames: pictures ``[H, W, 3]`` uint8 RGB, T of them; read once.
        proprio: ``[T, 7]``.
        actions: ``[T, 7]``, base-frame deltas and an absolute gripper, 1 open.
    """

    task: str
    frames: Iterable[ImageU8]
    proprio: FloatArray
    actions: FloatArray

    def __post_init__(self) -> None:
        require_shape("proprio", self.proprio, (len(self.actions), PROPRIO_DIM))
        require_shape("actions", self.actions, (None, ACTION_DIM))


def reached_actions(proprio: FloatArray, actions: FloatArray) -> FloatArray:
    """Actions ``[T - 1, 7]`` by what the arm did: differences of state, the stored gripper.

    Angles are taken the short way round. The last row has no successor and goes.
    """
    moved = np.diff(proprio[:, :6], axis=0)
    moved[:, 3:] = (moved[:, 3:] + np.pi) % (2 * np.pi) - np.pi
    return np.concatenate([moved, actions[:-1, 6:]], axis=1)


class RowWriter:
    """Writes a store beside its final place; ``close`` makes it visible.

    Args:
        folder: of the store; replaced.
        key: what decided the store's content, for whoever finds it later.
        image_size: side that pictures are shrunk to, px.
        actions: see ``Actions``.
    """

    def __init__(self, folder: Path, key: str, image_size: int, actions: Actions) -> None:
        self._folder, self._part = folder, folder.with_name(f"{folder.name}.part")
        shutil.rmtree(self._part, ignore_errors=True)
        self._part.mkdir(parents=True)
        self._key, self._size, self._actions = key, image_size, actions
        self._files: dict[str, IO[bytes]] = {
            name: (self._part / name).open("wb")
            for name in ("frames", "ends", "proprio", "actions")
        }
        self._hash = hashlib.sha256(f"{key}\n".encode())
        self._tasks: dict[str, int] = {}
        self._episodes: list[tuple[int, int]] = []
        self._bytes = 0
        self.rows = 0

    @property
    def episodes(self) -> int:
        """Written so far."""
        return len(self._episodes)

    def add(self, episode: EpisodeRows) -> None:
        """Append an episode.

        Raises:
            ConfigError: no sentence, values that are not finite, or too few rows.
            FormatError: another number of pictures than rows.
        """
        proprio, actions = episode.proprio, episode.actions
        if self._actions is Actions.REACHED:
            actions = reached_actions(proprio, actions)
            proprio = proprio[:-1]
        if not episode.task.strip() or not len(actions):
            raise ConfigError(
                "an episode without sentence or rows", got=(episode.task, len(actions))
            )
        if not (np.isfinite(proprio).all() and np.isfinite(actions).all()):
            raise ConfigError("an episode's numbers are not finite", got=episode.task)
        seen = 0
        for image in episode.frames:
            seen += 1
            if seen <= len(actions):
                self._picture(image)
        if seen != len(episode.actions):
            raise FormatError(
                "pictures and rows of an episode differ", got=seen, allowed=len(episode.actions)
            )
        self._put("proprio", proprio.astype("<f4").tobytes())
        self._put("actions", actions.astype("<f4").tobytes())
        self.rows += len(actions)
        task = self._tasks.setdefault(episode.task, len(self._tasks))
        self._episodes.append((self.rows, task))

    def close(self) -> None:
        """Make the store visible.

        Raises:
            ConfigError: nothing was written.
        """
        for file in self._files.values():
            file.close()
        if not self.rows:
            raise ConfigError("the data set has no row to learn from", got=self._key)
        header = {
            "format": FORMAT,
            "key": self._key,
            "image_size": self._size,
            "tasks": list(self._tasks),
            "episodes": self._episodes,
            "sha256": self._hash.hexdigest(),
        }
        write_atomic(self._part / HEADER_FILE, json.dumps(header))
        shutil.rmtree(self._folder, ignore_errors=True)
        self._part.replace(self._folder)

    def abort(self) -> None:
        """Leave nothing behind."""
        for file in self._files.values():
            file.close()
        shutil.rmtree(self._part, ignore_errors=True)

    def _picture(self, image: ImageU8) -> None:
        require_shape("image", image, (None, None, 3))
        small = cv2.resize(image, (self._size, self._size), interpolation=cv2.INTER_AREA)
        done, jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), _JPEG)
        if not done:
            raise FormatError("a picture cannot be encoded", got=image.shape)
        self._bytes += len(jpeg)
        self._put("frames", jpeg.tobytes())
        self._put("ends", np.int64(self._bytes).astype("<i8").tobytes())

    def _put(self, name: str, data: bytes) -> None:
        self._files[name].write(data)
        self._hash.update(data)


class RowStore:
    """N rows, mapped from disk.

    Args:
        folder: that a ``RowWriter`` wrote.

    Raises:
        FormatError: missing, damaged, or of another format.
    """

    def __init__(self, folder: Path) -> None:
        try:
            header = json.loads((folder / HEADER_FILE).read_text())
            if header["format"] != FORMAT:
                raise FormatError("a row store of another format", got=header["format"])
            self.key = str(header["key"])
            self.image_size = int(header["image_size"])
            self.tasks = tuple(str(task) for task in header["tasks"])
            self.sha256 = str(header["sha256"])
            table = np.array(header["episodes"], np.int64).reshape(-1, 2)
            self.ends: npt.NDArray[np.int64] = table[:, 0]
            rows = int(self.ends[-1])
            self.proprio: Float32Array = _mapped(
                folder / "proprio", np.float32, (rows, PROPRIO_DIM)
            )
            self.actions: Float32Array = _mapped(folder / "actions", np.float32, (rows, ACTION_DIM))
            self._frame_ends = _mapped(folder / "ends", np.int64, (rows,))
            self._frames = _mapped(folder / "frames", np.uint8, (int(self._frame_ends[-1]),))
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            raise FormatError(
                "prepared rows cannot be read",
                got=f"{folder}: {error!r}",
                next_step="Delete the folder: it is made again from the data set.",
            ) from None
        lengths = np.diff(self.ends, prepend=0)
        self.task: npt.NDArray[np.int64] = np.repeat(table[:, 1], lengths)
        self.episode: npt.NDArray[np.int64] = np.repeat(np.arange(len(table)), lengths)

    def __len__(self) -> int:
        return len(self.task)

    def picture(self, row: int) -> ImageU8:
        """``[S, S, 3]`` uint8 RGB.

        Raises:
            FormatError: a damaged picture.
        """
        start = int(self._frame_ends[row - 1]) if row else 0
        image = cv2.imdecode(self._frames[start : int(self._frame_ends[row])], cv2.IMREAD_COLOR)
        if image is None or image.shape != (self.image_size, self.image_size, 3):
            raise FormatError("a prepared picture cannot be decoded", got=f"row {row}")
        rgb: ImageU8 = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        return rgb

    def chunks(
        self, rows: npt.NDArray[np.int64], horizon: int
    ) -> tuple[Float32Array, npt.NDArray[np.bool_]]:
        """Actions from each row on ``[B, P, 7]``, and which of them the episode holds ``[B, P]``.

        Beyond its end stand zero deltas and the last gripper command.
        """
        wanted = rows[:, None] + np.arange(horizon)
        last = self.ends[self.episode[rows]][:, None] - 1
        held = wanted <= last
        chunk: Float32Array = self.actions[np.minimum(wanted, last)]
        chunk[..., :6] *= held[..., None]
        return chunk, held


def split_episodes(
    store: RowStore, share: float, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows to learn from and rows to judge by; no episode is in both.

    Args:
        store: the rows.
        share: of the episodes that is held out; at least one where it is above 0.
        seed: of the choice.

    Raises:
        ConfigError: nothing would be left to learn from.
    """
    count = len(store.ends)
    held = max(1, round(share * count)) if share > 0 else 0
    if held >= count:
        raise ConfigError(
            "too few episodes to hold one out",
            got=count,
            allowed="two and more",
            next_step="Set validation: 0 in the recipe, or give more data.",
        )
    chosen = np.random.default_rng((seed, 7)).permutation(count)[:held]
    out = np.isin(store.episode, chosen)
    return np.flatnonzero(~out), np.flatnonzero(out)


def check_key(store: RowStore, key: str, folder: Path) -> None:
    """Refuse rows that were prepared from something else.

    Raises:
        ConfigError: says both.
    """
    if store.key != key:
        raise ConfigError(
            f"{folder} holds other rows",
            got=store.key,
            allowed=key,
            next_step="Give another --out, or delete the folder.",
        )


def _mapped(path: Path, dtype: type[Number], shape: Sequence[int]) -> npt.NDArray[Number]:
    found: npt.NDArray[Number] = np.memmap(path, dtype=dtype, mode="r", shape=tuple(shape))
    wanted = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if path.stat().st_size != wanted:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes, not {wanted}")
    return found
