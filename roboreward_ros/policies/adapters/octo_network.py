# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Octo under the names that octo-pytorch saves it with: stem, text encoder, transformer, head.

Held equal to emb-ai/octo-pytorch (commit 5ee3e87) by ``tools/parity/check_octo.py`` and by stored
outputs in the tests. Only what a language-conditioned decision of one camera needs is built.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.policies.adapters.octo_config import MAX_WINDOW, OctoConfig
from roboreward_ros.types import ACTION_DIM
from roboreward_ros.wheels import prepare_torchvision

if TYPE_CHECKING:
    from transformers import T5Config

_EPS = 1e-6
_GROUPS = 32


class StdConv(nn.Conv2d):
    """Convolution with standardised weights."""

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(self.weight, dim=[1, 2, 3], keepdim=True, correction=0)
        weight = (self.weight - mean) / torch.sqrt(variance + 1e-10)
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding)


class Stem(nn.Module):
    """Pictures ``[B, C, S, S]`` in [-1, 1] to tokens ``[B, (S / 16)^2, W]``."""

    def __init__(self, config: OctoConfig) -> None:
        super().__init__()
        *widths, out = config.stem
        inputs = [6 if config.task_picture else 3, *widths]
        self.layers = nn.ModuleList(
            nn.Sequential(
                StdConv(before, after, 3, stride=2, padding=1),
                nn.GroupNorm(_GROUPS, after),
                nn.ReLU(),
            )
            for before, after in pairwise(inputs)
        )
        self.embedding = nn.Conv2d(widths[-1], out, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        for layer in self.layers:
            pictures = layer(pictures)
        tokens: Tensor = self.embedding(pictures)
        return tokens.flatten(2).mT


class PictureTokens(nn.Module):
    """Holds the stem under its saved name."""

    def __init__(self, config: OctoConfig) -> None:
        super().__init__()
        self.encoder_def = Stem(config)


class SentenceTokens(nn.Module):
    """T5's encoder under its saved name."""

    def __init__(self, text: T5Config) -> None:
        super().__init__()
        prepare_torchvision()
        from transformers import T5EncoderModel

        self.hf_model = T5EncoderModel(text)


class Mlp(nn.Module):
    """Two layers around a GELU."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.dense1 = nn.Linear(width, inner)
        self.dense2 = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.dense2(functional.gelu(self.dense1(x)))
        return out


class EncoderBlock(nn.Module):
    """Attention and MLP, each normalised before."""

    def __init__(self, config: OctoConfig) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(config.width, eps=_EPS)
        self.self_attention = nn.MultiheadAttention(config.width, config.heads, batch_first=True)
        self.layer_norm2 = nn.LayerNorm(config.width, eps=_EPS)
        self.mlp_block = Mlp(config.width, config.mlp)

    def forward(self, x: Tensor, forbidden: Tensor) -> Tensor:
        own = self.layer_norm1(x)
        attended, _ = self.self_attention(own, own, own, attn_mask=forbidden, need_weights=False)
        x = x + attended
        out: Tensor = x + self.mlp_block(self.layer_norm2(x))
        return out


class Transformer(nn.Module):
    """The blocks and the last norm."""

    def __init__(self, config: OctoConfig) -> None:
        super().__init__()
        self.encoder_blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.layers))
        self.layer_norm = nn.LayerNorm(config.width, eps=_EPS)

    def forward(self, x: Tensor, forbidden: Tensor) -> Tensor:
        for block in self.encoder_blocks:
            x = block(x, forbidden)
        out: Tensor = self.layer_norm(x)
        return out


class OctoTransformer(nn.Module):
    """Sentence and observations to what the head reads off ``[B, D]``."""

    def __init__(self, config: OctoConfig, text: T5Config) -> None:
        super().__init__()
        self._config = config
        width = config.width
        self.task_tokenizers = nn.ModuleDict({"language": SentenceTokens(text)})
        self.observation_tokenizers = nn.ModuleDict({"primary": PictureTokens(config)})
        self.block_transformer = nn.ModuleDict({"transformer": Transformer(config)})
        self.task_projections = nn.ModuleDict(
            {"task_language_projection": nn.Linear(text.d_model, width)}
        )
        self.obs_projections = nn.ModuleDict(
            {"obs_primary_projection": nn.Linear(config.stem[-1], width)}
        )
        self.task_language_pos_embedding = nn.Parameter(torch.zeros(config.words, width))
        shape = (MAX_WINDOW, config.patches, width)
        self.obs_primary_pos_embedding = nn.Parameter(torch.zeros(shape))
        shape = (MAX_WINDOW, config.readouts, width)
        self.readout_action_pos_embedding = nn.Parameter(torch.zeros(shape))

    def sentence(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Tokens ``[B, words, D]`` of padded word numbers and their mask ``[B, words]``."""
        model = cast("SentenceTokens", self.task_tokenizers["language"]).hf_model
        states = model(input_ids=ids, attention_mask=mask)
        tokens: Tensor = self.task_projections["task_language_projection"](states.last_hidden_state)
        return tokens + self.task_language_pos_embedding

    def forward(self, frames: Tensor, sentence: Tensor, present: Tensor) -> Tensor:
        """What the last observation's readout holds, mean over its tokens ``[B, D]``.

        Args:
            frames: uint8 ``[B, n, S, S, 3]``.
            sentence: tokens ``[B, words, D]``.
            present: which observations are no padding ``[B, n]`` bool.
        """
        config = self._config
        batch, window = frames.shape[:2]
        pictures = frames.flatten(0, 1).permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1
        if config.task_picture:
            pictures = torch.cat([pictures, torch.full_like(pictures, -1.0)], dim=1)
        seen = cast("PictureTokens", self.observation_tokenizers["primary"]).encoder_def(pictures)
        seen = self.obs_projections["obs_primary_projection"](seen)
        seen = seen.view(batch, window, config.patches, config.width)
        groups = [seen + self.obs_primary_pos_embedding[:window]]
        if config.repeat_task:
            groups.append(sentence.unsqueeze(1).expand(-1, window, -1, -1))
        readout = self.readout_action_pos_embedding[:window]
        groups.append(readout.expand(batch, *readout.shape))
        x = torch.cat([sentence, torch.cat(groups, dim=2).flatten(1, 2)], dim=1)
        out: Tensor = self.block_transformer["transformer"](x, self._forbidden(present))
        return out[:, -config.readouts :].mean(dim=1)

    def _forbidden(self, present: Tensor) -> Tensor:
        """Which token (row) may not look at which (column), per head ``[B * heads, N, N]``.

        The sentence looks at itself; an observation at the sentence and at observations up to its
        own time; a readout at those and at readouts up to its own time. Nothing looks at padding.
        """
        config = self._config
        batch, window = present.shape
        device = present.device
        repeated = config.words if config.repeat_task else 0
        kinds = [1] * (config.patches + repeated) + [2] * config.readouts
        kind = torch.tensor([0] * config.words + kinds * window, device=device)
        time = torch.arange(window, device=device).repeat_interleave(len(kinds))
        time = torch.cat([time.new_full((config.words,), -1), time])
        allowed = (kind[None] <= kind[:, None]) & (time[None] <= time[:, None])
        held = torch.ones(batch, len(kind), dtype=torch.bool, device=device)
        steps = held[:, config.words :].view(batch, window, len(kinds))
        steps[:, :, : config.patches] = present.unsqueeze(-1)
        forbidden = ~(allowed & held.unsqueeze(1))
        return forbidden.repeat_interleave(config.heads, dim=0)


class Waves(nn.Module):
    """Learned Fourier features of the step ``[B, 1]``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(width // 2, 1))

    def forward(self, step: Tensor) -> Tensor:
        angles = 2 * math.pi * step @ self.w.T
        return torch.cat([angles.cos(), angles.sin()], dim=-1)


class HeadBlock(nn.Module):
    """Residual MLP block."""

    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(width, eps=_EPS) if norm else nn.Identity()
        self.linear1 = nn.Linear(width, 4 * width)
        self.linear2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.linear2(functional.silu(self.linear1(self.layer_norm(x))))
        return out


class TimeEncoder(nn.Module):
    """Two layers around a SiLU, under their saved numbers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )


