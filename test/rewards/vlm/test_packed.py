# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Many questions about one video in one pass equal as many passes."""

import dataclasses

import numpy as np
import pytest
import torch

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.vlm.clips import Clip
from roboreward_ros.rewards.vlm.packed import score_instructions, score_prefixes, score_sequences
from roboreward_ros.rewards.vlm.prompt import (
    IMAGE_TRIPLE,
    Order,
    PromptConfig,
    chat,
    scoring_prompt,
)
from roboreward_ros.testing.tiny_vlm import random_clip

TOLERANCE = 1e-4
TASKS = ("open the drawer", "lift the cube", "put the mushroom on the cloth", "close it", "wave")


def prompt_of(backend, task=TASKS[0], order=Order.VIDEO_FIRST):
    return scoring_prompt(task, PromptConfig(order=order), backend.family)


def assert_equal(answers, fresh):
    for answer, wanted in zip(answers, fresh, strict=True):
        np.testing.assert_allclose(answer.logits, wanted.logits, atol=TOLERANCE)


@pytest.mark.parametrize("chunk", [1, 500, 10_000])
@pytest.mark.parametrize("count", [1, 6, 7])
def test_many_instructions_on_one_video(backend, count, chunk):
    clip = random_clip(count)
    prompts = [prompt_of(backend, task) for task in TASKS]
    packed = score_instructions(backend, prompts, clip, chunk_tokens=chunk)
    assert_equal(packed, [backend.score(prompt, clip) for prompt in prompts])


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("chunk", [1, 10_000])
def test_many_prefixes_of_one_episode(backend, order, chunk):
    clip = random_clip(7)
    prompt = prompt_of(backend, order=order)
    clips = [clip.prefix(count) for count in (7, 1, 2, 5, 6)]
    packed = score_prefixes(backend, prompt, clips, chunk_tokens=chunk)
    assert_equal(packed, [backend.score(prompt, part) for part in clips])


def test_prefixes_that_end_off_the_grid(backend):
    clip = random_clip(6)
    tail = random_clip(1, seed=5).frames
    prompt = prompt_of(backend, order=Order.TEXT_FIRST)
    clips = [
        Clip(
            np.concatenate([clip.frames[:count], tail]),
            (*clip.times_s[:count], clip.times_s[count - 1] + 0.2),
            clip.seconds_per_frame,
            count,
        )
        for count in (1, 4, 5, 6)
    ]
    assert_equal(
        score_prefixes(backend, prompt, clips), [backend.score(prompt, part) for part in clips]
    )


def test_a_single_frame_alone_has_no_trunk(plain):
    clip = random_clip(1)
    prompt = prompt_of(plain)
    assert_equal(score_prefixes(plain, prompt, [clip, clip]), [plain.score(prompt, clip)] * 2)


@pytest.mark.parametrize("images", [1, 2])
def test_answers_of_several_tokens_are_scored_as_wholes(backend, images):
    pictures = [clip.frames[0] for clip in (random_clip(1, seed=k) for k in range(images))]
    prompt = chat(IMAGE_TRIPLE * images + "How far is it?", "auto", backend.family)
    feed = backend.encode(prompt, images=pictures, lead='{"completion_progress": ')
    texts = [f"{k / 10:g}}}" for k in range(11)]
    packed = score_sequences(backend, feed, texts, [k / 10 for k in range(11)])
    for text, total in zip(texts, packed.logits, strict=True):
        ids = backend.encoder.encode(text)
        wanted = 0.0
        for step in range(len(ids)):
            lead = '{"completion_progress": ' + backend.weights.tokenizer.decode(ids[:step])
            logits = backend.last_logits([backend.encode(prompt, images=pictures, lead=lead)])[0]
            wanted += float(logits.double().log_softmax(-1)[ids[step]])
        assert total == pytest.approx(wanted, abs=1e-3)
    assert sum(packed.probabilities) == pytest.approx(1)
    assert packed.off_answer_mass == pytest.approx(1 - np.exp(packed.logits).sum(), abs=1e-6)


def test_branches_do_not_see_each_other(plain):
    clip = random_clip(4)
    alone = score_instructions(plain, [prompt_of(plain, TASKS[1])], clip)[0]
    crowd = score_instructions(plain, [prompt_of(plain, task) for task in TASKS], clip)[1]
    np.testing.assert_allclose(alone.logits, crowd.logits, atol=TOLERANCE)


def test_what_cannot_be_packed_is_refused(plain):
    clip = random_clip(4)
    prompts = [prompt_of(plain, task, Order.TEXT_FIRST) for task in TASKS]
    with pytest.raises(ConfigError, match="video_first"):
        score_instructions(plain, prompts, clip)
    shifted = dataclasses.replace(clip, times_s=tuple(t + 0.1 for t in clip.times_s))
    with pytest.raises(ConfigError, match="grid"):
        score_prefixes(plain, prompts[0], [clip, shifted])


def test_what_all_instructions_begin_with_is_computed_once(plain, monkeypatch):
    tokens = []
    forward = plain.forward

    def counting(ids, *args, **kwargs):
        tokens.append(ids.shape[1])
        return forward(ids, *args, **kwargs)

    clip = random_clip(4)
    prompts = [prompt_of(plain, task) for task in TASKS]
    wanted = [plain.score(prompt, clip) for prompt in prompts]
    longest = max(len(plain.encode(prompt, clip).tokens) for prompt in prompts)
    monkeypatch.setattr(plain, "forward", counting)
    assert_equal(score_instructions(plain, prompts, clip), wanted)
    assert sum(tokens) < 2 * longest
    same = score_instructions(plain, prompts[:1] * 3, clip)
    assert_equal(same, wanted[:1] * 3)


def test_the_video_and_all_short_questions_take_one_pass_each(plain, monkeypatch):
    passes = []
    forward = plain.forward

    def counting(ids, *args, **kwargs):
        passes.append(ids.shape[1])
        return forward(ids, *args, **kwargs)

    monkeypatch.setattr(plain, "forward", counting)
    clip = random_clip(6)
    before, after = "<|vision_start|>", "<|vision_end|>"
    prompts = [f"{before}<|video_pad|>{after}{task}" for task in TASKS]
    score_instructions(plain, prompts, clip)
    assert len(passes) == 2
    assert torch.is_inference_mode_enabled() is False
