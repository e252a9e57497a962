# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tokens and their M-RoPE positions, put together piece by piece.

Both families give a pair of frames positions that depend on what stands before it only. That is
what makes keeping keys and values of old frames exact. Qwen3-VL writes ``<t seconds>`` and markers
around every pair and goes on counting behind it; Qwen2.5-VL shows one block whose temporal
positions count seconds and whose end does not depend on its length.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from roboreward_ros.rewards.vlm.prompt import IMAGE, Family

Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TokenIds:
    """Ids of the markers."""

    vision_start: int
    vision_end: int
    video: int
    image: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """A run of tokens: ids ``[n]`` and positions ``[3, n]`` (time, height, width)."""

    ids: Int64Array
    positions: Int64Array

    def __len__(self) -> int:
        return len(self.ids)

    def cut(self, start: int, end: int) -> Tokens:
        """Tokens ``start`` up to ``end``."""
        return Tokens(self.ids[start:end], self.positions[:, start:end])


def join(parts: Sequence[Tokens]) -> Tokens:
    """Runs behind one another."""
    if not parts:
        return Tokens(np.zeros(0, np.int64), np.zeros((3, 0), np.int64))
    return Tokens(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.positions for part in parts], axis=1),
    )


class Encoder:
    """Text to ids, with a memory: prompts and time stamps come again and again."""

    def __init__(self, tokenizer: object) -> None:
        self._tokenizer = tokenizer
        self.encode = functools.lru_cache(maxsize=4096)(self._encode)

    def _encode(self, text: str) -> tuple[int, ...]:
        encoded = self._tokenizer(text, add_special_tokens=False)  # type: ignore[operator]
        return tuple(encoded["input_ids"])


@dataclass(slots=True)
class Writer:
    """Writes one sequence. ``fork`` gives an independent writer that goes on from here.

    Attributes:
        family: whose layout.
        ids: markers.
        encoder: of the text.
        tokens_per_second: temporal positions a second (Qwen2.5-VL).
        seconds_per_group: nominal distance of two groups, s (Qwen2.5-VL).
        cursor: position of the next text token.
        groups: groups of the video written so far.
    """

    family: Family
    ids: TokenIds
    encoder: Encoder
    tokens_per_second: float
    seconds_per_group: float
    cursor: int = 0
    groups: int = 0
    _text: str = ""  # not yet encoded: what follows may join its last token
    _extent: int = 0
    _done: list[Tokens] = field(default_factory=list)

    def fork(self) -> Writer:
        return Writer(
            self.family,
            self.ids,
            self.encoder,
            self.tokens_per_second,
            self.seconds_per_group,
            self.cursor,
            self.groups,
            self._text,
            self._extent,
            list(self._done),
        )

    def text(self, text: str) -> None:
        self._text += text

    def text_with_images(self, text: str, sizes: Sequence[tuple[int, int]]) -> None:
        """Text whose image placeholders are images of these sizes (tokens down, tokens across)."""
        first, *rest = text.split(IMAGE)
        self.text(first)
        for part, (rows, columns) in zip(rest, sizes, strict=True):
            self._flush()
            self._vision(self.ids.image, rows, columns, self.cursor)
            self.cursor += max(rows, columns)
            self.text(part)

    def group(self, time_s: float, rows: int, columns: int) -> None:
        """One group of frames, ``rows`` x ``columns`` tokens; ``time_s`` is its frames' mean."""
        if self.family is Family.QWEN3_VL:
            self.text(f"<{time_s:.1f} seconds>")
            self._flush()
            self._mark(self.ids.vision_start)
            self._vision(self.ids.video, rows, columns, self.cursor)
            self.cursor += max(rows, columns)
            self._mark(self.ids.vision_end)
        else:
            self._flush()
            # In float32, as the model's own index is.
            step = np.float32(self.seconds_per_group) * np.float32(self.tokens_per_second)
            shift = int(np.float32(self.groups) * step)
            self._vision(self.ids.video, rows, columns, self.cursor + shift)
            self._extent = max(rows, columns)
        self.groups += 1

    def end_video(self) -> None:
        """No group follows."""
        self.cursor += self._extent
        self._extent = 0

    def take(self) -> Tokens:
        """Everything written since the last call, except text that may still join what follows."""
        done = join(self._done)
        self._done.clear()
        return done

    def finish(self) -> Tokens:
        """Everything written since the last call, the text at the end included."""
        self._flush()
        return self.take()

    def _flush(self) -> None:
        if self._text:
            ids = np.asarray(self.encoder.encode(self._text), dtype=np.int64)
            line = np.arange(self.cursor, self.cursor + len(ids))
            self._done.append(Tokens(ids, np.stack([line] * 3)))
            self.cursor += len(ids)
            self._text = ""

    def _mark(self, token: int) -> None:
        self._done.append(Tokens(np.array([token]), np.full((3, 1), self.cursor)))
        self.cursor += 1

    def _vision(self, token: int, rows: int, columns: int, time: int) -> None:
        count = rows * columns
        down, across = np.divmod(np.arange(count), columns)
        positions = np.stack([np.full(count, time), self.cursor + down, self.cursor + across])
        self._done.append(Tokens(np.full(count, token, dtype=np.int64), positions))
