# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every source gives: videos with a sentence and a label, read when they are needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from roboreward_ros.episodes.exchange.labelled_layout import OnProblem
from roboreward_ros.errors import ConfigError
from roboreward_ros.types import RUBRIC_MAX, RUBRIC_MIN, ImageU8
from roboreward_ros.types.codec import JsonValue

SUCCESS = RUBRIC_MAX
KEY_FRAMES = 11


@dataclass(frozen=True, slots=True)
class Clip:
    """A labelled video.

    Attributes:
        id: unique and stable in its source.
        task: the sentence.
        reward: label 1..5 of its last frame.
        fps: rate of its frames, Hz.
        frames: opens the frames ``[H, W, 3]`` uint8 RGB, oldest first; raises FormatError.
        file: a video file that holds exactly these frames; None where there is none.
        content: sha256 of the whole video that it was cut from, if known: such clips stay together.
        source: which of several data sets in one folder it is from; "" for the source's name.
        columns: further columns of its row.
    """

    id: str
    task: str
    reward: int
    fps: float
    frames: Callable[[], Iterator[ImageU8]]
    file: Path | None = None
    content: str = ""
    source: str = ""
    columns: Mapping[str, JsonValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.task.strip():
            raise ConfigError(f"clip '{self.id}' has no sentence")
        if not RUBRIC_MIN <= self.reward <= RUBRIC_MAX:
            raise ConfigError(f"clip '{self.id}': label", got=self.reward, allowed="1..5")
        if not self.fps > 0:
            raise ConfigError(f"clip '{self.id}': rate", got=self.fps, allowed="> 0 Hz")


class Source(Protocol):
    """A data set, opened. Reading it again gives the same clips in the same order."""

    @property
    def name(self) -> str:
        """Folder and column of its rows."""

    def describe(self) -> str:
        """One line: what is read and where labels come from."""

    def clips(self, on_problem: OnProblem) -> Iterator[Clip]:
        """All clips; what cannot be used is told to ``on_problem`` and left out."""


def key_frames(count: int) -> list[int]:
    """Frames at progress 0, 0.1 .. 1 of a success, labelled by time (arXiv 2603.16065)."""
    return [round(k * (count - 1) / (KEY_FRAMES - 1)) for k in range(KEY_FRAMES)]


def draw(seed: int, key: str) -> int:
    """A number in [0, 2^64) that depends on nothing but ``seed`` and ``key``."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{key}".encode()).digest()[:8], "big")


def split_of(sha256: str, shares: tuple[float, float, float] = (0.8, 0.1, 0.1)) -> str:
    """``train``, ``val`` or ``test`` of a video: a function of its content alone.

    Args:
        sha256: of the video.
        shares: of the three.

    Raises:
        ConfigError: shares that are no shares.
    """
    if len(shares) != 3 or abs(sum(shares) - 1) > 1e-6 or min(shares) < 0:
        raise ConfigError("shares of the splits", got=shares, allowed="three, sum 1")
    place = int(sha256[:12], 16) / 16**12
    return "train" if place < shares[0] else "val" if place < shares[0] + shares[1] else "test"
