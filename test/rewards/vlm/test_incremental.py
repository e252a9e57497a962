# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A growing episode scored step by step equals a fresh prefill of every prefix."""

import dataclasses

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.vlm.clips import Clip
from roboreward_ros.rewards.vlm.incremental import IncrementalScorer
from roboreward_ros.rewards.vlm.prompt import Order, PromptConfig, scoring_prompt, split_video
from roboreward_ros.testing.tiny_vlm import random_clip

TOLERANCE = 1e-4


def prompts(backend, order, task="open the drawer"):
    prompt = scoring_prompt(task, PromptConfig(order=order), backend.family)
    return prompt, *split_video(prompt)


def difference(answer, fresh):
    return float(np.abs(np.array(answer.logits) - np.array(fresh.logits)).max())


@pytest.mark.parametrize("order", Order)
def test_every_prefix_equals_a_fresh_prefill(backend, order):
    prompt, before, after = prompts(backend, order)
    clip = random_clip(9)
    scorer = IncrementalScorer(backend, before, clip.seconds_per_frame)
    for count in range(1, 10):
        scorer.push(clip.frames[count - 1], clip.times_s[count - 1])
        answer = scorer.score(after)
        assert difference(answer, backend.score(prompt, clip.prefix(count))) <= TOLERANCE
        assert scorer.frames == count
        assert scorer.cached_groups == count // 2, "an odd last frame must not be kept"


def test_frames_may_come_in_bursts(backend):
    prompt, before, after = prompts(backend, Order.VIDEO_FIRST)
    clip = random_clip(11)
    scorer = IncrementalScorer(backend, before, clip.seconds_per_frame)
    at = 0
    for burst in (1, 4, 2, 3, 1):
        for index in range(at, at + burst):
            scorer.push(clip.frames[index], clip.times_s[index])
        at += burst
        answer = scorer.score(after)
        assert difference(answer, backend.score(prompt, clip.prefix(at))) <= TOLERANCE


@pytest.mark.parametrize("count", [1, 4, 5])
def test_a_last_frame_off_the_grid_leaves_no_trace(backend, count):
    prompt, before, after = prompts(backend, Order.TEXT_FIRST)
    clip = random_clip(count + 2)
    tail = random_clip(1, seed=9).frames[0]
    scorer = IncrementalScorer(backend, before, clip.seconds_per_frame)
    for index in range(count):
        scorer.push(clip.frames[index], clip.times_s[index])
    time_s = clip.times_s[count - 1] + 0.2
    with_tail = Clip(
        np.concatenate([clip.frames[:count], tail[None]]),
        (*clip.times_s[:count], time_s),
        clip.seconds_per_frame,
    )
    answer = scorer.score(after, tail, time_s)
    assert difference(answer, backend.score(prompt, with_tail)) <= TOLERANCE
    for index in range(count, count + 2):
        scorer.push(clip.frames[index], clip.times_s[index])
    assert difference(scorer.score(after), backend.score(prompt, clip)) <= TOLERANCE


def test_another_question_and_an_earlier_moment(backend):
    _, before, after = prompts(backend, Order.VIDEO_FIRST)
    other, _, after_other = prompts(backend, Order.VIDEO_FIRST, "lift the cube")
    prompt = before + "<|video_pad|>" + after
    clip = random_clip(8)
    scorer = IncrementalScorer(backend, before, clip.seconds_per_frame)
    for frame, time_s in zip(clip.frames, clip.times_s, strict=True):
        scorer.push(frame, time_s)
    assert difference(scorer.score(after), backend.score(prompt, clip)) <= TOLERANCE
    assert difference(scorer.score(after_other), backend.score(other, clip)) <= TOLERANCE
    scorer.rewind(2)
    assert scorer.frames == 4
    assert difference(scorer.score(after), backend.score(prompt, clip.prefix(4))) <= TOLERANCE
    inverted = dataclasses.replace(clip, frames=255 - clip.frames).prefix(7)
    scorer.rewind(0)
    for frame, time_s in zip(inverted.frames, inverted.times_s, strict=True):
        scorer.push(frame, time_s)
    assert difference(scorer.score(after), backend.score(prompt, inverted)) <= TOLERANCE
    with pytest.raises(ConfigError, match=r"0\.\.3 groups"):
        scorer.rewind(4)


def test_work_of_a_step_does_not_grow_with_the_episode(plain, monkeypatch):
    _, before, after = prompts(plain, Order.TEXT_FIRST)
    clip = random_clip(40, side=(16, 16))
    scorer = IncrementalScorer(plain, before, clip.seconds_per_frame)
    tokens = []
    forward = plain.forward

    def counting(ids, *args, **kwargs):
        tokens.append(ids.shape[1])
        return forward(ids, *args, **kwargs)

    monkeypatch.setattr(plain, "forward", counting)
    for frame, time_s in zip(clip.frames, clip.times_s, strict=True):
        scorer.push(frame, time_s)
        scorer.score(after)
    assert max(tokens[4:]) < 60, "stamp, markers, tokens of at most one pair, end of the prompt"


def test_a_failed_step_can_be_tried_again(plain, monkeypatch):
    prompt, before, after = prompts(plain, Order.VIDEO_FIRST)
    clip = random_clip(6)
    scorer = IncrementalScorer(plain, before, clip.seconds_per_frame)
    for index in range(2):
        scorer.push(clip.frames[index], clip.times_s[index])
    scorer.score(after)
    for index in range(2, 6):
        scorer.push(clip.frames[index], clip.times_s[index])

    def broken(*args):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(plain.core.lm_head, "forward", broken)
        with pytest.raises(RuntimeError, match="memory"):
            scorer.score(after)
    assert difference(scorer.score(after), plain.score(prompt, clip)) <= TOLERANCE


def test_the_comparison_would_notice_a_cached_odd_frame(backends):
    """Control: had the repeated last frame been kept, the scores would be far off."""
    backend = backends("qwen2_5_vl")
    prompt, _, _ = prompts(backend, Order.VIDEO_FIRST)
    clip = random_clip(4)
    wrong = dataclasses.replace(clip, frames=clip.frames[[0, 0, 2, 3]])
    assert difference(backend.score(prompt, wrong), backend.score(prompt, clip)) > 100 * TOLERANCE


def test_nothing_to_score_is_said(plain):
    with pytest.raises(ConfigError, match="no frame"):
        IncrementalScorer(plain, "", 0.5).score("x")
