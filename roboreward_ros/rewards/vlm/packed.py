# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Many questions about one video for about the price of one.

The video is computed once; behind it stand branches that see the part of it they may see and
themselves, not one another. Branches are other instructions (the video must come first then), other
prefixes of the episode, or the admissible answers of a model whose answers have several tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.vlm.answers import Answer, answer
from roboreward_ros.rewards.vlm.backend import Backend, Choice, Feed, as_array
from roboreward_ros.rewards.vlm.clips import Clip
from roboreward_ros.rewards.vlm.incremental import crop
from roboreward_ros.rewards.vlm.layout import Tokens, join
from roboreward_ros.rewards.vlm.prompt import split_video
from roboreward_ros.types import ImageU8

CHUNK_TOKENS = 1024
"""Branch tokens of one forward pass: bounds the mask's memory, and what branches waste on it."""


@dataclass(frozen=True, slots=True)
class Branch:
    """What stands behind the trunk's first ``sees`` tokens.

    Attributes:
        sees: tokens of the trunk that it continues.
        tokens: its own.
        frames: frames of its own video tokens, a multiple of a group; None for none.
    """

    sees: int
    tokens: Tokens
    frames: ImageU8 | None = None


@torch.inference_mode()
def branch_logits(
    backend: Backend, trunk: Feed, branches: Sequence[Branch], chunk_tokens: int = CHUNK_TOKENS
) -> list[torch.Tensor]:
    """Logits ``[vocabulary]`` float32 behind the last token of each branch."""
    return [rows[-1] for rows in _run(backend, trunk, branches, chunk_tokens, every=False)[1]]


def score_instructions(
    backend: Backend,
    prompts: Sequence[str],
    clip: Clip,
    chunk_tokens: int = CHUNK_TOKENS,
    choice: Choice | None = None,
) -> list[Answer]:
    """The distributions of several prompts about one video, 1..5 by default.

    Raises:
        ConfigError: the prompts differ in front of the video.
    """
    parts = [split_video(prompt) for prompt in prompts]
    if len({before for before, _ in parts}) != 1:
        raise ConfigError(
            "only instructions behind the video can share it",
            got=f"{len({before for before, _ in parts})} different beginnings",
            next_step="Use order: video_first, or score them one by one.",
        )
    writer = backend.writer(backend.seconds_per_group(clip))
    writer.text(parts[0][0])
    backend.write_groups(writer, clip)
    writer.end_video()
    video = writer.take()
    choice = choice or backend.rubric
    ends = []
    for _, after in parts:
        end = writer.fork()
        end.text(after + choice.lead)
        ends.append(end.finish())
    same = _common(ends)  # the rubric in front of the task is computed once, too
    trunk = Feed(join([video, ends[0].cut(0, same)]), clip.frames)
    branches = [Branch(len(trunk.tokens), end.cut(same, len(end))) for end in ends]
    found = branch_logits(backend, trunk, branches, chunk_tokens)
    return [backend.read(logits, choice) for logits in found]


def score_prefixes(
    backend: Backend, prompt: str, clips: Sequence[Clip], chunk_tokens: int = CHUNK_TOKENS
) -> list[Answer]:
    """The 1..5 distributions of several prefixes of one episode, taken on one grid.

    Raises:
        ConfigError: the clips do not lie on one grid (see ``Clip.stable``).
    """
    longest = max(clips, key=lambda clip: clip.stable)
    size = backend.patching.temporal
    before, after = split_video(prompt)
    writer = backend.writer(backend.seconds_per_group(longest))
    writer.text(before)
    forks = [writer.fork()]
    parts: list[Tokens] = []
    lengths = [0]
    groups = longest.stable // size
    for group in range(groups):
        backend.write_groups(writer, longest.prefix((group + 1) * size), group * size)
        parts.append(writer.take())
        lengths.append(lengths[-1] + len(parts[-1]))
        forks.append(writer.fork())
    frames = longest.frames[: groups * size] if groups else None
    trunk = Feed(join(parts), frames)
    choice = backend.rubric
    branches = []
    for clip in clips:
        if (
            clip.times_s[: clip.stable] != longest.times_s[: clip.stable]
            or clip.seconds_per_frame != longest.seconds_per_frame
            or clip.size != longest.size
        ):
            raise ConfigError(
                "the clips do not lie on one grid", allowed="sampling: grid, one rate"
            )
        shared = clip.stable // size
        branch = forks[shared].fork()
        backend.write_groups(branch, clip, shared * size)
        branch.end_video()
        branch.text(after + choice.lead)
        own = _whole_groups(clip.frames[shared * size :], size)
        branches.append(Branch(lengths[shared], branch.finish(), own))
    found = branch_logits(backend, trunk, branches, chunk_tokens)
    return [backend.read(logits, choice) for logits in found]


