# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames to and from video files."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.types import ImageU8

CODEC, PIXELS = "libx264", "yuv420p"
OPTIONS = {"crf": "18", "g": "2"}  # a key frame every other frame: readers seek to single frames


class VideoWriter:
    """Writes one file frame by frame; use as a context manager.

    Args:
        path: of the file; its folder must exist.
        fps: rate, Hz.

    Raises:
        StoreError: the file cannot be written.
        ConfigError: a frame of another size, or with an odd side.
    """

    def __init__(self, path: Path, fps: float) -> None:
        import av

        self.path = path
        self.frames = 0
        try:
            self._container = av.open(str(path), "w")
        except OSError as error:
            raise StoreError("a video cannot be written", got=f"{path}: {error}") from None
        rate = Fraction(fps).limit_denominator(1001)
        self._stream = self._container.add_stream(CODEC, rate=rate, options=OPTIONS)
        self._stream.pix_fmt = PIXELS
        self._stream.codec_context.thread_count = 1
        self._size: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, image: ImageU8) -> None:
        """Append a frame ``[H, W, 3]`` uint8 RGB; H and W are even and never change."""
        import av

        height, width = image.shape[:2]
        if self._size is None:
            if height % 2 or width % 2:
                raise ConfigError("H.264 needs even sides", got=f"{width}x{height}")
            self._size = (height, width)
            self._stream.height, self._stream.width = height, width
        if (height, width) != self._size:
            raise ConfigError(
                "a video's frames change their size", got=(height, width), allowed=self._size
            )
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def close(self) -> None:
        """Finish the file; idempotent."""
        if self._container is not None:
            if self._size is not None:
                self._container.mux(self._stream.encode())
            self._container.close()
            self._container = None


def write_video(path: Path, frames: Iterable[ImageU8], fps: float) -> int:
    """A whole file; returns its number of frames."""
    with VideoWriter(path, fps) as video:
        for frame in frames:
            video.write(frame)
    return video.frames


def read_frames(path: Path, start_s: float = 0.0, count: int | None = None) -> Iterator[ImageU8]:
    """Frames ``[H, W, 3]`` uint8 RGB from ``start_s`` on, one in memory at a time.

    Raises:
        FormatError: no video, a damaged one, or fewer than ``count`` frames.
    """
    import av

    found = 0
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            half = 0.5 / float(stream.average_rate or 30)
            if start_s > 0 and stream.time_base is not None:
                container.seek(int(start_s / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if found == count:
                    break
                if frame.time is not None and frame.time < start_s - half:
                    continue
                found += 1
                yield frame.to_ndarray(format="rgb24")
    except (OSError, IndexError, AttributeError, ValueError, av.error.FFmpegError) as error:
        raise FormatError("a video cannot be read", got=f"{path}: {error}") from None
    if count is not None and found < count:
        raise FormatError(f"{path} ends early", got=f"{found} frames", allowed=f"{count} frames")


@dataclass(frozen=True, slots=True)
class Probe:
    """What a file holds: frames that really decode, and its nominal rate, Hz."""

    frames: int
    fps: float


def probe(path: Path) -> Probe:
    """Decode a file once and count.

    Raises:
        FormatError: as ``read_frames``, no frame, or fewer frames than its header announces.
    """
    import av

    frames = sum(1 for _ in read_frames(path))
    if not frames:
        raise FormatError("a video has no frames", got=str(path))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if frames < stream.frames:
            raise FormatError(
                f"{path} ends early", got=f"{frames} frames", allowed=f"{stream.frames} frames"
            )
        return Probe(frames, float(stream.average_rate or 30))


def nominal_rate(path: Path) -> float:
    """Rate of a file by its header, Hz; nothing is decoded.

    Raises:
        FormatError: no video, or one that does not say its rate.
    """
    import av

    try:
        with av.open(str(path)) as container:
            rate = float(container.streams.video[0].average_rate or 0)
    except (OSError, IndexError, AttributeError, ValueError, av.error.FFmpegError) as error:
        raise FormatError("a video cannot be read", got=f"{path}: {error}") from None
    if not rate > 0:
        raise FormatError("a video does not say its rate", got=str(path))
    return rate


def seconds(path: Path) -> float:
    """Length of a file by its header, s; 0 where it does not say.

    Raises:
        FormatError: no video.
    """
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            if stream.duration and stream.time_base is not None:
                return float(stream.duration * stream.time_base)
            return (container.duration or 0) / 1e6
    except (OSError, IndexError, AttributeError, ValueError, av.error.FFmpegError) as error:
        raise FormatError("a video cannot be read", got=f"{path}: {error}") from None


def write_beginning(source: Path, path: Path, end: float) -> int:
    """The first share ``end`` of a video as a file of its own; returns its frames, at least one.

    Odd sides lose a row or a column, since H.264 has none.
    """
    whole = probe(source)
    count = max(1, round(end * whole.frames))
    even = (
        image[: len(image) // 2 * 2, : image.shape[1] // 2 * 2] for image in read_frames(source)
    )
    return write_video(path, itertools.islice(even, count), whole.fps)
