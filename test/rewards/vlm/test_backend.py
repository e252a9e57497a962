# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.vlm.backend import Backend
from roboreward_ros.rewards.vlm.processors import load_processor
from roboreward_ros.rewards.vlm.prompt import (
    VIDEO_TRIPLE,
    Family,
    Order,
    PromptConfig,
    VideoForm,
    scoring_prompt,
)
from roboreward_ros.rewards.vlm.settings import Dtype, WeightsConfig
from roboreward_ros.rewards.vlm.weights import load
from roboreward_ros.testing.tiny_vlm import random_clip


def prompt_for(backend, task="open the drawer", order=Order.VIDEO_FIRST, form=VideoForm.AUTO):
    return scoring_prompt(task, PromptConfig(order=order, video_form=form), backend.family)


def library_inputs(backend, folder, prompt, clip):
    """The library's own processor on the same frames."""
    processor = load_processor(folder)
    rate = 1 / clip.seconds_per_frame
    metadata = {
        "fps": rate,
        "total_num_frames": len(clip.times_s),
        "frames_indices": [round(t * rate) for t in clip.times_s],
    }
    frames = torch.from_numpy(clip.frames).permute(0, 3, 1, 2)
    return processor(
        text=[prompt],
        videos=[frames],
        do_sample_frames=False,
        do_resize=False,
        video_metadata=[metadata],
        return_tensors="pt",
    )


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("count", [1, 4, 7])
def test_our_input_is_the_library_processors(plain, tiny, order, count):
    clip = random_clip(count)
    # The library keeps the markers around the placeholder, so the wrapped form is what it can make.
    prompt = prompt_for(plain, order=order, form=VideoForm.WRAPPED)
    feed = plain.encode(prompt, clip)
    wanted = library_inputs(plain, tiny(plain.family), prompt, clip)
    assert feed.tokens.ids.tolist() == wanted["input_ids"][0].tolist()
    rows = plain.patching.rows(clip.frames)
    assert torch.allclose(rows, wanted["pixel_values_videos"], atol=1e-6)
    extra = {k: v for k, v in wanted.items() if k in {"second_per_grid_ts", "video_grid_thw"}}
    if "second_per_grid_ts" in extra:
        extra["second_per_grid_ts"] = torch.as_tensor(extra["second_per_grid_ts"])
    positions, _ = plain.core.model.get_rope_index(
        wanted["input_ids"],
        mm_token_type_ids=wanted["mm_token_type_ids"],
        attention_mask=wanted["attention_mask"],
        **extra,
    )
    assert positions[:, 0].tolist() == feed.tokens.positions.tolist()


@pytest.mark.parametrize("count", [2, 5])
def test_one_prefill_is_what_greedy_generation_decides(backend, count):
    clip = random_clip(count, seed=count)
    for index, task in enumerate(("open the drawer", "lift the cube")):
        feed = backend.encode(prompt_for(backend, task), clip, lead=backend.rubric.lead)
        ours = backend.last_logits([feed])[0]
        ids = torch.from_numpy(feed.tokens.ids)[None]
        printed = backend.generate(feed, 1)
        assert printed == backend.weights.tokenizer.decode(
            [int(ours.argmax())], skip_special_tokens=True
        )
        answer = backend.score(prompt_for(backend, task), clip)
        digits = list(backend.rubric.ids)
        assert answer.argmax == 1 + int(ours[digits].argmax())
        full = ours.double().softmax(-1)[digits]
        np.testing.assert_allclose(
            answer.probabilities, (full / full.sum()).numpy(), rtol=1e-5, err_msg=str(index)
        )
        assert answer.off_answer_mass == pytest.approx(1 - float(full.sum()), abs=1e-6)
        assert ids.shape[1] == len(feed.tokens)


def test_generation_restricted_to_the_answers_prints_the_argmax(backend):
    clip = random_clip(6, seed=3)
    for seed in range(4):
        clip = random_clip(6, seed=seed)
        feed = backend.encode(prompt_for(backend), clip, lead=backend.rubric.lead)
        text = backend.generate(feed, 1, only=backend.rubric.ids)
        assert float(text) == backend.score(prompt_for(backend), clip).argmax


def test_ragged_batches_score_as_single_ones(backend):
    tasks = ("open the drawer", "put the mushroom on the cloth", "lift the cube")
    items = [
        (prompt_for(backend, task), random_clip(count, seed=count))
        for task, count in zip(tasks, (7, 2, 4), strict=True)
    ]
    together = backend.score_batch(items)
    for (prompt, clip), batched in zip(items, together, strict=True):
        single = backend.score(prompt, clip)
        np.testing.assert_allclose(batched.logits, single.logits, atol=1e-4)


def test_every_frame_and_word_can_change_the_answer(backend):
    clip = random_clip(8, seed=1)
    base = np.array(backend.score(prompt_for(backend), clip).logits)
    for index in (0, 3, 7):
        frames = clip.frames.copy()
        frames[index] = 255 - frames[index]
        changed = type(clip)(frames, clip.times_s, clip.seconds_per_frame)
        other = np.array(backend.score(prompt_for(backend), changed).logits)
        assert np.abs(other - base).max() > 1e-3
    other = np.array(backend.score(prompt_for(backend, "close the drawer"), clip).logits)
    assert np.abs(other - base).max() > 1e-3


def test_an_adapter_changes_the_answers(backends):
    for name in Family:
        clip = random_clip(4)
        plain, tuned = backends(name.value), backends(f"{name.value}+lora")
        first = np.array(plain.score(prompt_for(plain), clip).logits)
        second = np.array(tuned.score(prompt_for(tuned), clip).logits)
        assert np.abs(first - second).max() > 1e-2
        assert "+" in tuned.weights.identity
        assert "+" not in plain.weights.identity


def test_bare_and_wrapped_videos_differ_by_two_tokens(backends):
    backend = backends("qwen3_vl")
    clip = random_clip(4)
    bare = backend.encode(prompt_for(backend, form=VideoForm.BARE), clip)
    wrapped = backend.encode(prompt_for(backend, form=VideoForm.WRAPPED), clip)
    assert len(wrapped.tokens) == len(bare.tokens) + 2
    with pytest.raises(ConfigError, match="auto, wrapped"):
        prompt_for(backends("qwen2_5_vl"), form=VideoForm.BARE)


def test_a_prompt_and_its_video_must_belong_together(plain):
    clip = random_clip(2)
    with pytest.raises(ConfigError, match="once"):
        plain.encode("no video here", clip)
    with pytest.raises(ConfigError, match="once"):
        plain.encode(VIDEO_TRIPLE + VIDEO_TRIPLE, clip)
    with pytest.raises(ConfigError, match="none is given"):
        plain.encode(VIDEO_TRIPLE)


def test_positions_are_checked_against_the_model(plain):
    plain.self_check()


@pytest.mark.parametrize("family", Family)
def test_bfloat16_says_about_the_same(tiny, backends, family):
    exact = backends(family.value)
    config = WeightsConfig(str(tiny(family)), device="cpu", dtype=Dtype.BFLOAT16)
    rough = Backend(load(config))
    prompt, clip = prompt_for(exact), random_clip(5)
    first, second = exact.score(prompt, clip), rough.score(prompt, clip)
    gap = np.abs(np.array(first.probabilities) - np.array(second.probabilities)).max()
    assert 0 < gap < 0.1
