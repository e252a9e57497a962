# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small Qwen3-VL from nothing: tokenizer over our own sentences, network, checkpoint folder.

The constant text of the question is one token of the vocabulary, and so is each time stamp: the
prompt is the ordinary one, but it takes a fifth of the time to read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from roboreward_ros.reward_training.config import ModelSize
from roboreward_ros.rewards.rubric import RUBRICS
from roboreward_ros.rewards.vlm.processors import Patching
from roboreward_ros.rewards.vlm.prompt import Family, question
from roboreward_ros.rewards.vlm.weights import Weights
from roboreward_ros.wheels import prepare_torchvision

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
STAMPS = 128
"""Time stamps of a tenth of a second each that are a token of their own; later ones are spelt."""
HALF = (0.5, 0.5, 0.5)


def make_tokenizer(sentences: Sequence[str]) -> PreTrainedTokenizerBase:
    """A byte-pair tokenizer by Qwen's rules that knows the words of ``sentences``."""
    prepare_torchvision()
    from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, trainers
    from transformers import Qwen2Tokenizer
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    texts = [f"{sentence} {sentence.split()[0]}" for sentence in sentences] * 4
    texts += [f"<{k / 10:.1f} seconds>\nANSWER: {k % 6}\nuser\nassistant" for k in range(100)]
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(texts, trainer)
    model = json.loads(raw.to_str())["model"]
    tokenizer = Qwen2Tokenizer(
        vocab=model["vocab"],
        merges=[(first, second) for first, second in model["merges"]],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    constant = [question("", version) for version in RUBRICS]
    constant += [f"<{k / 10:.1f} seconds>" for k in range(STAMPS)]
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in constant])
    return tokenizer


def build(size: ModelSize, sentences: Sequence[str], seed: int) -> Weights:
    """A network with random weights and its tokenizer, float32 on the CPU."""
    tokenizer = make_tokenizer(sentences)
    import transformers

    ids = {
        f"{m}_token_id": tokenizer.convert_tokens_to_ids(f"<|{m}_pad|>") for m in ("image", "video")
    }
    for marker in ("vision_start", "vision_end"):
        ids[f"{marker}_token_id"] = tokenizer.convert_tokens_to_ids(f"<|{marker}|>")
    width = size.hidden // size.heads
    third = width // 2 // 3
    grid = size.frame // size.patch
    config = transformers.Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": size.hidden,
            "intermediate_size": size.intermediate,
            "num_hidden_layers": size.layers,
            "num_attention_heads": size.heads,
            "num_key_value_heads": size.kv_heads,
            "head_dim": width,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10_000.0,
                "mrope_section": [width // 2 - 2 * third, third, third],
            },
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": None,
        },
        vision_config={
            "depth": size.vision_layers,
            "hidden_size": size.vision_hidden,
            "intermediate_size": size.vision_intermediate,
            "num_heads": size.vision_heads,
            "patch_size": size.patch,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": size.hidden,
            "num_position_embeddings": grid * grid,
            "deepstack_visual_indexes": [],
        },
        tie_word_embeddings=True,
        **ids,
    )
    config._attn_implementation = "sdpa"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.Qwen3VLForConditionalGeneration(config)
        with torch.no_grad():
            for weight in model.parameters():
                if weight.ndim > 1:
                    weight.mul_(size.weight_scale)
            model.model.visual.pos_embed.weight.copy_(_waves(grid, size.vision_hidden))
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    patching = Patching(size.patch, 2, 2, HALF, HALF)
    return Weights(model, tokenizer, Family.QWEN3_VL, patching, "new")


def _waves(grid: int, width: int) -> torch.Tensor:
    """Sines and cosines of row and column ``[grid^2, width]``, half as large as usual."""
    quarter = width // 4
    rates = 10.0 ** (-torch.arange(quarter) / quarter)
    line = torch.arange(grid)[:, None] * rates * 1.5
    wave = torch.cat([line.sin(), line.cos()], dim=1)
    rows, columns = wave.repeat_interleave(grid, 0), wave.repeat(grid, 1)
    both = torch.cat([rows, columns], dim=1)
    return 0.5 * torch.nn.functional.pad(both, (0, width - both.shape[1]))


def save(weights: Weights, folder: Path) -> None:
    """Write a checkpoint folder that the ordinary source (and transformers itself) loads."""
    import transformers

    model: PreTrainedModel = weights.model
    model.save_pretrained(str(folder))
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)  # the library keeps them from everybody else
    weights.tokenizer.save_pretrained(str(folder))
    side = weights.patching.patch
    shared = {"patch_size": side, "merge_size": 2, "temporal_patch_size": 2}
    budget = {"shortest_edge": 4 * side**2, "longest_edge": 1 << 24}
    images = transformers.Qwen2VLImageProcessor(
        **shared, size=budget, image_mean=HALF, image_std=HALF
    )
    videos = transformers.Qwen3VLVideoProcessor(**shared, size=budget, cap_pixels_per_frame=False)
    transformers.Qwen3VLProcessor(images, weights.tokenizer, videos).save_pretrained(str(folder))
