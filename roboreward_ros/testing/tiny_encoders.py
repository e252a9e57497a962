# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Folders with small random text and vision models, as transformers saves the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from roboreward_ros.wheels import prepare_torchvision

WORDS = ("open", "close", "put", "the", "drawer", "mushroom", "carrot", "on", "cloth", "plate")
TEXT_KINDS = ("distilbert", "t5", "siglip")
VISION_KINDS = ("vit", "dinov2", "siglip", "resnet")


def make_tiny_text(folder: Path, kind: str = "distilbert", words: Sequence[str] = WORDS) -> Path:
    """A text model of 8 numbers with a tokenizer that knows ``words``; returns the folder."""
    prepare_torchvision()
    import transformers

    torch.manual_seed(0)
    count = len(words) + 4
    if kind == "distilbert":
        config = transformers.DistilBertConfig(
            vocab_size=count, dim=8, n_layers=1, n_heads=2, hidden_dim=16
        )
        model = transformers.DistilBertModel(config)
    elif kind == "t5":
        config = transformers.T5Config(
            vocab_size=count, d_model=8, d_kv=4, d_ff=16, num_layers=1, num_heads=2
        )
        model = transformers.T5EncoderModel(config)
    else:
        model = transformers.SiglipModel(_siglip(count))
    model.save_pretrained(str(folder))
    _save_tokenizer(folder, words)
    return folder


def make_tiny_vision(folder: Path, kind: str = "vit", image_size: int = 32) -> Path:
    """A vision model of 8 numbers for square pictures; returns the folder."""
    prepare_torchvision()
    import transformers

    torch.manual_seed(1)
    sizes = {
        "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
        "image_size": image_size, "patch_size": 8,
    }  # fmt: skip
    if kind == "vit":
        model = transformers.ViTModel(transformers.ViTConfig(**sizes), add_pooling_layer=False)
    elif kind == "dinov2":
        model = transformers.Dinov2Model(transformers.Dinov2Config(**sizes))
    elif kind == "siglip":
        model = transformers.SiglipModel(_siglip(8, image_size))
    else:
        config = transformers.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], layer_type="basic"
        )
        model = transformers.ResNetModel(config)
    model.save_pretrained(str(folder))
    return folder


def _siglip(words: int, image_size: int = 32) -> object:
    from transformers import SiglipConfig

    sizes = {
        "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16
    }  # fmt: skip
    text = {
        **sizes, "vocab_size": words, "max_position_embeddings": 64, "projection_size": 8,
        "bos_token_id": None, "eos_token_id": None,
    }  # fmt: skip
    vision = {**sizes, "image_size": image_size, "patch_size": 8}
    return SiglipConfig(text_config=text, vision_config=vision)


def _save_tokenizer(folder: Path, words: Sequence[str]) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    special = ("<pad>", "<unk>", "</s>")
    vocabulary = {word: number for number, word in enumerate((*special, *words))}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", eos_token="</s>"
    ).save_pretrained(str(folder))
