# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The actor's network as the learner trains it; ``SteeringActor`` is its frozen numpy copy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.types import ACTION_DIM


def uniform(shape: Sequence[int], fan_in: int, rng: torch.Generator) -> nn.Parameter:
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)), the usual start of a linear layer."""
    bound = fan_in**-0.5
    return nn.Parameter((torch.rand(*shape, generator=rng) * 2 - 1) * bound)


class ActorNetwork(nn.Module):
    """State -> mean and log standard deviation of the latent; N(0, I) at the start.

    Args:
        config: widths and bounds.
        state_dim: features and remaining time.
        noise_dim: P * 7.
        rng: source of the first weights.
    """

    def __init__(
        self, config: DsrlConfig, state_dim: int, noise_dim: int, rng: torch.Generator
    ) -> None:
        super().__init__()
        self._mean_bound = config.mean_bound
        self._log_std_bound = config.log_std_bound
        sizes = [state_dim, *config.hidden]
        pairs = list(pairwise(sizes))
        self.weight = nn.ParameterList([uniform((i, o), i, rng) for i, o in pairs])
        self.bias = nn.ParameterList([uniform((o,), i, rng) for i, o in pairs])
        self.gain = nn.ParameterList([nn.Parameter(torch.ones(o)) for _, o in pairs])
        self.shift = nn.ParameterList([nn.Parameter(torch.zeros(o)) for _, o in pairs])
        self._layers = tuple(zip(self.weight, self.bias, self.gain, self.shift, strict=True))
        self.head_weight = nn.Parameter(torch.zeros(sizes[-1], 2 * noise_dim))
        self.head_bias = nn.Parameter(torch.zeros(2 * noise_dim))

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log sigma, both ``[B, P * 7]``, of ``state [B, F + 1]``."""
        x = state
        for weight, bias, gain, shift in self._layers:
            x = torch.addmm(bias, x, weight)
            x = functional.silu(functional.layer_norm(x, x.shape[-1:], gain, shift))
        raw = torch.addmm(self.head_bias, x, self.head_weight)
        mean, spread = raw.chunk(2, dim=-1)
        mean = self._mean_bound * torch.tanh(mean / self._mean_bound)
        return mean, self._log_std_bound * torch.tanh(spread / self._log_std_bound)

    def export(
        self, config: DsrlConfig, version: int, policy_id: str, mean: Tensor, scale: Tensor
    ) -> SteeringActor:
        """A frozen copy for the policy node; ``mean`` and ``scale`` normalise features ``[F]``."""
        tensors = {"head.weight": self.head_weight, "head.bias": self.head_bias}
        for k in range(len(self.weight)):
            tensors[f"hidden.{k}.weight"] = self.weight[k]
            tensors[f"hidden.{k}.bias"] = self.bias[k]
            tensors[f"hidden.{k}.gain"] = self.gain[k]
            tensors[f"hidden.{k}.shift"] = self.shift[k]
        weights = {name: t.detach().numpy().copy() for name, t in tensors.items()}
        weights["features.mean"] = mean.numpy().copy()
        weights["features.scale"] = scale.numpy().copy()
        return SteeringActor(
            version=version,
            policy_id=policy_id,
            horizon=self.head_bias.numel() // (2 * ACTION_DIM),
            mean_bound=config.mean_bound,
            log_std_bound=config.log_std_bound,
            noise_bound=config.noise_bound,
            feature_clip=config.feature_clip,
            weights=weights,
        )
