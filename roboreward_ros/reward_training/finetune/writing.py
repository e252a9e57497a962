# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Examples as token sequences with their pictures, side by side in micro-batches.

A sheet is one packed sequence. Examples about one video that begin alike stand on one sheet; the
vision tower looks at every group of frames once, however many examples show it. What is learned is
the reply alone: prompt and pictures have no loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.reward_training.finetune.forms import Example, Form
from roboreward_ros.reward_training.finetune.frames import FrameStore, VideoFrames
from roboreward_ros.reward_training.packing import Batch, Packed, Written, collate, pack
from roboreward_ros.rewards.vlm.backend import Backend, Feed
from roboreward_ros.rewards.vlm.clips import Clip, decode, select
from roboreward_ros.rewards.vlm.layout import Int64Array
from roboreward_ros.types import ImageU8

END = "<|im_end|>"


class Pictures:
    """Groups of frames that a sheet shows, each once.

    Args:
        backend: of the model.
        pixels: bound of a frame.
    """

    def __init__(self, backend: Backend, pixels: int) -> None:
        self._backend = backend
        self._pixels = pixels
        self._starts: dict[tuple[str, int, int], int] = {}
        self._decoded: dict[tuple[str, int], ImageU8] = {}
        self._groups: list[ImageU8] = []
        self.tokens = 0

    def frame(self, video: str, index: int, frames: VideoFrames) -> ImageU8:
        """Pixels ``[H, W, 3]`` uint8."""
        key = (video, index)
        if key not in self._decoded:
            factor = self._backend.patching.factor
            self._decoded[key] = decode([frames.images[index]], [0], self._pixels, factor)[0]
        return self._decoded[key]

    def number(self, video: str, first: int, last: int) -> int:
        """First vision token of the group of these two frames, decoded before."""
        key = (video, first, last)
        if key not in self._starts:
            group = np.stack([self._decoded[video, first], self._decoded[video, last]])
            rows, columns = self._backend.token_size(*group.shape[1:3])
            self._starts[key] = self.tokens
            self._groups.append(group)
            self.tokens += rows * columns
        return self._starts[key]

    def rows(self) -> tuple[torch.Tensor, Int64Array]:
        """Pixel rows of all groups, and (1, patches down, patches across) of each ``[G, 3]``."""
        patching = self._backend.patching
        rows = torch.cat([patching.rows(group) for group in self._groups])
        grids = [(1, *patching.grid(*group.shape[1:3])) for group in self._groups]
        return rows, np.array(grids, np.int64)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply on a sheet: which example's, which of its answers, and how many tokens it has."""

    example: int
    answer: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Entry:
    """Replies to one example, written: sequences, their targets, and what they are."""

    written: tuple[Written, ...]
    targets: Int64Array
    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One packed sequence with its pictures.

    Attributes:
        packed: the tokens; its ``answers`` are the places that the replies' tokens follow.
        pictures: what it shows; sheets about one video may share them.
        targets: tokens of all replies ``[sum of their lengths]``.
        replies: in the order of ``targets``.
    """

    packed: Packed
    pictures: Pictures
    targets: Int64Array
    replies: tuple[Reply, ...]

    def __len__(self) -> int:
        return len(self.packed.tokens)


@dataclass(frozen=True, slots=True)
class Micro:
    """Sheets for one forward pass.

    Attributes:
        batch: their tokens.
        pixels: rows of all pictures ``[P, D]`` float32.
        grid: patches of each picture ``[G, 3]``.
        targets: tokens of all replies ``[N]``.
        owner: which reply each belongs to ``[N]``.
        replies: all replies.
    """

    batch: Batch
    pixels: torch.Tensor
    grid: torch.Tensor
    targets: torch.Tensor
    owner: torch.Tensor
    replies: tuple[Reply, ...]

    def to(self, device: torch.device) -> Micro:
        """On another device."""
        return Micro(
            self.batch.to(device),
            self.pixels.to(device),
            self.grid.to(device),
            self.targets.to(device),
            self.owner.to(device),
            self.replies,
        )


class Writing:
    """Turns examples into sheets.

    Args:
        backend: of the model.
        form: of the head.
        store: kept frames.
    """

    def __init__(self, backend: Backend, form: Form, store: FrameStore) -> None:
        self._backend = backend
        self._form = form
        self._store = store
        config = backend.core.config
        self._vision = (config.video_token_id, config.image_token_id)

    @property
    def width(self) -> int:
        """Of the language model."""
        return int(self._backend.core.config.text_config.hidden_size)

    def pictures(self) -> Pictures:
        """None yet."""
        return Pictures(self._backend, self._form.pixels)

    def entry(
        self,
        number: int,
        example: Example,
        answers: Sequence[int],
        ended: bool,
        pictures: Pictures,
    ) -> Entry:
        """Replies to one example.

        Args:
            number: of the example.
            example: itself.
            answers: which answers are given.
            ended: whether the token that ends the model's turn belongs to a reply.
            pictures: that several entries share.

        Raises:
            RewardSourceError: a sentence that cannot be asked, or a reply whose first token would
                join the prompt.
        """
        frames = self._store.read(example.video)
        found = [self._write(example, frames, answer, ended, pictures) for answer in answers]
        replies = tuple(
            Reply(number, answer, len(target))
            for answer, (_, target) in zip(answers, found, strict=True)
        )
        return Entry(
            tuple(written for written, _ in found),
            np.concatenate([target for _, target in found]),
            replies,
        )

    def _write(
        self, example: Example, frames: VideoFrames, answer: int, ended: bool, pictures: Pictures
    ) -> tuple[Written, Int64Array]:
        form, backend = self._form, self._backend
        reply = form.lead + form.answers[answer] + (END if ended else "")
        prompt = form.prompt(example.task, backend.family)
        if form.video is None:
            images = [pictures.frame(example.video, k, frames) for k in example.frames]
            groups = [(k, k) for k in example.frames]

            def encode(lead: str) -> Feed:
                return backend.encode(prompt, images=images, lead=lead)
        else:
            choice = select(frames.count, frames.hz, form.video.clip_config())
            shown = [pictures.frame(example.video, k, frames) for k in choice.indices]
            clip = Clip(np.stack(shown), choice.times_s, choice.seconds_per_frame)
            size = backend.patching.temporal
            parts = [choice.indices[k : k + size] for k in range(0, len(choice.indices), size)]
            groups = [(part[0], part[-1]) for part in parts]

            def encode(lead: str) -> Feed:
                return backend.encode(prompt, clip, lead=lead)

        asked, whole = encode("").tokens, encode(reply).tokens
        if not np.array_equal(whole.ids[: len(asked)], asked.ids):
            raise RewardSourceError(
                "the reply joins the prompt in this vocabulary", got=reply, allowed="apart from it"
            )
        target = whole.ids[len(asked) :]
        tokens = whole.cut(0, len(whole) - 1)
        starts = [pictures.number(example.video, *group) for group in groups]
        return Written(tokens, self._features(tokens.ids, starts), len(target)), target

    def _features(self, ids: Int64Array, starts: Sequence[int]) -> Int64Array:
        there = np.isin(ids, self._vision)
        each = int(there.sum()) // len(starts)
        features = np.full(len(ids), -1, np.int64)
        features[there] = (np.array(starts)[:, None] + np.arange(each)).ravel()
        return features


def sheet_of(entries: Sequence[Entry], pictures: Pictures) -> Sheet:
    """Entries on one sheet."""
    return Sheet(
        pack([written for entry in entries for written in entry.written]),
        pictures,
        np.concatenate([entry.targets for entry in entries]),
        tuple(reply for entry in entries for reply in entry.replies),
    )


def micro_batch(sheets: Sequence[Sheet]) -> Micro:
    """Sheets side by side; the tower looks at what several share once."""
    starts: dict[int, int] = {}
    shown: list[tuple[torch.Tensor, Int64Array]] = []
    total = 0
    for sheet in sheets:
        if id(sheet.pictures) not in starts:
            starts[id(sheet.pictures)] = total
            total += sheet.pictures.tokens
            shown.append(sheet.pictures.rows())
    replies = tuple(reply for sheet in sheets for reply in sheet.replies)
    owner = np.repeat(np.arange(len(replies)), [reply.tokens for reply in replies])
    return Micro(
        collate(
            [sheet.packed for sheet in sheets], [starts[id(sheet.pictures)] for sheet in sheets]
        ),
        torch.cat([pixels for pixels, _ in shown]),
        torch.from_numpy(np.concatenate([grid for _, grid in shown])),
        torch.from_numpy(np.concatenate([sheet.targets for sheet in sheets])),
        torch.from_numpy(owner),
        replies,
    )


def grouped(sheets: Sequence[Sheet], limit: int) -> list[list[Sheet]]:
    """Sheets of about the same length together, at most ``limit`` tokens with padding."""
    found: list[list[Sheet]] = []
    for sheet in sorted(sheets, key=len, reverse=True):
        if found and (len(found[-1]) + 1) * len(found[-1][0]) <= limit:
            found[-1].append(sheet)
        else:
            found.append([sheet])
    return found
