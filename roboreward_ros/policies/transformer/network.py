# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The diffusion transformer: learned queries read the picture, adaLN blocks denoise the chunk.

The picture's tokens are read by K queries that know the sentence; what they pass on, the
proprioception and the sentence are the features, and the features are the whole conditioning of the
denoiser, so that whoever steers the noise sees all that the policy sees. The denoiser has one token
per action; each block is modulated by time and features (adaptive layer norm, gates that start at
zero: Peebles & Xie 2023, section 3.2; for policies: Dasari et al. 2024, arXiv 2410.10088).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.policies.network import time_waves
from roboreward_ros.policies.transformer.config import TransformerConfig, Vision
from roboreward_ros.policies.transformer.vision import (
    ConvTokens,
    Json,
    PretrainedTokens,
    places,
)
from roboreward_ros.types import ACTION_DIM, PROPRIO_DIM

_TIME_DIM = 32  # what time_waves gives


def _heads(x: Tensor, heads: int) -> Tensor:
    """``[B, N, D]`` to ``[B, heads, N, D / heads]``."""
    batch, count, width = x.shape
    return x.view(batch, count, heads, width // heads).transpose(1, 2)


def _attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Multi-head attention ``[B, N, D]`` of queries over keys and values ``[B, M, D]``."""
    out = functional.scaled_dot_product_attention(
        _heads(query, heads), _heads(key, heads), _heads(value, heads)
    )
    return out.transpose(1, 2).flatten(2)


class Reader(nn.Module):
    """K queries over a picture's tokens: ``[B, N, C]`` and sentences to ``[B, K * token_dim]``."""

    def __init__(self, config: TransformerConfig, channels: int) -> None:
        super().__init__()
        width = config.hidden
        self._heads, self._tokens = config.heads, config.tokens
        self.queries = nn.Parameter(torch.randn(config.tokens, width))
        self.ask = nn.Linear(config.text_dim, config.tokens * width)
        self.norm = nn.LayerNorm(channels)
        self.keys = nn.Linear(channels + 2, width)
        self.values = nn.Linear(channels + 2, width)
        self.mix = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.SiLU(),
            nn.Linear(2 * width, config.token_dim),
            nn.LayerNorm(config.token_dim),
        )

    def forward(self, tokens: Tensor, sentence: Tensor) -> Tensor:
        batch, count, _ = tokens.shape
        where = places(count).to(tokens).expand(batch, count, 2)
        seen = torch.cat([self.norm(tokens), where], dim=2)
        queries = self.queries + self.ask(sentence).view(batch, self._tokens, -1)
        read = _attend(queries, self.keys(seen), self.values(seen), self._heads)
        passed: Tensor = self.mix(read).flatten(1)
        return passed


class Block(nn.Module):
    """Self-attention and MLP over the chunk's tokens, both modulated and gated."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.norm_a = nn.LayerNorm(width, elementwise_affine=False)
        self.norm_b = nn.LayerNorm(width, elementwise_affine=False)
        self.project = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        self.modulate = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        modulation = self.modulate(functional.silu(condition)).unsqueeze(1)
        shift_a, scale_a, gate_a, shift_b, scale_b, gate_b = modulation.chunk(6, dim=2)
        query, key, value = self.project(self.norm_a(x) * (1 + scale_a) + shift_a).chunk(3, dim=2)
        x = x + gate_a * self.join(_attend(query, key, value, self._heads))
        inner = functional.gelu(self.up(self.norm_b(x) * (1 + scale_b) + shift_b))
        out: Tensor = x + gate_b * self.down(inner)
        return out


class TransformerNetwork(nn.Module):
    """Encoder and denoiser.

    Args:
        config: sizes.
        sentence_width: V, numbers that describe a sentence.
        vision: configuration of the pre-trained vision model, where the sizes ask for one.
    """

    def __init__(
        self,
        config: TransformerConfig,
        sentence_width: int,
        vision: Mapping[str, Json] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        width = config.hidden
        self.vision: ConvTokens | PretrainedTokens
        if config.vision is Vision.CONV:
            self.vision = ConvTokens(config)
        else:
            self.vision = PretrainedTokens(vision or {}, config.image_size)
        self.text = nn.Linear(sentence_width, config.text_dim, bias=False)
        self.reader = Reader(config, self.vision.width)
        self.enter_action = nn.Linear(ACTION_DIM, width)
        self.order = nn.Parameter(0.02 * torch.randn(config.prediction_horizon, width))
        self.enter_features = nn.Linear(config.feature_dim, width)
        self.enter_time = nn.Sequential(
            nn.Linear(_TIME_DIM, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.blocks = nn.ModuleList(Block(width, config.heads) for _ in range(config.depth))
        self.last_norm = nn.LayerNorm(width, elementwise_affine=False)
        self.last_modulate = nn.Linear(width, 2 * width)
        self.leave = nn.Linear(width, ACTION_DIM)
        for layer in (self.last_modulate, self.leave):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def features(self, pixels: Tensor, proprio: Tensor, sentences: Tensor) -> Tensor:
        """``[B, F]`` of pictures, unit proprioception ``[B, 7]`` and sentences ``[B, V]``.

        Args:
            pixels: ``[B, 3, S, S]`` in 0..1.
            proprio: normalised.
            sentences: as the text model describes them.
        """
        mean = pixels.new_tensor(self.config.pixel_mean).view(3, 1, 1)
        spread = pixels.new_tensor(self.config.pixel_spread).view(3, 1, 1)
        sentence = self.text(sentences)
        seen = self.reader(self.vision((pixels - mean) / spread), sentence)
        return torch.cat([seen, proprio, sentence], dim=1)

    def condition(self, features: Tensor) -> Tensor:
        """What the denoiser's conditioning keeps over all its steps ``[B, D]``."""
        entered: Tensor = self.enter_features(features)
        return entered

    def predict(self, chunk: Tensor, times: Tensor, condition: Tensor) -> Tensor:
        """Prediction ``[B, P*7]`` for noisy chunks ``[B, P*7]`` at times ``[B]`` in [0, 1]."""
        condition = condition + self.enter_time(time_waves(times))
        actions = chunk.view(len(chunk), self.config.prediction_horizon, ACTION_DIM)
        x = self.enter_action(actions) + self.order
        for block in self.blocks:
            x = block(x, condition)
        shift, scale = self.last_modulate(functional.silu(condition)).unsqueeze(1).chunk(2, dim=2)
        out: Tensor = self.leave(self.last_norm(x) * (1 + scale) + shift).flatten(1)
        return out

    def split(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Picture, unit proprioception and sentence of features ``[B, F]``."""
        seen, proprio, sentence = torch.split(
            features,
            [self.config.tokens * self.config.token_dim, PROPRIO_DIM, self.config.text_dim],
            dim=1,
        )
        return seen, proprio, sentence
