# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Videos of a data set on disk: written once, noted in a journal, kept in their rows' split."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from roboreward_ros.episodes.exchange.labelled_layout import SPLITS
from roboreward_ros.episodes.exchange.video import VideoWriter, probe
from roboreward_ros.episodes.locks import WriterLock
from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.reward_training.data.clip import Clip, draw
from roboreward_ros.reward_training.data.content import FramesHash, file_sha256
from roboreward_ros.types import ImageU8

JOURNAL, FORMAT = ".videos.jsonl", 1


@dataclass(frozen=True, slots=True)
class Made:
    """One video that is on disk: its name, content, frames and rate."""

    name: str
    sha256: str
    frames: int
    fps: float


def write_clip(clip: Clip, source: str, out: Path, max_pixels: int) -> Made:
    """Write a clip's video beside the splits; a file that fits is copied as it is."""
    folder = out / SPLITS[0] / slug(source)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / ".part.mp4"
    frames = iter(clip.frames())
    first = next(frames, None)
    if first is None:
        raise FormatError("a video has no frames", got=clip.id)
    small = not max_pixels or first.shape[0] * first.shape[1] <= max_pixels
    if clip.file is not None and clip.file.suffix == ".mp4" and small:
        found = probe(clip.file)
        shutil.copyfile(clip.file, part)
        made = Made("", file_sha256(part), found.frames, found.fps)
    else:
        content = FramesHash()
        with VideoWriter(part, clip.fps) as video:
            content.add(first)
            video.write(_fitted(first, max_pixels))
            for image in frames:
                content.add(image)
                video.write(_fitted(image, max_pixels))
        made = Made("", content.sha256, content.frames, clip.fps)
    name = f"{slug(source)}/{made.sha256[:20]}.mp4"
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(out / SPLITS[0] / name)
    return Made(name, made.sha256, made.frames, made.fps)


def _fitted(image: ImageU8, max_pixels: int) -> ImageU8:
    """With even sides and at most so many pixels."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    scale = min(1.0, (max_pixels / (height * width)) ** 0.5) if max_pixels else 1.0
    if scale < 1:
        size = (max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2))
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return image[: height // 2 * 2, : width // 2 * 2]


class Places:
    """In which split every video lies; a video is in one, whatever rows it has.

    Args:
        out: folder of the data set.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._splits: dict[int, str] = {}

    def put(self, name: str, split: str) -> str:
        """Bring a video into ``split`` from wherever an earlier run put it.

        Returns:
            Its split: that of its first row.

        Raises:
            StoreError: it is nowhere.
        """
        split = self._splits.setdefault(draw(0, name), split)
        target = self._out / split / name
        if target.is_file():
            return split
        for other in SPLITS:
            if (self._out / other / name).is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                (self._out / other / name).replace(target)
                return split
        raise StoreError(
            "a video of an earlier run is gone",
            got=name,
            next_step=f"Remove {self._out / JOURNAL}; every video is then written again.",
        )


class Journal:
    """Videos that are on disk, by source and id; one process writes a data set at a time.

    Args:
        out: folder of the data set.
        max_pixels: of its pictures; a folder keeps to one.

    Raises:
        ConfigError: the folder was made with another ``max_pixels``.
        FormatError: a damaged line.
        StoreError: another process writes here.
    """

    def __init__(self, out: Path, max_pixels: int) -> None:
        self._lock = WriterLock(out / ".lock", "the data set")
        self._path = out / JOURNAL
        self._made: dict[int, Made] = {}
        header = {"format": FORMAT, "max_pixels": max_pixels}
        whole = b""
        if self._path.exists():
            content = self._path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            self._read(whole.decode("utf-8"), header)
            if whole != content:  # a kill in the middle of a line
                with self._path.open("rb+") as file:
                    file.truncate(len(whole))
        self._file: IO[str] = self._path.open("a", encoding="utf-8")
        if not whole:
            self._append(header)

    def _read(self, text: str, header: dict[str, int]) -> None:
        for number, line in enumerate(text.splitlines(), 1):
            try:
                row = json.loads(line)
                if number == 1:
                    if row != header:
                        raise ConfigError(
                            f"{self._path} is of another run",
                            got=row,
                            allowed=header,
                            next_step="Choose another folder.",
                        )
                else:
                    made = Made(row["name"], row["sha256"], row["frames"], row["fps"])
                    self._made[int(row["key"])] = made
            except (ValueError, OverflowError, RecursionError, KeyError, TypeError) as error:
                raise FormatError(
                    f"{self._path}, line {number} is damaged", got=repr(error)
                ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._lock.release()

    def made(self, key: str, source: str) -> Made | None:
        return self._made.get(draw(0, f"{source}/{key}"))

    def note(self, key: str, source: str, made: Made) -> None:
        number = draw(0, f"{source}/{key}")
        self._made[number] = made
        self._append(
            {
                "key": number,
                "name": made.name,
                "sha256": made.sha256,
                "frames": made.frames,
                "fps": made.fps,
            }
        )

    def _append(self, row: dict[str, object] | dict[str, int]) -> None:
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def slug(text: str) -> str:
    """A folder's name for a source."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_")[:80] or "source"
