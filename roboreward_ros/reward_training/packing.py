# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several instructions about one video in one sequence, for training.

Video first: the video is written once and the questions stand behind it as branches that do not
see one another. Text first: every branch has its own video tokens, but the vision tower still looks
at the video once. Either way each branch gives what the same prompt gives by itself.
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
class Packed:
    """One clip's questions.

    Attributes:
        tokens: ids and positions of the whole sequence, L of them.
        sees: what sees what ``[L, L]``, row: who looks.
        answers: index of each question's last token ``[J]``; the answer is due behind it.
        video: number of the clip's video token that stands at each place, -1 for text ``[L]``.
    """

    tokens: Tokens
    sees: BoolArray
    answers: Int64Array
    video: Int64Array


class Packer:
    """Writes questions about clips; remembers what it wrote, because times and tasks come again."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._memory: dict[tuple[str, tuple[float, ...], tuple[int, int], Order], Tokens] = {}

    def question(self, clip: Clip, task: str, order: Order) -> Tokens:
        """One whole prompt up to where the answer is due."""
        key = (task, clip.times_s, clip.size, order)
        if key not in self._memory:
            backend = self._backend
            config = PromptConfig(order=order)
            prompt = scoring_prompt(task, config, Family.QWEN3_VL)
            self._memory[key] = backend.encode(prompt, clip, lead=backend.rubric.lead).tokens
        return self._memory[key]

    def pack(self, clip: Clip, tasks: Sequence[str], order: Order) -> Packed:
        """The questions of ``tasks`` about ``clip`` in one sequence."""
        whole = [self.question(clip, task, order) for task in tasks]
        return pack(whole, self._backend.core.config.video_token_id)


def pack(whole: Sequence[Tokens], pad: int) -> Packed:
    """Prompts that begin alike, in one sequence; ``pad`` is the id of a video token."""
    same = common_start(whole)
    parts = [whole[0].cut(0, same), *(tokens.cut(same, len(tokens)) for tokens in whole)]
    tokens = join(parts)
    total = len(tokens)
    sees = np.zeros((total, total), dtype=np.bool_)
    sees[:, :same] = True
    start, answers = same, []
    video = np.full(total, -1, dtype=np.int64)
    shared = whole[0].ids[:same] == pad
    seen = int(shared.sum())
    video[:same][shared] = np.arange(seen)
    for part in parts[1:]:
        end = start + len(part)
        sees[start:end, start:end] = True
        own = part.ids == pad
        video[start:end][own] = seen + np.arange(int(own.sum()))
        answers.append(end - 1)
        start = end
    sees &= np.tri(total, dtype=np.bool_)
    return Packed(tokens, sees, np.array(answers, dtype=np.int64), video)


def common_start(whole: Sequence[Tokens]) -> int:
    """Tokens that all begin with; every one keeps at least its last for itself."""
    shortest = min(len(tokens) for tokens in whole) - 1
    stack = np.stack([tokens.ids[:shortest] for tokens in whole])
    differ = (stack != stack[0]).any(axis=0)
    return int(differ.argmax()) if differ.any() else shortest


@dataclass(frozen=True, slots=True)
class Batch:
    """Packed questions side by side, padded to a common length.

    Attributes:
        ids: ``[B, L]`` int64.
        positions: ``[3, B, L]`` int64.
        mask: ``[B, 1, L, L]`` bool.
        rows: flat index (row * L + place) of every question's last token ``[N]``.
        places: flat index of every video token ``[M]``.
        features: which row of the batch's video features stands there ``[M]``.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    rows: torch.Tensor
    places: torch.Tensor
    features: torch.Tensor


def collate(packed: Sequence[Packed], starts: Sequence[int]) -> Batch:
    """Put sequences side by side.

    Args:
        packed: one for each row.
        starts: first of the batch's video tokens that belongs to each row's clip.
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
        at = np.flatnonzero(item.video >= 0)
        places.append(row * length + at)
        features.append(start + item.video[at])
    as_tensor = [torch.from_numpy(np.concatenate(x)) for x in (rows, places, features)]
    return Batch(
        torch.from_numpy(ids), torch.from_numpy(positions), torch.from_numpy(mask), *as_tensor
    )
