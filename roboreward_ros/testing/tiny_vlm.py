# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoint folders with small random Qwen-VL models of both families, made in well under 1 s.

The classes, tokenizer rules and file formats are the real ones; only sizes and weights are not.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from roboreward_ros.rewards.rubric import RUBRICS
from roboreward_ros.rewards.vlm.clips import Clip
from roboreward_ros.rewards.vlm.prompt import Family, question
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
TASKS = ("open the drawer", "put the mushroom on the cloth", "close the drawer", "lift the cube")
LORA_TARGETS = (
    r".*language_model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)"
)


@dataclass(frozen=True, slots=True)
class TinySize:
    """Sizes of a model; the defaults have 0.3 M parameters. A zero is worked out from the others.

    Attributes:
        hidden: width of the text model.
        layers: its depth.
        heads: its attention heads.
        kv_heads: heads of keys and values; 0 for half of them.
        head_dim: width of a head; 0 for an even split.
        intermediate: width of its feed-forward layers; 0 for twice the width.
        vocabulary: rows of the embedding; 0 for what the tokenizer knows.
        vision_hidden: width of the vision tower.
        vision_layers: its depth.
        vision_heads: its attention heads.
        vision_intermediate: width of its feed-forward layers; 0 for twice the width.
        deepstack: its layers that feed the text model (Qwen3-VL).
        patch: side of a patch, pixels.
    """

    hidden: int = 64
    layers: int = 2
    heads: int = 4
    kv_heads: int = 0
    head_dim: int = 0
    intermediate: int = 0
    vocabulary: int = 0
    vision_hidden: int = 32
    vision_layers: int = 2
    vision_heads: int = 2
    vision_intermediate: int = 0
    deepstack: tuple[int, ...] = (0,)
    patch: int = 8


