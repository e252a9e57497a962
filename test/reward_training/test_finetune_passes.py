# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a step computes: against the library's own pass, packed against unpacked, what moves."""

from pathlib import Path

import numpy as np
import pytest
import torch
from finetune_toy import recipe, write_layout
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from roboreward_ros.reward_training.finetune.feeding import Feeder
from roboreward_ros.reward_training.finetune.material import Material, gather
from roboreward_ros.reward_training.finetune.network import (
    Answering,
    load_weights,
    losses,
    preference_losses,
    prepare,
)
from roboreward_ros.reward_training.finetune.recipe import Compute, FinetuneConfig
from roboreward_ros.reward_training.finetune.writing import Micro, Writing
from roboreward_ros.rewards.vlm.backend import Backend
from roboreward_ros.rewards.vlm.prompt import Family
from roboreward_ros.testing.tiny_vlm import TinySize, make_tiny_vlm

SMALL = TinySize(hidden=32, layers=2, vision_hidden=32, vision_layers=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_layout(tmp_path_factory.mktemp("labelled"), train=3, val=1)


@pytest.fixture(scope="module", params=list(Family))
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_vlm(tmp_path_factory.mktemp("model") / "base", request.param, SMALL)


class Bench:
    """A network with its examples."""

    def __init__(self, config: FinetuneConfig, frames: Path) -> None:
        self.material: Material = gather(config, frames)
        weights = load_weights(config, half=False)
        self.backend = Backend(weights)
        self.writing = Writing(self.backend, self.material.form, self.material.store)
        self.network: Answering = prepare(weights, config).eval()

    def micros(self, numbers: list[list[int]], packed: bool) -> list[Micro]:
        feeder = Feeder(self.writing, Compute(packed=packed, micro_tokens=100_000))
        bundles = [tuple(bundle) for bundle in numbers]
        return feeder.micros(self.material.train, bundles, self.material.form.replies, ended=True)

    def chances(self, micros: list[Micro]) -> Tensor:
        """By example and answer, whatever the order of the micro-batches."""
        found = {}
        for micro in micros:
            for reply, value in zip(micro.replies, self.network(micro), strict=True):
                found[reply.example, reply.answer] = value
        return torch.stack([found[key] for key in sorted(found)])


def bench(model: Path, data: Path, tmp_path: Path, **changes: object) -> Bench:
    return Bench(recipe(model, data, **changes), tmp_path / "frames")


@pytest.mark.parametrize("order", ["video_first", "text_first"])
def test_packed_loss_and_gradient_are_those_of_single_examples(
    model: Path, data: Path, tmp_path: Path, order: str
) -> None:
    options = {"frame_pixels": 2048, "order": order, "sampling": "grid", "max_frames": 5}
    toy = bench(model, data, tmp_path, options=options)
    bundles = [[0, 1, 2], [3, 4, 5], [7]]
    packed, single = toy.micros(bundles, True), toy.micros(bundles, False)
    assert len(single[0].batch.ids) == 7
    assert packed[0].grid.shape[0] < 0.5 * single[0].grid.shape[0]  # looks at each video once
    if order == "video_first":
        assert len(packed[0].batch.ids) == 3
        assert packed[0].batch.ids.numel() < 0.6 * single[0].batch.ids.numel()
    results = []
    for micros in (packed, single):
        loss = sum(losses(toy.network(m), m, torch.ones(len(m.replies))) for m in micros)
        moved = toy.network.trained()
        gradients = torch.autograd.grad(loss, list(moved.values()))
        results.append((loss.item(), gradients))
    (first, gradients), (second, others) = results
    assert first == pytest.approx(second, abs=1e-4)
    for name, a, b in zip(moved, gradients, others, strict=True):
        assert torch.allclose(a, b, atol=2e-4), name
        assert a.abs().max() > 0, name


def test_clips_of_one_video_on_a_grid_share_their_beginning(
    model: Path, data: Path, tmp_path: Path
) -> None:
    toy = bench(model, data, tmp_path, head="progress")
    packed, single = toy.micros([[0, 1, 2, 3]], True), toy.micros([[0, 1, 2, 3]], False)
    assert packed[0].grid.shape[0] == 4  # the first frame, which every question shows, is one
    assert single[0].grid.shape[0] == 7
    assert torch.allclose(toy.chances(packed), toy.chances(single), atol=1e-4)


@pytest.mark.parametrize("head", ["rubric", "progress", "completion", "contrast"])
def test_chances_are_those_of_the_librarys_own_pass(
    model: Path, data: Path, tmp_path: Path, head: str
) -> None:
    toy = bench(model, data, tmp_path, head=head)
    form, example = toy.material.form, toy.material.train[1]
    (micro,) = toy.micros([[1]], True)
    entry = toy.writing.entry(1, example, [example.right], False, toy.writing.pictures())
    with torch.no_grad():
        ours = float(toy.network(micro)[0])
        frames = toy.material.store.read(example.video)
        core = toy.backend.core
        inputs = library_inputs(
            toy,
            example.task,
            example.frames or form.frames(frames.count, frames.hz),
            frames,
            form.lead + form.answers[example.right],
        )
        logits = core(**inputs).logits[0].float()
    ids = inputs["input_ids"][0]
    count = micro.replies[0].tokens
    chance = -F.cross_entropy(logits[-count - 1 : -1], ids[-count:], reduction="sum")
    assert ours == pytest.approx(float(chance), abs=1e-3)
    assert entry.replies[0].tokens == count - 1  # without the token that ends the turn


def library_inputs(toy: Bench, task: str, shown: object, frames: object, reply: str) -> dict:
    """As transformers itself would be fed: positions and masks are its own."""
    backend, form = toy.backend, toy.material.form
    pixels = [toy_frame(toy, frames, index) for index in shown]
    prompt = form.prompt(task, backend.family)
    if form.video is None:
        feed = backend.encode(prompt, images=pixels, lead=reply + "<|im_end|>")
    else:
        from roboreward_ros.rewards.vlm.clips import Clip, select

        choice = select(frames.count, frames.hz, form.video.clip_config())
        clip = Clip(np.stack(pixels), choice.times_s, choice.seconds_per_frame)
        feed = backend.encode(prompt, clip, lead=reply + "<|im_end|>")
    ids = torch.from_numpy(feed.tokens.ids)[None]
    config = backend.core.config
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": (ids == config.video_token_id).long() * 2
        + (ids == config.image_token_id).long(),
    }
    if feed.groups is not None:
        inputs |= backend._pixels([feed.groups], "pixel_values_videos", "video_grid_thw")
        if backend.family is Family.QWEN2_5_VL:
            inputs["second_per_grid_ts"] = torch.tensor([feed.seconds_per_group])
    if feed.images:
        stacks = [image[None] for image in feed.images]
        inputs |= backend._pixels(stacks, "pixel_values", "image_grid_thw")
    return inputs


