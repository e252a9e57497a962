# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sentences to numbers: bags of the trained words, or a frozen text model of transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from roboreward_ros.policies.text import Vocabulary
from roboreward_ros.policies.transformer.pretrained import load_part, load_tokenizer
from roboreward_ros.types import Float32Array

TEXT_FOLDER = "text"
MAX_WORDS = 64  # tokens of a sentence that are read
_REMEMBERED = 4096


class SentenceEncoder(Protocol):
    """Frozen numbers of a sentence."""

    @property
    def width(self) -> int:
        """V."""

    def embed(self, sentences: Sequence[str]) -> Float32Array:
        """``[B, V]`` float32.

        Raises:
            CheckpointError: a sentence that it cannot take.
        """


class WordBags:
    """Word frequencies over the trained sentences; refuses any other.

    Args:
        tasks: trained sentences.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self._vocabulary = Vocabulary(tasks)

    @property
    def width(self) -> int:
        return len(self._vocabulary.words)

    def embed(self, sentences: Sequence[str]) -> Float32Array:
        return self._vocabulary.bags(sentences)


class PretrainedText:
    """Mean last state over a sentence's tokens, at unit spread; each sentence is read once.

    Args:
        folder: model (safetensors) and tokenizer as transformers saves them. Of a two-tower or
            encoder-decoder model the text encoder is taken.
        device: torch device.

    Raises:
        CheckpointError: missing or damaged.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        config, model = load_part(folder, "text")
        self._tokenizer = load_tokenizer(folder)
        self._model = model.to(device).eval().requires_grad_(False)
        self._width = int(getattr(config, "hidden_size", 0) or config.d_model)
        self._known: dict[str, Float32Array] = {}

    @property
    def width(self) -> int:
        return self._width

    @torch.inference_mode()
    def embed(self, sentences: Sequence[str]) -> Float32Array:
        new = dict.fromkeys(s for s in sentences if s not in self._known)
        for sentence in new:
            # One at a time: padding changes the rounding, and a policy must not depend on company.
            self._known[sentence] = self._read(sentence)
        rows = np.stack([self._known[sentence] for sentence in sentences])
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        return rows

    def save(self, folder: Path) -> None:
        """Write model and tokenizer into a policy's folder."""
        self._model.save_pretrained(str(folder))
        self._tokenizer.save_pretrained(str(folder))

    def _read(self, sentence: str) -> Float32Array:
        tokens = self._tokenizer(
            sentence, truncation=True, max_length=MAX_WORDS, return_tensors="pt"
        )
        wanted: Mapping[str, Tensor] = {
            name: tokens[name].to(self._model.device) for name in ("input_ids", "attention_mask")
        }
        states: Tensor = self._model(**wanted).last_hidden_state[0]
        mean = states.mean(dim=0)
        unit = (mean - mean.mean()) / mean.std().clamp(min=1e-6)
        found: Float32Array = unit.cpu().numpy()
        return found


def open_sentences(folder: Path, tasks: Sequence[str], device: str = "cpu") -> SentenceEncoder:
    """The text model of a policy's folder, or bags of its tasks' words where there is none."""
    if (folder / TEXT_FOLDER).is_dir():
        return PretrainedText(folder / TEXT_FOLDER, device)
    return WordBags(tasks)
