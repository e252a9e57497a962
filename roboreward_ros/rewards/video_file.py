# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A video file as something to score: thinned, shrunk and encoded frame by frame.

Reward models are trained on about ten small frames a second, so a long 4K recording is brought to
that while it is decoded; never more than one full frame is in memory.
"""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.types import RewardRequest

_JPEG_QUALITY = 95
_ROUNDING = 1e-6  # s, of container time stamps


@dataclass(frozen=True, slots=True)
class VideoFileConfig:
    """How a file is brought into the form of a recorded episode.

    Attributes:
        fps: most frames a second to keep; a slower file keeps its own rate.
        max_frames: most frames to keep; a longer file is thinned further, evenly.
        max_pixels: bound of height * width of a kept frame, aspect kept.
    """

    fps: float = 10.0
    max_frames: int = 4096
    max_pixels: int = 512 * 512

    def __post_init__(self) -> None:
        if not (math.isfinite(self.fps) and 0.1 <= self.fps <= 240):
            raise ConfigError("fps is out of range", got=self.fps, allowed="0.1..240")
        if self.max_frames < 2:
            raise ConfigError("max_frames is too small", got=self.max_frames, allowed=">= 2")
        if self.max_pixels < 1024:
            raise ConfigError("max_pixels is too small", got=self.max_pixels, allowed=">= 1024")


def read_video(
    path: Path, task: str, config: VideoFileConfig | None = None, episode_id: str = ""
) -> RewardRequest:
    """The request for one file; its first and its true last frame are always in it.

    Args:
        path: any container and codec that FFmpeg decodes.
        task: the sentence.
        config: see ``VideoFileConfig``.
        episode_id: name in messages; the file's by default.

    Raises:
        ConfigError: no such file, or an empty task.
        RewardSourceError: no video in it, or it ends in the middle of the data.
    """
    if not task.strip():
        raise ConfigError(
            "the task is empty", got=repr(task), next_step="Say in a sentence what was to be done."
        )
    if not path.is_file():
        raise ConfigError(
            "there is no such video",
            got=str(path),
            allowed="a video file, or RUN/episodes/ID",
            next_step="Check the path.",
        )
    frames, times_s, rate = _decode(path, config or VideoFileConfig())
    return RewardRequest(
        episode_id=episode_id or path.stem,
        task=task.strip(),
        frames=frames,
        stamps_ns=[round(time_s * 1e9) for time_s in times_s],
        control_hz=rate,
        seed=int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:4], "big"),
    )


def _decode(path: Path, config: VideoFileConfig) -> tuple[list[bytes], list[float], float]:
    """Kept frames, their times from the first one (s), and their rate (Hz)."""
    import av
    from PIL import Image

    frames: list[bytes] = []
    times_s: list[float] = []
    size: tuple[int, int] | None = None

    def encode(picture: Image.Image) -> bytes:
        nonlocal size
        if size is None:
            scale = min(1.0, math.sqrt(config.max_pixels / (picture.width * picture.height)))
            size = (
                max(1, round(picture.width * scale)),
                max(1, round(picture.height * scale)),
            )
        if picture.size != size:
            picture = picture.resize(size, Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
        return buffer.getvalue()

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise RewardSourceError("there is no video in this file", got=str(path))
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            own = float(stream.average_rate or 0) or 30.0
            rate = min(own, config.fps)
            count, start = 0, 0.0
            last = None
            for frame in container.decode(stream):
                time_s = frame.time if frame.time is not None else count / own
                if count == 0:
                    start = time_s
                count += 1
                last = (frame, time_s - start)
                if time_s - start + _ROUNDING < len(frames) / rate:
                    continue
                if len(frames) == config.max_frames:
                    frames, times_s, rate = frames[::2], times_s[::2], rate / 2
                    if time_s - start + _ROUNDING < len(frames) / rate:
                        continue
                frames.append(encode(frame.to_image()))
                times_s.append(time_s - start)
            if last is None:
                raise RewardSourceError("the video has no frames", got=str(path))
            if last[1] > times_s[-1] + _ROUNDING:
                if len(frames) == config.max_frames:
                    frames.pop()
                    times_s.pop()
                frames.append(encode(last[0].to_image()))
                times_s.append(last[1])
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise RewardSourceError(
            "the video cannot be decoded",
            got=f"{path}: {error}",
            next_step="Play it with ffplay; a file that was cut off must be recorded again.",
        ) from None
    return frames, times_s, rate
