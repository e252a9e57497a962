# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which frames of an episode a model sees, and their pixels.

Two ways to choose. ``uniform_n`` spreads a number of frames over the episode, as the authors of
RoboReward (arXiv 2601.00675) do; every new frame changes the choice. ``grid`` takes frames at fixed
times from the start, so that what was chosen stays; the true last frame comes behind it, as a tail
that the next frame replaces. Both keep the last frame, because the rubric judges the final state.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.types import ImageU8

MAX_SOURCE_PIXELS = 64_000_000
"""Larger images are refused before they are decoded."""


class Sampling(StrEnum):
    UNIFORM_N = "uniform_n"
    GRID = "grid"


@dataclass(frozen=True, slots=True)
class ClipConfig:
    """How frames are chosen and sized.

    Attributes:
        sampling: see the module.
        fps: frames a second of episode time.
        min_frames: of ``uniform_n``; a shorter episode gives all it has.
        max_frames: never more. A longer episode on the ``grid`` has its rate halved until it fits.
        frame_pixels: upper bound of height * width of every frame, whatever their number.
    """

    sampling: Sampling = Sampling.UNIFORM_N
    fps: float = 2.0
    min_frames: int = 4
    max_frames: int = 32
    frame_pixels: int = 65_536

    def __post_init__(self) -> None:
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise ConfigError("fps is not a positive number", got=self.fps, allowed="> 0")
        if not 1 <= self.min_frames <= self.max_frames:
            raise ConfigError(
                "min_frames and max_frames do not fit together",
                got=f"{self.min_frames} and {self.max_frames}",
                allowed="1 <= min_frames <= max_frames",
            )
        if self.max_frames < 2:
            raise ConfigError("max_frames is too small", got=self.max_frames, allowed=">= 2")
        if self.frame_pixels < 1024:
            raise ConfigError("frame_pixels is too small", got=self.frame_pixels, allowed=">= 1024")


@dataclass(frozen=True, slots=True)
class Selection:
    """Chosen frames, ascending.

    Attributes:
        indices: into the episode's frames.
        times_s: seconds since the episode's first frame.
        seconds_per_frame: nominal distance of two frames, s.
        stable: how many from the front stay as they are when the episode goes on.
    """

    indices: tuple[int, ...]
    times_s: tuple[float, ...]
    seconds_per_frame: float
    stable: int


@dataclass(frozen=True, slots=True)
class Clip:
    """A selection with its pixels ``[n, H, W, 3]`` uint8 RGB; the other fields as there."""

    frames: ImageU8
    times_s: tuple[float, ...]
    seconds_per_frame: float
    stable: int = 0

    def __post_init__(self) -> None:
        count = len(self.times_s)
        if self.frames.ndim != 4 or len(self.frames) != count or count == 0:
            raise ConfigError(
                "frames and times of a clip differ",
                got=f"{self.frames.shape} and {count} times",
                allowed="[n, H, W, 3] and n times, n >= 1",
            )
        if not 0 <= self.stable <= count:
            raise ConfigError("stable is out of range", got=self.stable, allowed=f"0..{count}")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.frames.shape[1]), int(self.frames.shape[2])

    def prefix(self, count: int) -> Clip:
        """The first ``count`` frames."""
        return Clip(
            self.frames[:count],
            self.times_s[:count],
            self.seconds_per_frame,
            min(self.stable, count),
        )


def select(n_frames: int, control_hz: float, config: ClipConfig) -> Selection:
    """Frames to show of an episode with ``n_frames`` at ``control_hz``.

    Raises:
        RewardSourceError: no frames, or an impossible rate.
    """
    if n_frames < 1:
        raise RewardSourceError("the episode has no frames", got=n_frames)
    if not (math.isfinite(control_hz) and control_hz > 0):
        raise RewardSourceError("the episode's rate is not a positive number", got=control_hz)
    match config.sampling:
        case Sampling.UNIFORM_N:
            return _uniform(n_frames, control_hz, config)
        case Sampling.GRID:
            return _grid(n_frames, control_hz, config)


