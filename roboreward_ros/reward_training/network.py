# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The forward pass of training: transformers' own modules, each called on whole batches.

The library's vision tower attends to one group of frames after another in a Python loop; here all
groups, which are of one size, go through its layers together. Tests hold both paths equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from roboreward_ros.reward_training.packing import Batch
from roboreward_ros.rewards.vlm.backend import Backend

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.models.qwen3_vl.modeling_qwen3_vl import (
        Qwen3VLVisionAttention,
        Qwen3VLVisionModel,
    )

THING = 6  # numbers that a token tells of a thing and frame: here?, x, y, z, held, touched
FACTS = 8


def see(backend: Backend, rows: Tensor, groups: int, size: tuple[int, int]) -> Tensor:
    """Tokens ``[groups, T, hidden]`` of frames as ``Patching.rows`` gives them.

    Args:
        backend: holds the network.
        rows: pixels ``[groups * gh * gw, ...]``.
        groups: how many groups of frames.
        size: height and width of a frame, pixels.
    """
    tower = backend.core.model.visual
    gh, gw = backend.patching.grid(*size)
    proj = tower.patch_embed.proj
    hidden = F.linear(rows, proj.weight.flatten(1), proj.bias).view(groups, gh * gw, -1)
    place, cos, sin = _places(tower, gh, gw)
    hidden = hidden + place
    for block in tower.blocks:
        hidden = hidden + _attend(block.attn, block.norm1(hidden), cos, sin)
        hidden = hidden + block.mlp(block.norm2(hidden))
    merged: Tensor = tower.merger(hidden.reshape(groups * gh * gw, -1))
    return merged.view(groups, gh * gw // backend.patching.merge**2, -1)


def _places(tower: Qwen3VLVisionModel, gh: int, gw: int) -> tuple[Tensor, Tensor, Tensor]:
    """Learned and rotary places of the patches of one group, in the order of the rows."""
    from transformers.models.qwen3_vl.modeling_qwen3_vl import (
        get_vision_interpolation_indices_and_weights,
        get_vision_position_ids,
    )

    grid = torch.tensor([[1, gh, gw]])
    merge = tower.spatial_merge_size
    indices, weights = get_vision_interpolation_indices_and_weights(
        grid,
        num_grid_per_side=tower.num_grid_per_side,
        mode=tower.interpolation_mode,
        align_corners=tower.interpolation_align_corners,
        spatial_merge_size=merge,
    )
    learned = (tower.pos_embed(indices) * weights[:, :, None]).sum(1)
    ids = get_vision_position_ids(grid, merge)
    cos, sin = tower.rotary_pos_emb(learned, ids)
    return learned, cos, sin


def _attend(attention: Qwen3VLVisionAttention, hidden: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    groups, count, width = hidden.shape
    qkv = attention.qkv(hidden).view(groups, count, 3, attention.num_heads, -1)
    query, key, value = qkv.permute(2, 0, 3, 1, 4)
    query = query * cos + _half_turn(query) * sin
    key = key * cos + _half_turn(key) * sin
    mixed = F.scaled_dot_product_attention(query, key, value)
    out: Tensor = attention.proj(mixed.transpose(1, 2).reshape(groups, count, width))
    return out


def _half_turn(values: Tensor) -> Tensor:
    first, second = values.chunk(2, dim=-1)
    return torch.cat([-second, first], dim=-1)


def read(
    core: PreTrainedModel, batch: Batch, features: Tensor, deep: Sequence[Tensor] = ()
) -> Tensor:
    """Hidden states ``[N, hidden]`` where answers are read.

    Args:
        core: the network.
        batch: packed prompts.
        features: vision tokens, one after the other ``[sum, hidden]``.
        deep: for the first layers of the language model, what is added to the vision tokens behind
            each; numbered as ``features`` (Qwen3-VL).
    """
    model = core.model.language_model
    embedded = model.embed_tokens(batch.ids)
    seen = features[batch.features].to(embedded.dtype)
    flat = embedded.flatten(0, 1).index_copy(0, batch.places, seen)
    more: dict[str, object] = {}
    if deep:
        there = torch.zeros(batch.ids.numel(), dtype=torch.bool, device=batch.ids.device)
        there[batch.places] = True
        more["visual_pos_masks"] = there.view_as(batch.ids)
        more["deepstack_visual_embeds"] = [layer[batch.features] for layer in deep]
    hidden = model(
        inputs_embeds=flat.view_as(embedded),
        position_ids=batch.positions,
        attention_mask=batch.mask,
        use_cache=False,
        **more,
    ).last_hidden_state
    states: Tensor = hidden.flatten(0, 1)[batch.rows]
    return states


class Heads(nn.Module):
    """What is asked of hidden states while the model learns; thrown away afterwards.

    Args:
        hidden: width of the language model.
        things: number of things, the gripper among them.
    """

    def __init__(self, hidden: int, things: int) -> None:
        super().__init__()
        self.things = things
        self.look = nn.Linear(hidden, 2 * things * THING + 2)
        self.facts = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, FACTS))

    def looked(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Of tokens ``[G, T, hidden]``: ``[G, T, 2, things, THING]`` and drawer ``[G, T, 2]``."""
        values = self.look(tokens)
        groups, count, _ = values.shape
        return (
            values[..., :-2].view(groups, count, 2, self.things, THING),
            values[..., -2:],
        )
