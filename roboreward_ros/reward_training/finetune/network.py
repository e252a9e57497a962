# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network as it is trained: which weights move, and the chances of replies."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from roboreward_ros.errors import ConfigError
from roboreward_ros.reward_training.finetune.recipe import (
    FinetuneConfig,
    LoraConfig,
    Method,
)
from roboreward_ros.reward_training.finetune.writing import Micro
from roboreward_ros.reward_training.network import read
from roboreward_ros.rewards.vlm.settings import Dtype, WeightsConfig
from roboreward_ros.rewards.vlm.weights import Weights, load

LAYERS = r".*language_model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)"
"""Matrices of the language model that LoRA adds to; none of the vision tower."""


class Answering(nn.Module):
    """Log-probabilities of replies; the module that accelerate wraps.

    Args:
        weights: a loaded model, adapter included.
    """

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.model = weights.model

    def forward(self, micro: Micro) -> Tensor:
        """Log-probability of every reply's tokens, summed ``[R]`` float32."""
        core = self.model.get_base_model() if hasattr(self.model, "peft_config") else self.model
        seen = core.model.visual(micro.pixels.to(core.dtype), grid_thw=micro.grid)
        deep = getattr(seen, "deepstack_features", None) or ()
        states = read(core, micro.batch, seen.pooler_output, deep)
        chances = -F.cross_entropy(core.lm_head(states).float(), micro.targets, reduction="none")
        sums = torch.zeros(len(micro.replies), dtype=torch.float32, device=chances.device)
        return sums.index_add(0, micro.owner, chances)

    def trained(self) -> dict[str, nn.Parameter]:
        """Weights that move, by name."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}


def load_weights(config: FinetuneConfig, half: bool) -> Weights:
    """The model to begin with, on the CPU; what is trained of it must be float32.

    Args:
        config: recipe.
        half: whether weights that are not trained may be bfloat16, unless the recipe says.

    Raises:
        RewardSourceError: anything missing, foreign, unpinned or damaged, with the remedy.
    """
    dtype = Dtype.FLOAT32
    if config.method is Method.LORA:
        own = config.compute.base
        dtype = own if own is not Dtype.AUTO else Dtype.BFLOAT16 if half else Dtype.FLOAT32
    return load(
        WeightsConfig(
            model=config.model,
            revision=config.revision,
            offline=config.offline,
            device="cpu",
            dtype=dtype,
        )
    )


def prepare(weights: Weights, config: FinetuneConfig) -> Answering:
    """The network with the weights set free that move; the vision tower rests.

    Full fine-tuning trains the merger (all of them, where layers of the tower have their own) and
    the language model with its embedding and head. LoRA trains its matrices and the merger.
    """
    core = weights.model
    deep = getattr(core.model.visual, "deepstack_merger_list", ())
    mergers = ["visual.merger", *(f"visual.deepstack_merger_list.{k}" for k in range(len(deep)))]
    if config.method is Method.FULL:
        core.requires_grad_(True)
        core.model.visual.requires_grad_(False)
        for name in mergers:
            core.model.get_submodule(name).requires_grad_(True)
        network = Answering(weights)
    else:
        tuned = _with_lora(weights, config.lora, mergers, config.seed)
        network = Answering(dataclasses.replace(weights, model=tuned))
        for parameter in network.trained().values():
            parameter.data = parameter.data.float()
    if config.compute.checkpointing:
        core.config.use_cache = False
        core.model.language_model.gradient_checkpointing_enable({"use_reentrant": False})
    return network


def _with_lora(weights: Weights, lora: LoraConfig, mergers: list[str], seed: int) -> nn.Module:
    from peft import LoraConfig as PeftLora
    from peft import get_peft_model

    settings = PeftLora(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=LAYERS,
        modules_to_save=mergers if lora.merger else None,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tuned: nn.Module = get_peft_model(weights.model, settings)
    touched = [name for name, _ in tuned.named_modules() if name.endswith("lora_A")]
    if not touched or any("visual" in name for name in touched):
        raise ConfigError("LoRA does not fit this model", got=touched[:3] or "no matrix")
    return tuned


def losses(sums: Tensor, micro: Micro, weights: Tensor) -> Tensor:
    """Weighted sum over the replies of the mean negative log-probability of their tokens.

    Args:
        sums: log-probabilities ``[R]``.
        micro: whose they are.
        weights: of the replies ``[R]``.
    """
    lengths = torch.tensor([reply.tokens for reply in micro.replies], device=sums.device)
    return -(weights * sums / lengths).sum()


def preference_losses(
    sums: Tensor, before: Tensor, micro: Micro, weights: Tensor, beta: float, sft: float
) -> Tensor:
    """Weighted sum over pairs: direct preference optimisation (arXiv 2305.18290, equation 7).

    Args:
        sums: log-probabilities, the preferred reply of every pair first ``[2 n]``.
        before: likewise of the model that the training began with ``[2 n]``.
        micro: whose they are.
        weights: of the replies ``[2 n]``; a pair's are equal.
        beta: see ``Preference``.
        sft: see ``Preference``.
    """
    gained = (sums - before).view(-1, 2)
    shares = weights.view(-1, 2)[:, 0]
    loss = -(shares * F.logsigmoid(beta * (gained[:, 0] - gained[:, 1]))).sum()
    if sft:
        first = torch.zeros_like(weights)
        first[::2] = weights[::2]
        loss = loss + sft * losses(sums, micro, first)
    return loss