def _uniform(n_frames: int, control_hz: float, config: ClipConfig) -> Selection:
    wanted = int(n_frames / control_hz * config.fps)
    count = min(max(wanted, config.min_frames), config.max_frames, n_frames)
    indices = np.linspace(0, n_frames - 1, count).round().astype(int).tolist()
    if count == 1:
        indices = [n_frames - 1]
    return Selection(
        tuple(indices),
        tuple(index / control_hz for index in indices),
        1 / (count / n_frames * control_hz),
        stable=0,
    )


def _grid(n_frames: int, control_hz: float, config: ClipConfig) -> Selection:
    fps = min(config.fps, control_hz)
    indices = _grid_indices(n_frames, control_hz / fps)
    while len(indices) + (indices[-1] != n_frames - 1) > config.max_frames:
        fps /= 2
        indices = _grid_indices(n_frames, control_hz / fps)
    stable = len(indices)
    if indices[-1] != n_frames - 1:
        indices.append(n_frames - 1)
    return Selection(
        tuple(indices), tuple(index / control_hz for index in indices), 1 / fps, stable
    )


def _grid_indices(n_frames: int, step: float) -> list[int]:
    count = int((n_frames - 1) / step) + 2
    found = np.floor(np.arange(count) * step + 0.5).astype(int)
    return [int(index) for index in found if index < n_frames]


def frame_size(height: int, width: int, pixels: int, factor: int) -> tuple[int, int]:
    """Height and width, multiples of ``factor``, at most ``pixels`` in all, aspect about kept.

    Raises:
        RewardSourceError: an aspect ratio that does not fit into so few pixels.
    """
    scale = min(1.0, math.sqrt(pixels / (height * width)))
    rows = max(1, round(height * scale / factor))
    columns = max(1, round(width * scale / factor))
    while rows * columns * factor * factor > pixels and rows * columns > 1:
        if rows >= columns:
            rows -= 1
        else:
            columns -= 1
    if rows < 1 or columns < 1 or rows * columns * factor * factor > pixels:
        raise RewardSourceError(
            "frames cannot be brought to the configured size",
            got=f"{height}x{width}",
            allowed=f"at most {pixels} pixels in squares of {factor}",
        )
    return rows * factor, columns * factor


def decode(frames: Sequence[bytes], indices: Sequence[int], pixels: int, factor: int) -> ImageU8:
    """Pixels of the chosen frames, ``[n, H, W, 3]`` uint8 RGB; one is decoded at a time.

    Args:
        frames: encoded images of the whole episode.
        indices: which to decode.
        pixels: bound of a frame, see ``frame_size``.
        factor: multiple that height and width must be, pixels.

    Raises:
        RewardSourceError: an image that cannot be read or is too large.
    """
    from PIL import Image

    shape: tuple[int, int] | None = None
    result: ImageU8 | None = None
    for position, index in enumerate(indices):
        try:
            with Image.open(io.BytesIO(frames[index])) as image:
                if image.width * image.height > MAX_SOURCE_PIXELS:
                    raise RewardSourceError(
                        f"frame {index} is too large",
                        got=f"{image.width}x{image.height}",
                        allowed=f"at most {MAX_SOURCE_PIXELS} pixels",
                    )
                shape = shape or frame_size(image.height, image.width, pixels, factor)
                rgb = image.convert("RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise RewardSourceError(f"frame {index} cannot be decoded", got=str(error)) from None
        if rgb.size != (shape[1], shape[0]):
            rgb = rgb.resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
        if result is None:
            result = np.empty((len(indices), *shape, 3), dtype=np.uint8)
        result[position] = np.asarray(rgb)
    if result is None:
        raise RewardSourceError("no frame was chosen")
    return result
