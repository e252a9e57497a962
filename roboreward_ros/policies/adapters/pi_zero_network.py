# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""pi0's joint transformer (Black et al. 2024, appendix B) under open-pi-zero's names.

Picture and text attend to each other; the proprioception also to itself; the actions to all. So
the prefix runs once a decision and leaves keys and values; only the action expert runs per step of
the flow. No token is padded, hence nothing is masked.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.policies.adapters.pi_zero_config import Expert, PiZeroConfig
from roboreward_ros.types import ACTION_DIM, PROPRIO_DIM

KeysValues = list[tuple[Tensor, Tensor]]
"""Of each layer, ``[B, kv heads, tokens, head dim]``."""
_SOFT_CAP = 50.0


class RmsNorm(nn.Module):
    """Gemma's: the stored weight is an offset from one."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self._eps = eps
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self._eps) * (1 + self.weight)


class Attention(nn.Module):
    """Projections of one expert's layer."""

    def __init__(self, expert: Expert, config: PiZeroConfig) -> None:
        super().__init__()
        self._dim, self._theta = config.head_dim, expert.theta
        for name, heads in (("q", config.heads), ("k", config.kv_heads), ("v", config.kv_heads)):
            linear = nn.Linear(expert.hidden, heads * config.head_dim, bias=False)
            self.add_module(f"{name}_proj", linear)
        self.o_proj = nn.Linear(config.heads * config.head_dim, expert.hidden, bias=False)

    def project(self, name: str, x: Tensor) -> Tensor:
        """Heads ``[B, heads, tokens, head dim]`` of ``x [B, tokens, hidden]``."""
        flat: Tensor = self.get_submodule(f"{name}_proj")(x)
        return flat.reshape(*flat.shape[:2], -1, self._dim).transpose(1, 2)

    def rotate(self, x: Tensor, first: int) -> Tensor:
        """Rotary positions from ``first`` on."""
        half = self._dim // 2
        exponents = torch.arange(0, self._dim, 2, device=x.device).float() / self._dim
        places = torch.arange(first, first + x.shape[-2], device=x.device).float()
        angles = torch.outer(places, 1.0 / self._theta**exponents)
        cos, sin = (torch.cat([w, w], dim=-1) for w in (angles.cos(), angles.sin()))
        turned = torch.cat([-x[..., half:], x[..., :half]], dim=-1)
        return x * cos + turned * sin


class Mlp(nn.Module):
    """Gated by GELU."""

    def __init__(self, expert: Expert) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(expert.hidden, expert.intermediate, bias=False)
        self.up_proj = nn.Linear(expert.hidden, expert.intermediate, bias=False)
        self.down_proj = nn.Linear(expert.intermediate, expert.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate = functional.gelu(self.gate_proj(x), approximate="tanh")
        out: Tensor = self.down_proj(gate * self.up_proj(x))
        return out


class Layer(nn.Module):
    """One layer of one expert."""

    def __init__(self, expert: Expert, config: PiZeroConfig) -> None:
        super().__init__()
        self.self_attn = Attention(expert, config)
        self.mlp = Mlp(expert)
        self.input_layernorm = RmsNorm(expert.hidden, config.rms_eps)
        self.post_attention_layernorm = RmsNorm(expert.hidden, config.rms_eps)

    def forward(
        self, x: Tensor, first: int, before: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """States after the layer, and keys and values of ``before`` and of these tokens."""
        attn, unit = self.self_attn, self.input_layernorm(x)
        query = attn.rotate(attn.project("q", unit), first)
        keys, values = attn.rotate(attn.project("k", unit), first), attn.project("v", unit)
        if before is not None:
            keys, values = (
                torch.cat(pair, dim=-2) for pair in zip(before, (keys, values), strict=True)
            )
        groups = query.shape[1] // keys.shape[1]
        k, v = keys.repeat_interleave(groups, dim=1), values.repeat_interleave(groups, dim=1)
        scores = query @ k.transpose(-1, -2) / math.sqrt(query.shape[-1])
        weights = torch.softmax(torch.tanh(scores / _SOFT_CAP) * _SOFT_CAP, dim=-1)
        x = x + attn.o_proj((weights @ v).transpose(1, 2).flatten(2))
        return x + self.mlp(self.post_attention_layernorm(x)), (keys, values)


class Mixture(nn.Module):
    """One expert."""

    def __init__(self, expert: Expert, config: PiZeroConfig, final_norm: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(expert, config) for _ in range(config.layers))
        if final_norm:
            self.norm = RmsNorm(expert.hidden, config.rms_eps)

    def run(
        self, x: Tensor, first: int, before: KeysValues | None
    ) -> tuple[Tensor, Tensor, KeysValues]:
        """States before and after the last layer, and all keys and values.

        Args:
            x: embedded tokens ``[B, tokens, hidden]``.
            first: position of the first.
            before: keys and values that they also attend to.
        """
        x = x * math.sqrt(x.shape[-1])
        kept: KeysValues = []
        last = x
        for index, layer in enumerate(self.layers):
            last = x
            x, pair = cast("Layer", layer)(x, first, None if before is None else before[index])
            kept.append(pair)
        return last, x, kept


class VisionLayer(nn.Module):
    """One layer of SigLIP (Zhai et al. 2023)."""

    def __init__(self, config: PiZeroConfig) -> None:
        super().__init__()
        width = config.vision_hidden
        self._heads = config.vision_heads
        self.layer_norm1 = nn.LayerNorm(width, eps=config.vision_eps)
        self.layer_norm2 = nn.LayerNorm(width, eps=config.vision_eps)
        names = ("q_proj", "k_proj", "v_proj", "out_proj")
        self.self_attn = nn.ModuleDict({name: nn.Linear(width, width) for name in names})
        inner = config.vision_intermediate
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, inner), "fc2": nn.Linear(inner, width)})

    def forward(self, x: Tensor) -> Tensor:
        unit = self.layer_norm1(x)
        query, keys, values = (
            self.self_attn[name](unit).reshape(*unit.shape[:2], self._heads, -1).transpose(1, 2)
            for name in ("q_proj", "k_proj", "v_proj")
        )
        seen = functional.scaled_dot_product_attention(query, keys, values)
        x = x + self.self_attn["out_proj"](seen.transpose(1, 2).flatten(2))
        inner = functional.gelu(self.mlp["fc1"](self.layer_norm2(x)), approximate="tanh")
        out: Tensor = x + self.mlp["fc2"](inner)
        return out