def score_sequences(
    backend: Backend, feed: Feed, texts: Sequence[str], levels: Sequence[float]
) -> Answer:
    """Distribution over answers of several tokens, each scored as a whole.

    ``feed`` ends where the answer begins; ``off_answer_mass`` is one minus the answers' mass.
    """
    encoded = [backend.encoder.encode(text) for text in texts]
    start = int(feed.tokens.positions.max()) + 1
    branches = []
    for ids in encoded:
        line = np.arange(start, start + len(ids))
        tokens = Tokens(np.asarray(ids, dtype=np.int64), np.stack([line] * 3))
        branches.append(Branch(len(feed.tokens), tokens))
    last, rows = _run(backend, feed, branches, CHUNK_TOKENS, every=True)
    totals = []
    for ids, logits in zip(encoded, rows, strict=True):
        steps = torch.cat([last[None], logits[:-1]]).double().log_softmax(-1)
        totals.append(steps[torch.arange(len(ids)), torch.tensor(ids)].sum())
    return answer(levels, as_array(torch.stack(totals)), 0.0)


def _common(ends: Sequence[Tokens]) -> int:
    """Tokens that all begin with; every one keeps at least its last for itself."""
    shortest = min(len(end) for end in ends) - 1
    stack = np.stack([end.ids[:shortest] for end in ends])
    differ = (stack != stack[0]).any(axis=0)
    return int(differ.argmax()) if differ.any() else shortest


def _whole_groups(frames: ImageU8, size: int) -> ImageU8 | None:
    if not len(frames):
        return None
    missing = -len(frames) % size
    return np.concatenate([frames, np.repeat(frames[-1:], missing, axis=0)]) if missing else frames


def _run(
    backend: Backend, trunk: Feed, branches: Sequence[Branch], chunk_tokens: int, every: bool
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Logits behind the trunk and behind each branch's last token (or every one of them)."""
    cache = backend.new_cache()
    # By itself, the trunk needs no mask: plain causal attention skips half of the work.
    past = len(trunk.tokens)
    behind = torch.zeros(0)
    if past:
        behind = backend.forward(
            torch.from_numpy(trunk.tokens.ids)[None],
            torch.from_numpy(trunk.tokens.positions)[:, None],
            [trunk.groups] if trunk.groups is not None else (),
            trunk.images,
            cache=cache,
        )[0, 0]
    found: list[torch.Tensor] = []
    for chunk in _chunks(branches, chunk_tokens):
        tokens = join([branch.tokens for branch in chunk])
        ends = np.cumsum([len(branch.tokens) for branch in chunk])
        # All groups stand in one stack: the vision tower looks at each by itself.
        video = [branch.frames for branch in chunk if branch.frames is not None]
        logits = backend.forward(
            torch.from_numpy(tokens.ids)[None],
            torch.from_numpy(tokens.positions)[:, None],
            [np.concatenate(video)] if video else (),
            mask=_mask(past, chunk).to(backend.device),
            cache=cache,
            rows=range(len(tokens)) if every else [int(end) - 1 for end in ends],
        )[0]
        sizes = [len(branch.tokens) if every else 1 for branch in chunk]
        found.extend(torch.split(logits, sizes))
        crop(cache, past)
    return behind, found


def _chunks(branches: Sequence[Branch], limit: int) -> list[list[Branch]]:
    chunks: list[list[Branch]] = []
    total = limit
    for branch in branches:
        if total + len(branch.tokens) > limit:
            chunks.append([])
            total = 0
        chunks[-1].append(branch)
        total += len(branch.tokens)
    return chunks


def _mask(trunk: int, chunk: Sequence[Branch]) -> torch.Tensor:
    """What sees what: ``[1, 1, tokens of the branches, trunk + tokens of the branches]`` bool."""
    total = sum(len(branch.tokens) for branch in chunk)
    mask = torch.zeros(total, trunk + total, dtype=torch.bool)
    at = 0
    for branch in chunk:
        count = len(branch.tokens)
        mask[at : at + count, : branch.sees] = True
        block = torch.ones(count, count, dtype=torch.bool).tril()
        mask[at : at + count, trunk + at : trunk + at + count] = block
        at += count
    return mask[None, None]