class Denoiser(nn.Module):
    """The residual network that predicts the noise."""

    def __init__(self, config: OctoConfig) -> None:
        super().__init__()
        chunk = config.horizon * ACTION_DIM
        self.linear1 = nn.Linear(config.time_dim + config.width + chunk, config.head_width)
        self.blocks = nn.Sequential(
            *(HeadBlock(config.head_width, config.head_norm) for _ in range(config.head_blocks))
        )
        self.linear2 = nn.Linear(config.head_width, chunk)


class DiffusionModel(nn.Module):
    """Noise in a chunk ``[B, P * 7]`` at a step, given features ``[B, D]``."""

    def __init__(self, config: OctoConfig) -> None:
        super().__init__()
        self.time_preprocess = Waves(config.time_dim)
        self.cond_encoder = TimeEncoder(config.time_dim)
        self.reverse_network = Denoiser(config)

    def forward(self, x: Tensor, step: int, features: Tensor) -> Tensor:
        waves = self.time_preprocess(x.new_full((len(x), 1), float(step)))
        net = self.reverse_network
        inner = net.linear1(torch.cat([self.cond_encoder.layers(waves), features, x], dim=-1))
        out: Tensor = net.linear2(functional.silu(net.blocks(inner)))
        return out


class Head(nn.Module):
    """Holds the diffusion model under its saved name."""

    def __init__(self, config: OctoConfig) -> None:
        super().__init__()
        self.diffusion_model = DiffusionModel(config)


