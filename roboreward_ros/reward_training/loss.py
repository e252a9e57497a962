# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Losses of one optimiser step: on the answer tokens, and on what the hidden states tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from roboreward_ros.reward_training.dataset import Int64Array
from roboreward_ros.reward_training.network import read, see
from roboreward_ros.reward_training.packing import Batch, Packed, Packer, collate
from roboreward_ros.reward_training.sampling import Video, sizes
from roboreward_ros.rewards.vlm.backend import Backend
from roboreward_ros.rewards.vlm.prompt import Order
from roboreward_ros.types import Float32Array


@dataclass(frozen=True, slots=True)
class Asked:
    """Hidden states of a batch's questions.

    Attributes:
        states: at the answers, in the order of clips and their questions ``[N, hidden]``.
        tokens: of the videos' groups ``[G, T, hidden]``.
        looked: privileged states of those groups ``[G, 2, D]``.
    """

    states: Tensor
    tokens: Tensor
    looked: Float32Array


def ask(
    backend: Backend,
    packer: Packer,
    videos: Sequence[Video],
    questions: Sequence[Sequence[str]],
    order: Order,
) -> Asked:
    """Ask each video its questions, one forward pass of tower and language model for all.

    Video first packs a video's questions into one sequence. Text first has nothing to share behind
    the task, so every question gets its own row; the tower still looks at each video once.
    """
    groups = [video.groups() for video in videos]
    size = videos[0].clip.size
    frames = np.concatenate([frames for frames, _ in groups])
    tokens = see(backend, backend.patching.rows(frames), len(frames) // 2, size)
    batch = _batch(packer, videos, questions, order, tokens.shape[1])
    states = read(backend.core, batch, tokens.flatten(0, 1))
    return Asked(states, tokens, np.concatenate([states for _, states in groups]))


def _batch(
    packer: Packer,
    videos: Sequence[Video],
    questions: Sequence[Sequence[str]],
    order: Order,
    tokens_per_group: int,
) -> Batch:
    packed: list[Packed] = []
    starts: list[int] = []
    start = 0
    for video, tasks, count in zip(videos, questions, sizes(videos), strict=True):
        bundles = [tasks] if order is Order.VIDEO_FIRST else [[task] for task in tasks]
        for bundle in bundles:
            packed.append(packer.pack(video.clip, bundle, order))
            starts.append(start)
        start += count * tokens_per_group
    return collate(packed, starts)


def answer_loss(backend: Backend, states: Tensor, labels: Int64Array) -> Tensor:
    """Cross entropy of the answer tokens over the whole vocabulary, mean over questions."""
    ids = torch.tensor(backend.rubric.ids)[torch.from_numpy(labels) - 1]
    return F.cross_entropy(backend.core.lm_head(states), ids)


def probabilities(backend: Backend, states: Tensor) -> tuple[Tensor, Tensor]:
    """Masses of the answers 1..5 ``[N, 5]``, normalised, and the mass on anything else ``[N]``."""
    logits = backend.core.lm_head(states).float()
    total = logits.logsumexp(dim=1)
    answers = logits[:, list(backend.rubric.ids)]
    on_answer = (answers.logsumexp(dim=1) - total).exp()
    return answers.softmax(dim=1), 1.0 - on_answer
