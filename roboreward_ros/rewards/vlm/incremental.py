# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scoring a growing episode: every frame goes through the model once.

Keys and values of complete groups of frames never change while later frames arrive (see
``layout.py``), given a fixed size, fixed times, and a question that stays in front of the video or
comes behind it. What is incomplete, a last frame off the grid, and the question's end are computed
anew for every score and dropped again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.vlm.answers import Answer
from roboreward_ros.rewards.vlm.backend import Backend, Choice
from roboreward_ros.rewards.vlm.clips import Clip
from roboreward_ros.rewards.vlm.layout import Tokens, Writer, join
from roboreward_ros.types import ImageU8

if TYPE_CHECKING:
    from transformers import Cache


class IncrementalScorer:
    """Scores prefixes of one episode as it grows.

    Args:
        backend: the model.
        before: prompt text before the video.
        seconds_per_frame: of the grid, s.
    """

    def __init__(self, backend: Backend, before: str, seconds_per_frame: float) -> None:
        self._backend = backend
        self._size = backend.patching.temporal
        self._cache = backend.new_cache()
        self._seconds_per_frame = seconds_per_frame
        writer = backend.writer(self._size * seconds_per_frame)
        writer.text(before)
        self._writers: list[Writer] = [writer]  # behind group k; what was written is in the cache
        self._lengths: list[int] = [0]  # tokens cached behind group k
        self._frames: list[ImageU8] = []  # behind the last cached group
        self._times: list[float] = []

    @property
    def frames(self) -> int:
        """Frames of the grid so far."""
        return self.cached_groups * self._size + len(self._frames)

    @property
    def cached_groups(self) -> int:
        """Groups whose keys and values are kept."""
        return len(self._lengths) - 1

    def push(self, frame: ImageU8, time_s: float) -> None:
        """Append a frame ``[H, W, 3]`` of the grid; it is computed with the next score."""
        self._frames.append(frame)
        self._times.append(time_s)

    def rewind(self, groups: int) -> None:
        """Forget everything behind group ``groups``; raises ConfigError beyond the cached ones."""
        if not 0 <= groups <= self.cached_groups:
            raise ConfigError(
                "cannot rewind there", got=groups, allowed=f"0..{self.cached_groups} groups"
            )
        crop(self._cache, self._lengths[groups])
        del self._writers[groups + 1 :], self._lengths[groups + 1 :]
        self._frames.clear()
        self._times.clear()

    def score(
        self,
        after: str,
        tail: ImageU8 | None = None,
        tail_time_s: float = 0.0,
        choice: Choice | None = None,
    ) -> Answer:
        """The distribution for the frames so far.

        Args:
            after: prompt text behind the video; may differ from call to call.
            tail: true last frame where the grid has none, ``[H, W, 3]``.
            tail_time_s: its time.
            choice: admissible answers; 1..5 by default.
        """
        choice = choice or self._backend.rubric
        return self._backend.read(self.logits(after + choice.lead, tail, tail_time_s), choice)

    @torch.inference_mode()
    def logits(
        self, after: str, tail: ImageU8 | None = None, tail_time_s: float = 0.0
    ) -> torch.Tensor:
        """Logits ``[vocabulary]`` float32 behind ``after``; arguments as ``score``."""
        frames, times = list(self._frames), list(self._times)
        if tail is not None:
            frames.append(tail)
            times.append(tail_time_s)
        if not frames and not self.cached_groups:
            raise ConfigError("nothing to score: no frame was pushed")
        writer = self._writers[-1].fork()
        parts: list[Tokens] = []
        complete = len(self._frames) // self._size
        for group in range(complete):
            first = group * self._size
            self._write(writer, frames, times, first, first + self._size)
            parts.append(writer.take())
            self._writers.append(writer.fork())
            self._lengths.append(self._lengths[-1] + len(parts[-1]))
        kept = self._lengths[-1]
        self._write(writer, frames, times, complete * self._size, len(frames))
        writer.end_video()
        writer.text(after)
        parts.append(writer.finish())
        tokens = join(parts)
        try:
            logits = self._backend.forward(
                torch.from_numpy(tokens.ids)[None],
                torch.from_numpy(tokens.positions)[:, None],
                [np.stack(frames)] if frames else (),
                cache=self._cache,
            )
        except BaseException:
            self._undo(complete)
            raise
        crop(self._cache, kept)
        del self._frames[: complete * self._size], self._times[: complete * self._size]
        return logits[0, -1]

    def _write(
        self,
        writer: Writer,
        frames: Sequence[ImageU8],
        times: Sequence[float],
        first: int,
        end: int,
    ) -> None:
        if first < end:
            clip = Clip(
                np.stack(frames[first:end]), tuple(times[first:end]), self._seconds_per_frame
            )
            self._backend.write_groups(writer, clip)

    def _undo(self, groups: int) -> None:
        """Back to before a forward pass that failed; layers may have grown by different amounts."""
        keep = len(self._lengths) - groups
        del self._writers[keep:], self._lengths[keep:]
        crop(self._cache, self._lengths[-1])


def crop(cache: Cache, length: int) -> None:
    """Forget all keys and values behind ``length`` tokens."""
    for layer in cache.layers:
        surplus = int(layer.get_seq_length()) - length
        if surplus > 0:
            layer.crop(-surplus)