class Octo(nn.Module):
    """The policy.

    Args:
        config: sizes.
        text: sizes of T5.
    """

    def __init__(self, config: OctoConfig, text: T5Config) -> None:
        super().__init__()
        self.octo_transformer = OctoTransformer(config, text)
        self.heads = nn.ModuleDict({"action": Head(config)})

    def predict(self, x: Tensor, step: int, features: Tensor) -> Tensor:
        """The noise in a flat chunk at a training step."""
        out: Tensor = cast("Head", self.heads["action"]).diffusion_model(x, step, features)
        return out


def text_config(weights: Mapping[str, Tensor], prefix: str) -> T5Config:
    """Sizes of the T5 encoder whose weights stand under a prefix.

    Raises:
        KeyError: no T5 there.
    """
    prepare_torchvision()
    from transformers import T5Config

    vocabulary, width = weights[f"{prefix}shared.weight"].shape
    first = f"{prefix}encoder.block.0.layer."
    buckets, heads = weights[f"{first}0.SelfAttention.relative_attention_bias.weight"].shape
    gated = f"{first}1.DenseReluDense.wi_0.weight"
    plain = f"{first}1.DenseReluDense.wi.weight"
    inner = weights[gated if gated in weights else plain]
    blocks = [name.removeprefix(f"{prefix}encoder.block.") for name in weights if prefix in name]
    layers = 1 + max(int(name.split(".")[0]) for name in blocks if name[0].isdigit())
    return T5Config(
        vocab_size=vocabulary,
        d_model=width,
        d_kv=weights[f"{first}0.SelfAttention.q.weight"].shape[0] // heads,
        d_ff=inner.shape[0],
        num_layers=layers,
        num_heads=heads,
        relative_attention_num_buckets=buckets,
        feed_forward_proj="gated-gelu" if gated in weights else "relu",
    )
