# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far a model's answers are off on held-out clips, while it learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from roboreward_ros.reward_training.dataset import ClipSet, Int64Array
from roboreward_ros.reward_training.loss import ask, probabilities
from roboreward_ros.reward_training.packing import Packer
from roboreward_ros.reward_training.sampling import Video, as_clip
from roboreward_ros.rewards.vlm.backend import Backend
from roboreward_ros.rewards.vlm.prompt import Order
from roboreward_ros.types import FloatArray

CHUNK = 32


@dataclass(frozen=True, slots=True)
class Validation:
    """Errors of the most likely answer.

    Attributes:
        mae: mean of ``own`` and ``others``.
        own: mean absolute error under the scenes' own sentences.
        others: under sentences about other things of the scene.
        absent: under sentences about things that are not there.
        false_positives: share of questions with truth <= 2 that are answered 5.
        entropy: mean, nats.
    """

    mae: float
    own: float
    others: float
    absent: float
    false_positives: float
    entropy: float


@torch.no_grad()
def answers(
    backend: Backend,
    packer: Packer,
    clips: ClipSet,
    chosen: Int64Array,
    questions: Sequence[Int64Array],
    order: Order,
) -> tuple[FloatArray, FloatArray]:
    """Masses of 1..5 ``[N, 5]`` and off-answer mass ``[N]``, clip after clip.

    Args:
        backend: the model.
        packer: of its prompts.
        clips: data.
        chosen: which clips.
        questions: numbers of the sentences asked about each.
        order: of the prompt.
    """
    backend.core.eval()
    sentences = clips.vocabulary.sentences
    found, off = [], []
    for start in range(0, len(chosen), CHUNK):
        part = chosen[start : start + CHUNK]
        videos = []
        for index in part:
            frames, steps, states = clips.clip(int(index))
            videos.append(Video(as_clip(frames, steps, clips.vocabulary.control_hz), states))
        texts = [[sentences[k] for k in asked] for asked in questions[start : start + CHUNK]]
        states_ = ask(backend, packer, videos, texts, order).states
        masses, beside = probabilities(backend, states_)
        found.append(masses.double().numpy())
        off.append(beside.double().numpy())
    return np.concatenate(found), np.concatenate(off)


def validate(
    backend: Backend, packer: Packer, clips: ClipSet, count: int, seed: int, others: int = 4
) -> Validation:
    """Ask ``count`` clips their own question and ``others`` more, half in each order."""
    rng = np.random.default_rng((seed, 99))
    chosen = np.sort(rng.choice(len(clips), min(count, len(clips)), replace=False))
    swaps = clips.vocabulary.swaps
    own, absent = swaps.index("own"), swaps.index("absent")
    questions = []
    for index in chosen:
        noise = rng.gumbel(size=len(clips.vocabulary.sentences))
        noise += np.where(clips.swaps[index] == own, 100.0, 0.0)
        noise -= np.where(clips.swaps[index] == absent, 2.5, 0.0)
        questions.append(np.sort(np.argsort(-noise)[: 1 + others]))
    half = len(chosen) // 2
    parts = []
    for order, at in zip(Order, (slice(0, half), slice(half, None)), strict=True):
        if len(chosen[at]):
            parts.append(answers(backend, packer, clips, chosen[at], questions[at], order)[0])
    masses = np.concatenate(parts)
    owners = np.repeat(chosen, [len(q) for q in questions])
    numbers = np.concatenate(questions)
    truth = clips.labels[owners, numbers].astype(int)
    kind = clips.swaps[owners, numbers]
    guess = masses.argmax(axis=1) + 1
    error = np.abs(guess - truth)
    low = truth <= 2
    entropy = -(masses * np.log(np.maximum(masses, 1e-12))).sum(axis=1)

    def mean(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
        return float(error[mask].mean()) if mask.any() else float("nan")

    mine, other = mean(kind == own), mean((kind != own) & (kind != absent))
    return Validation(
        mae=0.5 * (mine + other),
        own=mine,
        others=other,
        absent=mean(kind == absent),
        false_positives=float((guess[low] == 5).mean()),
        entropy=float(entropy.mean()),
    )