class _Tree(nn.Module):
    """Holds children under the names of a checkpoint."""

    def __init__(self, **children: nn.Module) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)


class PiZero(nn.Module):
    """All weights of a checkpoint."""

    def __init__(self, config: PiZeroConfig) -> None:
        super().__init__()
        self.config = config
        vlm, width, vision = config.vlm, config.action.hidden, config.vision_hidden
        self.embed_tokens = nn.Embedding(config.vocabulary, vlm.hidden, 0)
        patch = config.patch_size
        self.vision_tower = _Tree(
            vision_model=_Tree(
                embeddings=_Tree(
                    patch_embedding=nn.Conv2d(3, vision, patch, patch),
                    position_embedding=nn.Embedding(config.image_tokens, vision),
                ),
                encoder=_Tree(
                    layers=nn.ModuleList(VisionLayer(config) for _ in range(config.vision_layers))
                ),
                post_layernorm=nn.LayerNorm(vision, eps=config.vision_eps),
            )
        )
        self.multi_modal_projector = _Tree(linear=nn.Linear(vision, vlm.hidden))
        experts = {
            "vlm": Mixture(vlm, config, final_norm=False),
            "proprio": Mixture(config.action, config, final_norm=True),
            "action": Mixture(config.action, config, final_norm=True),
        }
        self.joint_model = _Tree(mixtures=nn.ModuleDict(experts))
        self.action_encoder = _Tree(
            linear_1=nn.Linear(ACTION_DIM, width),
            linear_2=nn.Linear(2 * width, width),
            linear_3=nn.Linear(width, width),
        )
        self.proprio_encoder = nn.Linear(PROPRIO_DIM, width)
        self.action_decoder = nn.Linear(width, ACTION_DIM)

    def _expert(self, name: str) -> Mixture:
        return cast("Mixture", self.joint_model.get_submodule(f"mixtures.{name}"))

    def see(self, pictures: Tensor) -> Tensor:
        """Tokens ``[B, patches, hidden]`` of pictures ``[B, 3, H, W]`` in [-1, 1]."""
        model = self.vision_tower.get_submodule("vision_model")
        x = model.get_submodule("embeddings.patch_embedding")(pictures).flatten(2).transpose(1, 2)
        places = model.get_submodule("embeddings.position_embedding")
        x = x + cast("nn.Embedding", places).weight
        for layer in cast("nn.ModuleList", model.get_submodule("encoder.layers")):
            x = layer(x)
        x = model.get_submodule("post_layernorm")(x)
        tokens: Tensor = self.multi_modal_projector.get_submodule("linear")(x)
        return tokens / math.sqrt(tokens.shape[-1])

    def prefix(self, picture: Tensor, text: Tensor, proprio: Tensor) -> tuple[Tensor, KeysValues]:
        """What one observation leaves for the flow.

        Args:
            picture: ``[1, 3, H, W]`` in [-1, 1].
            text: token ids ``[1, tokens]``.
            proprio: unit proprioception ``[1, 7]``.

        Returns:
            Mean state of picture and text ``[1, hidden]`` before the last layer; keys and values.
        """
        tokens = torch.cat([self.see(picture), self.embed_tokens(text)], dim=1)
        states, _, kept = self._expert("vlm").run(tokens, 1, None)
        token = self.proprio_encoder(proprio).unsqueeze(1)
        _, _, kept = self._expert("proprio").run(token, 1, kept)
        return states.mean(dim=1), kept

    def velocity(self, chunk: Tensor, time: float, prefix: KeysValues) -> Tensor:
        """D chunk / d time ``[1, P, 7]`` at a time in [0, 1]."""
        width = self.config.action.hidden
        half = width // 2
        octave = math.log(self.config.time_period) / (half - 1)
        angles = time * torch.exp(torch.arange(half, device=chunk.device) * -octave)
        waves = torch.cat([angles.sin(), angles.cos()]).expand(*chunk.shape[:2], -1)
        first, second, third = self.action_encoder.children()
        x = torch.cat([waves, first(chunk)], dim=-1)
        x = third(functional.silu(second(x)))
        action = self._expert("action")
        _, x, _ = action.run(x, 2, prefix)
        out: Tensor = self.action_decoder(action.norm(x))
        return out

    def flow(self, noise: Tensor, prefix: KeysValues) -> Tensor:
        """The chunk ``[1, P, 7]`` that ``noise`` flows to, by Euler's steps; normalised units."""
        steps, chunk = self.config.euler_steps, noise
        for index in range(steps):
            chunk = chunk + self.velocity(chunk, index / steps, prefix) / steps
        return chunk.clamp(-self.config.clip, self.config.clip) if self.config.clip else chunk
