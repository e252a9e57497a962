# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of labelled videos that are looked at, decoded once and kept as files.

What is kept are the very bytes that a reward source would look at when it scores the video, so a
model is trained on what it will see.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roboreward_ros.errors import FormatError, RewardSourceError, RoboRewardError
from roboreward_ros.files import write_atomic
from roboreward_ros.reward_training.data.content import file_sha256
from roboreward_ros.rewards.video_file import read_video

FORMAT = 1


@dataclass(frozen=True, slots=True)
class VideoFrames:
    """Kept frames of one video.

    Attributes:
        count: frames of the whole video, as a source would get them.
        hz: their rate.
        images: encoded frames by index.
    """

    count: int
    hz: float
    images: dict[int, bytes]

    def at(self, indices: Sequence[int]) -> list[bytes]:
        """Encoded frames, in this order."""
        return [self.images[index] for index in indices]


Choice = Callable[[int, float], Sequence[int]]
"""Indices to keep of so many frames at such a rate (Hz)."""


class FrameStore:
    """Kept frames by the video file's sha256.

    Args:
        folder: of the files.
        choice: which frames are looked at.
        name: of the choice; frames kept for another one are not used.
    """

    def __init__(self, folder: Path, choice: Choice, name: str) -> None:
        self._folder = folder / hashlib.sha256(f"{FORMAT} {name}".encode()).hexdigest()[:12]
        self._choice = choice

    def keep(
        self,
        paths: Sequence[Path],
        workers: int = 1,
        *,
        keep_going: bool = False,
        on_done: Callable[[int, int], object] = lambda _done, _total: None,
    ) -> tuple[dict[Path, str], list[str]]:
        """Decode what is not there yet.

        Args:
            paths: videos; files with the same bytes are decoded once.
            workers: threads.
            keep_going: leave videos out that cannot be read, and name them.
            on_done: told of videos done and in all.

        Returns:
            sha256 of every readable video, and a sentence on each other one.

        Raises:
            RewardSourceError: a video cannot be read (unless ``keep_going``).
        """
        unique = sorted(set(paths))
        found: dict[Path, str] = {}
        problems: list[str] = []
        with ThreadPoolExecutor(workers) as pool:
            for done, (path, result) in enumerate(
                zip(unique, pool.map(self._keep, unique), strict=True), 1
            ):
                if isinstance(result, str):
                    found[path] = result
                elif keep_going:
                    problems.append(str(result))
                else:
                    pool.shutdown(wait=True, cancel_futures=True)
                    raise result
                on_done(done, len(unique))
        return found, problems

    def _keep(self, path: Path) -> str | RoboRewardError:
        sha256 = file_sha256(path)
        place = self._place(sha256)
        if place.is_file():
            return sha256
        try:
            request = read_video(path, "keep")
        except RoboRewardError as error:
            return error
        count, hz = len(request.frames), request.control_hz
        if count < 2:
            return RewardSourceError("the video is too short to be judged", got=f"{path}: 1 frame")
        kept = sorted(set(self._choice(count, hz)))
        images = [request.frames[index] for index in kept]
        buffer = io.BytesIO()
        np.savez(
            buffer,
            count=np.int64(count),
            hz=np.float64(hz),
            indices=np.array(kept, np.int64),
            ends=np.cumsum([len(image) for image in images]),
            data=np.frombuffer(b"".join(images), np.uint8),
        )
        write_atomic(place, buffer.getvalue())
        return sha256

    def read(self, sha256: str) -> VideoFrames:
        """Frames of a kept video; raises FormatError for a damaged file."""
        place = self._place(sha256)
        try:
            with np.load(place, allow_pickle=False) as content:
                data, ends = content["data"].tobytes(), content["ends"].tolist()
                indices = content["indices"].tolist()
                starts = [0, *ends[:-1]]
                images = {
                    index: data[start:end]
                    for index, start, end in zip(indices, starts, ends, strict=True)
                }
                return VideoFrames(int(content["count"]), float(content["hz"]), images)
        except (OSError, ValueError, KeyError) as error:
            raise FormatError(
                "kept frames cannot be read",
                got=f"{place}: {error}",
                next_step="Delete the file; it is made again.",
            ) from None

    def _place(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / f"{sha256}.npz"
