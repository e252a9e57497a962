# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One prefill gives the score: the distribution over the answers at the place where one is due.

Generation stays as the oracle of the tests, and for models that reason before they answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.vlm.answers import Answer, answer
from roboreward_ros.rewards.vlm.clips import Clip
from roboreward_ros.rewards.vlm.layout import Encoder, TokenIds, Tokens, Writer
from roboreward_ros.rewards.vlm.processors import Patching
from roboreward_ros.rewards.vlm.prompt import ANSWER_PREFIX, VIDEO, Family, split_video
from roboreward_ros.rewards.vlm.weights import Weights
from roboreward_ros.types import FloatArray, ImageU8

if TYPE_CHECKING:
    from transformers import Cache


@dataclass(frozen=True, slots=True)
class Feed:
    """One sequence for the model.

    Attributes:
        tokens: ids and positions.
        groups: frames ``[n, H, W, 3]`` of the video tokens, in their order; None for none.
        images: frames of the image tokens, in their order.
        seconds_per_group: of the video, s.
    """

    tokens: Tokens
    groups: ImageU8 | None = None
    images: tuple[ImageU8, ...] = ()
    seconds_per_group: float = 1.0


@dataclass(frozen=True, slots=True)
class Choice:
    """Answers that are one token each behind a common lead.

    Attributes:
        lead: text that the prompt ends with.
        ids: token of each level.
        levels: values, ascending.
    """

    lead: str
    ids: tuple[int, ...]
    levels: tuple[float, ...]


