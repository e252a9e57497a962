# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Octo by octo-pytorch's layout: a diffusion head over what a transformer read off.

What the head reads off, one vector, is the features; decoding needs nothing else. The head was
trained for the ancestral sampler with every noisy chunk clipped to +-5; here DDIM at eta = 0 clips
the clean chunk. A wrist camera's tokens are left out, as its makers do where there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.adapters.base import Adapter
from roboreward_ros.policies.adapters.card import CARD_FILE, AdapterCard, load_card
from roboreward_ros.policies.adapters.files import fit, identity, read_tensors, require
from roboreward_ros.policies.adapters.octo_config import (
    CONFIG_FILE,
    STATISTICS_FILE,
    OctoConfig,
    read_config,
)
from roboreward_ros.policies.adapters.octo_network import Octo, text_config
from roboreward_ros.policies.adapters.schedule import Betas, Ddim, Predicts, alpha_bars
from roboreward_ros.policies.adapters.tokens import read_tokenizer
from roboreward_ros.types import ACTION_DIM, Float32Array, FloatArray, ImageU8, PolicySpec

WEIGHTS_FILE = "octo.safetensors"
TOKENIZER_FILE = "tokenizer.json"
DEFAULT_STEPS = 10
_TEXT = "octo_transformer.task_tokenizers.language.hf_model."
_PAD, _END = "<pad>", "</s>"
_WRIST = (
    "octo_transformer.observation_tokenizers.wrist.",
    "octo_transformer.obs_projections.obs_wrist_projection.",
    "octo_transformer.obs_wrist_pos_embedding",
)


def describe(folder: Path) -> PolicySpec:
    """The policy's spec, without loading its weights.

    Raises:
        CheckpointError, ConfigError: files missing or damaged, values out of range.
    """
    return _spec(folder, read_config(folder), load_card(folder))


class OctoPolicy(Adapter):
    """See the module's text.

    Args:
        folder: weights, the upstream's configuration and statistics, T5's tokenizer.
        device: torch device.

    Raises:
        CheckpointError, ConfigError: as of ``describe``; weights or tokens that do not fit.
    """

    interpolation = cv2.INTER_LANCZOS4

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        config, card = read_config(folder), load_card(folder)
        super().__init__(_spec(folder, config, card), (config.image_size,) * 2, device)
        weights = {
            name.removeprefix("module."): value
            for name, value in read_tensors(folder / WEIGHTS_FILE).items()
        }
        weights = {k: v for k, v in weights.items() if not k.startswith(_WRIST)}
        try:
            text = text_config(weights, _TEXT)
        except (KeyError, ValueError) as error:
            raise CheckpointError("the text encoder is no T5", got=f"missing {error}") from None
        with torch.device("meta"):
            network = Octo(config, text)
        fit(network, weights, "Octo")
        self._network = network.to(device).eval().requires_grad_(False)
        self._config = config
        self._tokenizer = _tokenizer(folder / TOKENIZER_FILE, config.words)
        if self._tokenizer.get_vocab_size() > text.vocab_size:
            raise CheckpointError(
                "the tokenizer has more words than the policy",
                got=self._tokenizer.get_vocab_size(),
                allowed=f"at most {text.vocab_size}",
            )
        powers = alpha_bars(Betas.COSINE, config.diffusion_steps, 0.0, 0.0)
        count = card.sample_steps or min(DEFAULT_STEPS, config.diffusion_steps)
        self._sampler = Ddim.leading(powers, count, Predicts.EPSILON, config.clip, consistent=True)
        self._sentences: dict[str, Tensor] = {}

    def features(self, frames: Tensor, proprio: FloatArray, tasks: Sequence[str]) -> Tensor:
        present = torch.from_numpy(_present(frames.cpu().numpy(), proprio)).to(self._device)
        sentences = torch.cat([self._sentence(task) for task in tasks])
        found: Tensor = self._network.octo_transformer(frames, sentences, present)
        return found

    def chunks(self, features: Tensor, noise: Tensor) -> Float32Array:
        unit = self._sampler.sample(
            lambda x, step: self._network.predict(x, step, features), noise.flatten(1)
        )
        chunk: Float32Array = unit.reshape(len(unit), -1, ACTION_DIM).cpu().numpy()
        return self._config.action.restore(chunk)

    def _sentence(self, task: str) -> Tensor:
        """Tokens of a sentence ``[1, words, D]``; T5 reads each sentence once."""
        if task not in self._sentences:
            read = self._tokenizer.encode(task)
            ids = torch.tensor([read.ids], device=self._device)
            mask = torch.tensor([read.attention_mask], device=self._device)
            self._sentences[task] = self._network.octo_transformer.sentence(ids, mask)
        return self._sentences[task]


def _present(frames: ImageU8, proprio: FloatArray) -> npt.NDArray[np.bool_]:
    """Which observations are no stand-ins ``[B, n]``.

    An episode's start is filled with its first observation, which Octo was trained to see masked:
    an observation that equals the next newer one in every pixel and number stands in for it.
    """
    rows, window = frames.shape[:2]
    present = np.ones((rows, window), dtype=np.bool_)
    for at in reversed(range(window - 1)):
        same_picture = (frames[:, at] == frames[:, at + 1]).reshape(rows, -1).all(axis=1)
        same_state = (proprio[:, at] == proprio[:, at + 1]).all(axis=1)
        present[:, at] = ~(same_picture & same_state)
    return present


def _tokenizer(path: Path, words: int) -> Tokenizer:
    tokenizer = read_tokenizer(path, "T5", (_PAD, _END))
    tokenizer.enable_truncation(words)
    pad = tokenizer.token_to_id(_PAD)
    tokenizer.enable_padding(length=words, pad_id=pad, pad_token=_PAD)
    return tokenizer


def _spec(folder: Path, config: OctoConfig, card: AdapterCard) -> PolicySpec:
    if card.goals:
        raise ConfigError("Octo is steered by sentences here, not by goals", got=dict(card.goals))
    names = [CONFIG_FILE, STATISTICS_FILE, WEIGHTS_FILE, TOKENIZER_FILE]
    require(folder, names)
    files = [folder / name for name in (*names, CARD_FILE)]
    return PolicySpec(
        policy_id=identity(path for path in files if path.is_file()),
        prediction_horizon=config.horizon,
        chunk_size=card.chunk(config.horizon, config.horizon),
        feature_dim=config.width,
        image_size=config.image_size,
        control_hz=card.control_hz,
        tasks=card.tasks,
        observation_steps=config.window,
    )
