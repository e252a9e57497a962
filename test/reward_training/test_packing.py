# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Packed questions and the training pass against the ordinary forward pass of transformers."""

import numpy as np
import pytest
import torch
from invented_clips import SENTENCES, TINY

from roboreward_ros.reward_training.dataset import ClipSet
from roboreward_ros.reward_training.loss import answer_loss, ask
from roboreward_ros.reward_training.model import build
from roboreward_ros.reward_training.network import see
from roboreward_ros.reward_training.packing import Packer
from roboreward_ros.reward_training.sampling import Video, as_clip
from roboreward_ros.rewards.vlm.backend import Backend
from roboreward_ros.rewards.vlm.prompt import Family, Order, PromptConfig, scoring_prompt


@pytest.fixture(scope="module")
def backend() -> Backend:
    return Backend(build(TINY, SENTENCES, seed=0))


def videos(clips: ClipSet) -> list[Video]:
    """Two, three and four frames: one group, an odd last frame, two groups."""
    found = []
    for index in (0, 1, 2):
        frames, steps, states = clips.clip(index)
        found.append(Video(as_clip(frames, steps, 5.0), states))
    return found


def test_positions_are_the_librarys_own(backend: Backend) -> None:
    backend.self_check()


def test_the_question_is_short(backend: Backend) -> None:
    prompt = scoring_prompt(SENTENCES[0], PromptConfig(), Family.QWEN3_VL)
    assert len(backend.encoder.encode(prompt)) < 20
    assert backend.weights.tokenizer.decode(backend.encoder.encode(prompt)) == prompt


def test_the_tower_in_batches_is_the_librarys_tower(
    backend: Backend, reward_clips: ClipSet
) -> None:
    frames = np.concatenate([video.groups()[0] for video in videos(reward_clips)])
    rows = backend.patching.rows(frames)
    groups = len(frames) // 2
    with torch.no_grad():
        ours = see(backend, rows, groups, (64, 64))
        grid = torch.tensor([[groups, 4, 4]])
        theirs = backend.core.model.visual(rows, grid_thw=grid).pooler_output
    assert torch.allclose(ours.flatten(0, 1), theirs, atol=1e-5)


@pytest.mark.parametrize("order", list(Order))
def test_packed_answers_are_those_of_single_questions(
    backend: Backend, reward_clips: ClipSet, order: Order
) -> None:
    shown = videos(reward_clips)
    questions = [list(SENTENCES), list(SENTENCES[:1]), list(SENTENCES[1:])]
    with torch.no_grad():
        states = ask(backend, Packer(backend), shown, questions, order).states
        packed = backend.core.lm_head(states)[:, list(backend.rubric.ids)].numpy()
    single = [
        backend.score(
            scoring_prompt(task, PromptConfig(order=order), Family.QWEN3_VL), video.clip
        ).logits
        for video, tasks in zip(shown, questions, strict=True)
        for task in tasks
    ]
    assert np.abs(packed - np.array(single)).max() < 1e-4


@pytest.mark.parametrize("order", list(Order))
def test_packed_loss_and_gradient_are_those_of_single_questions(
    backend: Backend, reward_clips: ClipSet, order: Order
) -> None:
    shown = videos(reward_clips)
    labels = np.array([1, 5, 3] * 3)
    packer = Packer(backend)

    def gradients(loss: torch.Tensor) -> list[torch.Tensor]:
        parameters = list(backend.core.parameters())
        return list(torch.autograd.grad(loss, parameters, allow_unused=True))

    packed = answer_loss(
        backend, ask(backend, packer, shown, [list(SENTENCES)] * 3, order).states, labels
    )
    one_by_one = torch.stack(
        [
            answer_loss(
                backend,
                ask(backend, packer, [video], [[task]], order).states,
                labels[3 * v + t : 3 * v + t + 1],
            )
            for v, video in enumerate(shown)
            for t, task in enumerate(SENTENCES)
        ]
    ).mean()
    assert abs(packed.item() - one_by_one.item()) < 1e-5
    for first, second in zip(gradients(packed), gradients(one_by_one), strict=True):
        if first is None or second is None:
            assert first is second
        else:
            assert torch.allclose(first, second, atol=1e-4)