class Backend:
    """Asks a loaded model. Used from one thread."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        model = weights.model
        self.core = model.get_base_model() if hasattr(model, "peft_config") else model
        self.encoder = Encoder(weights.tokenizer)
        ids = self.core.config
        self._ids = TokenIds(
            ids.vision_start_token_id,
            ids.vision_end_token_id,
            ids.video_token_id,
            ids.image_token_id,
        )
        self.device: torch.device = next(self.core.parameters()).device
        self.rubric = self.choice(ANSWER_PREFIX, ("1", "2", "3", "4", "5"), (1, 2, 3, 4, 5))

    @property
    def family(self) -> Family:
        return self.weights.family

    @property
    def patching(self) -> Patching:
        return self.weights.patching

    def choice(self, lead: str, texts: Sequence[str], levels: Sequence[float]) -> Choice:
        """Tokens of answers; a blank at the lead's end goes where the tokenizer keeps it.

        Raises:
            RewardSourceError: an answer is not one token in this vocabulary.
        """
        for kept, blank in ((lead, ""), (lead.rstrip(" "), " ")):
            base = self.encoder.encode(kept)
            whole = [self.encoder.encode(kept + blank + text) for text in texts]
            if all(ids[:-1] == base for ids in whole):
                found = tuple(ids[-1] for ids in whole)
                if len(set(found)) == len(found):
                    return Choice(kept, found, tuple(float(level) for level in levels))
        raise RewardSourceError(
            "the answers are not single tokens of this model's vocabulary", got=list(texts)
        )

    def writer(self, seconds_per_group: float = 1.0) -> Writer:
        """A writer of this model's layout."""
        vision = self.core.config.vision_config
        return Writer(
            self.family,
            self._ids,
            self.encoder,
            float(getattr(vision, "tokens_per_second", 1.0)),
            seconds_per_group,
        )

    def token_size(self, height: int, width: int) -> tuple[int, int]:
        """Tokens down and across of a frame."""
        gh, gw = self.patching.grid(height, width)
        return gh // self.patching.merge, gw // self.patching.merge

    def seconds_per_group(self, clip: Clip) -> float:
        return self.patching.temporal * clip.seconds_per_frame

    def write_groups(self, writer: Writer, clip: Clip, start: int = 0) -> None:
        """Write the groups of ``clip`` from frame ``start`` on (a group's first frame)."""
        rows, columns = self.token_size(*clip.size)
        size = self.patching.temporal
        for first in range(start, len(clip.times_s), size):
            times = clip.times_s[first : first + size]
            times += times[-1:] * (size - len(times))
            writer.group((times[0] + times[-1]) / 2, rows, columns)

    def encode(
        self, prompt: str, clip: Clip | None = None, images: Sequence[ImageU8] = (), lead: str = ""
    ) -> Feed:
        """A whole prompt, followed by ``lead``, the beginning of the model's reply."""
        sizes = [self.token_size(image.shape[0], image.shape[1]) for image in images]
        if clip is None:
            if VIDEO in prompt:
                raise ConfigError("the prompt holds a video, but none is given")
            writer = self.writer()
            writer.text_with_images(prompt + lead, sizes)
            return Feed(writer.finish(), None, tuple(images))
        if images:
            raise ConfigError("a prompt holds a video or images, not both")
        before, after = split_video(prompt)
        writer = self.writer(self.seconds_per_group(clip))
        writer.text(before)
        self.write_groups(writer, clip)
        writer.end_video()
        writer.text(after + lead)
        return Feed(writer.finish(), clip.frames, (), writer.seconds_per_group)

    def score(self, prompt: str, clip: Clip, choice: Choice | None = None) -> Answer:
        """The distribution over ``choice`` (1..5 by default) for one video."""
        return self.score_batch([(prompt, clip)], choice)[0]

    def score_batch(
        self, items: Sequence[tuple[str, Clip]], choice: Choice | None = None
    ) -> list[Answer]:
        """The distributions of several videos of any length, in one forward pass."""
        choice = choice or self.rubric
        feeds = [self.encode(prompt, clip, lead=choice.lead) for prompt, clip in items]
        return [self.read(logits, choice) for logits in self.last_logits(feeds)]

    def read(self, logits: torch.Tensor, choice: Choice) -> Answer:
        """From the logits ``[vocabulary]`` at the place of the answer."""
        total = float(torch.logsumexp(logits.double(), -1))
        return answer(choice.levels, as_array(logits[list(choice.ids)]), total)

    @torch.inference_mode()
    def last_logits(self, feeds: Sequence[Feed]) -> torch.Tensor:
        """Logits ``[batch, vocabulary]`` float32 behind the last token of each sequence."""
        length = max(len(feed.tokens) for feed in feeds)
        ids = np.zeros((len(feeds), length), dtype=np.int64)
        positions = np.zeros((3, len(feeds), length), dtype=np.int64)
        mask = np.zeros((len(feeds), length), dtype=np.int64)
        for row, feed in enumerate(feeds):
            start = length - len(feed.tokens)
            ids[row, start:] = feed.tokens.ids
            positions[:, row, start:] = feed.tokens.positions
            mask[row, start:] = 1
        padded = None if mask.all() else torch.from_numpy(mask).to(self.device)
        return self.forward(
            torch.from_numpy(ids),
            torch.from_numpy(positions),
            [feed.groups for feed in feeds if feed.groups is not None],
            [image for feed in feeds for image in feed.images],
            mask=padded,
        )[:, -1]

    @torch.inference_mode()
    def forward(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        videos: Sequence[ImageU8] = (),
        images: Sequence[ImageU8] = (),
        *,
        mask: torch.Tensor | None = None,
        cache: Cache | None = None,
        rows: Sequence[int] = (-1,),
    ) -> torch.Tensor:
        """One pass of the network.

        Args:
            ids: ``[B, L]``.
            positions: ``[3, B, L]``.
            videos: frames of the video tokens, in their order.
            images: frames of the image tokens, in their order.
            mask: ``[B, L]`` of real tokens, or ``[1, 1, L, past + L]`` bool of what sees what.
            cache: keys and values of what stands before; grows by L.
            rows: where logits are wanted.

        Returns:
            Logits ``[B, len(rows), vocabulary]`` float32.
        """
        pixels: dict[str, torch.Tensor] = {}
        if videos:
            pixels |= self._pixels(videos, "pixel_values_videos", "video_grid_thw")
        if images:
            frames = [image[None] for image in images]
            pixels |= self._pixels(frames, "pixel_values", "image_grid_thw")
        hidden = self.core.model(
            input_ids=ids.to(self.device),
            position_ids=positions.to(self.device),
            attention_mask=mask,
            past_key_values=cache,
            use_cache=cache is not None,
            **pixels,
        ).last_hidden_state
        logits: torch.Tensor = self.core.lm_head(hidden[:, list(rows)])
        return logits.float()

    def _pixels(
        self, stacks: Sequence[ImageU8], values: str, grids: str
    ) -> dict[str, torch.Tensor]:
        temporal = self.patching.temporal
        shapes = [
            (-(-len(stack) // temporal), *self.patching.grid(*stack.shape[1:3])) for stack in stacks
        ]
        rows = torch.cat([self.patching.rows(stack) for stack in stacks])
        return {values: rows.to(self.device), grids: torch.tensor(shapes, device=self.device)}

    def new_cache(self) -> Cache:
        """An empty cache of keys and values."""
        from transformers import DynamicCache

        return DynamicCache(config=self.core.config.text_config)

    @torch.inference_mode()
    def generate(self, feed: Feed, max_new_tokens: int, only: Sequence[int] = ()) -> str:
        """What the model prints, greedily, without control tokens; ``only`` narrows its choice."""
        ids = torch.from_numpy(feed.tokens.ids)[None].to(self.device)
        inputs = {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "mm_token_type_ids": (ids == self._ids.video).long() * 2
            + (ids == self._ids.image).long(),
        }
        if feed.groups is not None:
            inputs |= self._pixels([feed.groups], "pixel_values_videos", "video_grid_thw")
            if self.family is Family.QWEN2_5_VL:
                seconds = torch.tensor([feed.seconds_per_group], device=self.device)
                inputs["second_per_grid_ts"] = seconds
        if feed.images:
            frames = [image[None] for image in feed.images]
            inputs |= self._pixels(frames, "pixel_values", "image_grid_thw")
        allowed = list(only)
        out = self.core.generate(
            **inputs,
            prefix_allowed_tokens_fn=(lambda _row, _ids: allowed) if allowed else None,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
        )
        text = self.weights.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
        return str(text)

    def self_check(self) -> None:
        """Compare our positions with the model's own on a small video.

        Raises:
            RewardSourceError: this version of transformers counts positions differently.
        """
        side = self.patching.factor
        clip = Clip(np.zeros((4, side, 2 * side, 3), np.uint8), (0.0, 0.5, 1.0, 1.5), 0.5)
        feed = self.encode(f"a {VIDEO} b", clip)
        ids = torch.from_numpy(feed.tokens.ids)[None]
        extra = {}
        if self.family is Family.QWEN2_5_VL:
            extra["second_per_grid_ts"] = torch.tensor([feed.seconds_per_group])
        wanted, _ = self.core.model.get_rope_index(
            ids,
            mm_token_type_ids=(ids == self._ids.video).long() * 2,
            video_grid_thw=torch.tensor([[2, *self.patching.grid(side, 2 * side)]]),
            attention_mask=torch.ones_like(ids),
            **extra,
        )
        if not np.array_equal(wanted[:, 0].numpy(), feed.tokens.positions):
            raise RewardSourceError(
                "this version of transformers places video tokens differently",
                next_step="Install the version that constraints.txt names.",
            )


def as_array(values: torch.Tensor) -> FloatArray:
    """Float64 on the CPU."""
    return np.asarray(values.detach().double().cpu().numpy())
