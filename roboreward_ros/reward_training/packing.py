# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several prompts in one sequence, for training.

Video first: the video is written once and the questions stand behind it as branches that do not
see one another; beginnings of one video share what they have in common. Text first: every branch
has its own video tokens, but the vision tower still looks at the video once. Either way each branch
gives what the same prompt gives by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from roboreward_ros.rewards.vlm.backend import Backend
from roboreward_ros.rewards.vlm.clips import Clip
from roboreward_ros.rewards.vlm.layout import Int64Array, Tokens, join
from roboreward_ros.rewards.vlm.prompt import Family, Order, PromptConfig, scoring_prompt

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Written:
    """One prompt as it would be asked by itself.

    Attributes:
        tokens: ids and positions, L of them.
        features: number of the vision feature that stands at each place, -1 for text ``[L]``.
        tail: how many of the last tokens are followed by something that is learned.
    """

    tokens: Tokens
    features: Int64Array
    tail: int = 1


@dataclass(frozen=True, slots=True)
class Packed:
    """Several prompts in one sequence.

    Attributes:
        tokens: ids and positions of the whole sequence, L of them.
        sees: what sees what ``[L, L]``, row: who looks.
        answers: places of the prompts' tails, one after the other ``[sum of tails]``.
        features: number of the vision feature that stands at each place, -1 for text ``[L]``.
    """

    tokens: Tokens
    sees: BoolArray
    answers: Int64Array
    features: Int64Array


class Packer:
    """Writes questions about clips; remembers what it wrote, because times and tasks come again."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._memory: dict[tuple[str, tuple[float, ...], tuple[int, int], Order], Written] = {}

    def question(self, clip: Clip, task: str, order: Order) -> Written:
        """One whole prompt up to where the answer is due."""
        key = (task, clip.times_s, clip.size, order)
        if key not in self._memory:
            backend = self._backend
            config = PromptConfig(order=order)
            prompt = scoring_prompt(task, config, Family.QWEN3_VL)
            tokens = backend.encode(prompt, clip, lead=backend.rubric.lead).tokens
            video = tokens.ids == backend.core.config.video_token_id
            self._memory[key] = Written(tokens, np.where(video, np.cumsum(video) - 1, -1))
        return self._memory[key]

    def pack(self, clip: Clip, tasks: Sequence[str], order: Order) -> Packed:
        """The questions of ``tasks`` about ``clip`` in one sequence."""
        return pack([self.question(clip, task, order) for task in tasks])


def pack(whole: Sequence[Written]) -> Packed:
    """Prompts in one sequence, as a tree: what several begin with stands there once.

    A token sees its own prompt's beginning and nothing of another's, so that each prompt gives what
    it gives by itself. Tokens count as the same where id, position and vision feature are.
    """
    keys = [
        np.concatenate([item.tokens.ids[None], item.tokens.positions, item.features[None]])
        for item in whole
    ]
    places: list[Int64Array] = []
    starts: list[int] = []
    parts: list[Tokens] = []
    features: list[Int64Array] = []
    total = 0
    for number, (item, key) in enumerate(zip(whole, keys, strict=True)):
        shared, begun = 0, np.zeros(0, np.int64)
        for other in range(number):
            same = _same(key, keys[other])
            if same > shared:
                shared, begun = same, places[other][:same]
        own = len(item.tokens) - shared
        places.append(np.concatenate([begun, np.arange(total, total + own)]))
        starts.append(shared)
        parts.append(item.tokens.cut(shared, len(item.tokens)))
        features.append(item.features[shared:])
        total += own
    sees = np.zeros((total, total), dtype=np.bool_)
    for place, shared in zip(places, starts, strict=True):
        own = len(place) - shared
        sees[np.ix_(place[shared:], place)] = np.tri(own, len(place), shared, dtype=np.bool_)
    tails = [place[-item.tail :] for place, item in zip(places, whole, strict=True)]
    return Packed(join(parts), sees, np.concatenate(tails), np.concatenate(features))


def _same(first: Int64Array, second: Int64Array) -> int:
    """How many columns both begin with."""
    shortest = min(first.shape[1], second.shape[1])
    differ = (first[:, :shortest] != second[:, :shortest]).any(axis=0)
    return int(differ.argmax()) if differ.any() else shortest


@dataclass(frozen=True, slots=True)
class Batch:
    """Packed questions side by side, padded to a common length.

    Attributes:
        ids: ``[B, L]`` int64.
        positions: ``[3, B, L]`` int64.
        mask: ``[B, 1, L, L]`` bool.
        rows: flat index (row * L + place) of every place that an answer is read from ``[N]``.
        places: flat index of every vision token, ascending ``[M]``.
        features: which row of the batch's vision features stands there ``[M]``.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    rows: torch.Tensor
    places: torch.Tensor
    features: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """On another device."""
        return Batch(
            self.ids.to(device),
            self.positions.to(device),
            self.mask.to(device),
            self.rows.to(device),
            self.places.to(device),
            self.features.to(device),
        )


def collate(packed: Sequence[Packed], starts: Sequence[int]) -> Batch:
    """Put sequences side by side.

    Args:
        packed: one for each row.
        starts: added to the numbers of each row's vision features.
    """
    length = max(len(item.tokens) for item in packed)
    count = len(packed)
    ids = np.zeros((count, length), dtype=np.int64)
    positions = np.zeros((3, count, length), dtype=np.int64)
    mask = np.zeros((count, 1, length, length), dtype=np.bool_)
    mask[:, 0] = np.eye(length, dtype=np.bool_)  # padding sees itself, or its softmax is NaN
    rows, places, features = [], [], []
    for row, (item, start) in enumerate(zip(packed, starts, strict=True)):
        size = len(item.tokens)
        ids[row, :size] = item.tokens.ids
        positions[:, row, :size] = item.tokens.positions
        mask[row, 0, :size, :size] = item.sees
        rows.append(row * length + item.answers)
        at = np.flatnonzero(item.features >= 0)
        places.append(row * length + at)
        features.append(start + item.features[at])
    as_tensor = [torch.from_numpy(np.concatenate(x)) for x in (rows, places, features)]
    return Batch(
        torch.from_numpy(ids), torch.from_numpy(positions), torch.from_numpy(mask), *as_tensor
    )