@functools.cache
def _vocabulary(more: tuple[str, ...] = ()) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Byte-pair vocabulary and merges over what our prompts say."""
    import json

    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    texts = [question(task, version) for task in TASKS for version in RUBRICS]
    texts += [f"<{k / 10:.1f} seconds> ANSWER: {k % 6}" for k in range(200)]
    texts += [text for text in more for _ in range(200)]
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [(first, second) for first, second in model["merges"]]


def make_tiny_vlm(
    folder: Path,
    family: Family = Family.QWEN3_VL,
    size: TinySize | None = None,
    seed: int = 0,
    words: tuple[str, ...] = (),
) -> Path:
    """Write model, tokenizer and preprocessing settings into ``folder``; returns it.

    ``words`` become tokens of their own, as they are of the real vocabulary.
    """
    size = size or TinySize()
    model, tokenizer = random_model(family, size, seed, words)
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    _save_processor(folder, family, tokenizer, size)
    return folder


def make_tokenizer(words: tuple[str, ...] = ()) -> PreTrainedTokenizerBase:
    """A byte-pair tokenizer by Qwen's rules over what our prompts say."""
    prepare_torchvision()
    from transformers import Qwen2Tokenizer

    vocab, merges = _vocabulary(words)
    tokenizer = Qwen2Tokenizer(
        vocab=vocab, merges=merges, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    return tokenizer


def random_model(
    family: Family, size: TinySize, seed: int = 0, words: tuple[str, ...] = ()
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model with random weights (on torch's default device and dtype), and its tokenizer."""
    tokenizer = make_tokenizer(words)
    import torch
    import transformers

    names = {
        Family.QWEN3_VL: ("Qwen3VLConfig", "Qwen3VLForConditionalGeneration"),
        Family.QWEN2_5_VL: ("Qwen2_5_VLConfig", "Qwen2_5_VLForConditionalGeneration"),
    }[family]
    markers = ("image", "video")
    ids = {f"{m}_token_id": tokenizer.convert_tokens_to_ids(f"<|{m}_pad|>") for m in markers}
    for m in ("vision_start", "vision_end"):
        ids[f"{m}_token_id"] = tokenizer.convert_tokens_to_ids(f"<|{m}|>")
    config = getattr(transformers, names[0])(
        text_config=_text_settings(family, size, tokenizer),
        vision_config=_vision_settings(family, size),
        tie_word_embeddings=True,
        **ids,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, names[1])(config).eval()
        if size.hidden < 1024:
            with torch.no_grad():
                for name, weight in model.named_parameters():
                    if weight.ndim > 1:  # the default is so small that answers hardly differ
                        weight.mul_(4.0 if "embed" not in name else 2.0)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model, tokenizer


def _text_settings(
    family: Family, size: TinySize, tokenizer: PreTrainedTokenizerBase
) -> dict[str, object]:
    width = size.head_dim or size.hidden // size.heads
    half, third = width // 2, width // 2 // 3
    settings: dict[str, object] = {
        "vocab_size": max(size.vocabulary, len(tokenizer)),
        "hidden_size": size.hidden,
        "intermediate_size": size.intermediate or 2 * size.hidden,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.kv_heads or size.heads // 2,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10_000.0,
            "mrope_section": [half - 2 * third, third, third],
        },
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None,
    }
    return settings | ({"head_dim": width} if family is Family.QWEN3_VL else {})


def _vision_settings(family: Family, size: TinySize) -> dict[str, object]:
    settings: dict[str, object] = {
        "depth": size.vision_layers,
        "hidden_size": size.vision_hidden,
        "intermediate_size": size.vision_intermediate or 2 * size.vision_hidden,
        "num_heads": size.vision_heads,
        "patch_size": size.patch,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": size.hidden,
    }
    if family is Family.QWEN3_VL:
        return settings | {
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": list(size.deepstack),
        }
    return settings | {
        "window_size": 4 * size.patch,
        "fullatt_block_indexes": [size.vision_layers - 1],
        "tokens_per_second": 2,
    }


def _save_processor(folder: Path, family: Family, tokenizer: object, size: TinySize) -> None:
    import transformers

    shared = {"patch_size": size.patch, "merge_size": 2, "temporal_patch_size": 2}
    budget = {"shortest_edge": 4 * size.patch**2, "longest_edge": 1 << 24}
    images = transformers.Qwen2VLImageProcessor(**shared, size=budget)
    if family is Family.QWEN3_VL:
        video = transformers.Qwen3VLVideoProcessor(
            **shared, size=budget, cap_pixels_per_frame=False
        )
        kind = transformers.Qwen3VLProcessor
    else:
        video = transformers.Qwen2VLVideoProcessor(**shared, size=budget)
        kind = transformers.Qwen2_5_VLProcessor
    kind(images, tokenizer, video).save_pretrained(str(folder))


def make_tiny_adapter(
    folder: Path, base: Path, zero: bool = False, whole: Sequence[str] = (), seed: int = 1
) -> Path:
    """Write a LoRA adapter for the model in ``base``.

    Args:
        folder: where to.
        base: folder of the model.
        zero: leave lora_B as it begins.
        whole: modules that are saved as a whole beside the LoRA.
        seed: of the weights.
    """
    prepare_torchvision()
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(str(base), local_files_only=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LoraConfig(
            r=4,
            lora_alpha=8,
            target_modules=LORA_TARGETS,
            task_type="CAUSAL_LM",
            modules_to_save=list(whole) or None,
        )
        tuned = get_peft_model(model, config)
        if not zero:
            for name, weight in tuned.named_parameters():
                if "lora_B" in name or "modules_to_save" in name:
                    torch.nn.init.normal_(weight, std=0.3)
    tuned.save_pretrained(str(folder))
    return folder


def random_clip(
    count: int, seed: int = 0, side: tuple[int, int] = (32, 48), stable: int | None = None
) -> Clip:
    """Noise at 2 frames a second; all of it on the grid unless ``stable`` says otherwise."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (count, *side, 3), dtype=np.uint8)
    times = tuple(0.5 * k for k in range(count))
    return Clip(frames, times, 0.5, count if stable is None else stable)