def toy_frame(toy: Bench, frames: object, index: int) -> np.ndarray:
    from roboreward_ros.rewards.vlm.clips import decode

    factor = toy.backend.patching.factor
    return decode([frames.images[index]], [0], toy.material.form.pixels, factor)[0]


def test_full_tuning_leaves_the_tower_and_moves_merger_and_language_model(
    model: Path, data: Path, tmp_path: Path
) -> None:
    moved = set(bench(model, data, tmp_path).network.trained())
    every = {name for name, _ in bench(model, data, tmp_path).network.named_parameters()}
    resting = every - moved
    assert resting
    assert all(".visual." in name and "merger" not in name for name in resting)


def test_lora_moves_its_matrices_and_the_merger(model: Path, data: Path, tmp_path: Path) -> None:
    network = bench(model, data, tmp_path, method="lora").network
    moved = network.trained()
    assert all("lora_" in name or "merger" in name for name in moved)
    assert any("lora_" in name for name in moved)
    assert any("merger" in name for name in moved)
    assert not [name for name in moved if "lora_" in name and "visual" in name]
    assert {parameter.dtype for parameter in moved.values()} == {torch.float32}


def test_preference_loss_is_the_papers(model: Path, data: Path, tmp_path: Path) -> None:
    toy = bench(model, data, tmp_path, head="contrast")
    (micro,) = toy.micros([[0, 1]], True)
    sums = torch.tensor([-1.0, -2.0, -3.0, -1.5])
    before = torch.tensor([-1.5, -1.5, -2.0, -2.0])
    loss = preference_losses(sums, before, micro, torch.ones(4), beta=0.5, sft=0.0)
    margins = np.array([(0.5 + 0.5), (-1.0 - 0.5)])
    assert float(loss) == pytest.approx(np.log1p(np.exp(-0.5 * margins)).sum(), abs=1e-6)
    both = preference_losses(sums, before, micro, torch.ones(4), beta=0.5, sft=2.0)
    lengths = [reply.tokens for reply in micro.replies]
    assert float(both - loss) == pytest.approx(2 * (1.0 / lengths[0] + 3.0 / lengths[2]), abs=1e-5)


def test_micro_batches_keep_to_their_size(model: Path, data: Path, tmp_path: Path) -> None:
    toy = bench(model, data, tmp_path)
    whole = toy.micros([[0, 1, 2], [3, 4, 5]], True)
    longest = max(micro.batch.ids.shape[1] for micro in whole)
    feeder = Feeder(toy.writing, Compute(micro_tokens=longest - 1))
    parts = feeder.micros(
        toy.material.train, [(0, 1, 2), (3, 4, 5)], toy.material.form.replies, True
    )
    assert len(parts) > 1
    assert all(micro.batch.ids.numel() < longest for micro in parts)
    numbers = sorted(reply.example for micro in parts for reply in micro.replies)
    assert numbers == [0, 1, 2, 3, 4, 5]
    assert torch.allclose(toy.chances(whole), toy.chances(parts), atol=1e-4)
