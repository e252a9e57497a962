# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The actor's network as the learner trains it; ``SteeringActor`` is its frozen numpy copy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.dsrl.actor import SQUASHED_LOG_STD
from roboreward_ros.dsrl.compute import Network
from roboreward_ros.dsrl.config import Activation, ActorForm, DsrlConfig
from roboreward_ros.types import Float32Array

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    Activation.SILU: functional.silu,
    Activation.TANH: torch.tanh,
    Activation.RELU: functional.relu,
}
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def uniform(shape: Sequence[int], fan_in: int, rng: torch.Generator) -> nn.Parameter:
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)), the usual start of a linear layer."""
    bound = fan_in**-0.5
    return nn.Parameter((torch.rand(*shape, generator=rng) * 2 - 1) * bound)


def kl_to_prior(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(N(mean, sigma^2) || N(0, I)) ``[B]`` in nats of latents ``[B, Z]``."""
    variance = torch.exp(2.0 * log_std)
    return 0.5 * (mean.square() + variance - 1.0 - 2.0 * log_std).sum(dim=-1)


@dataclass(frozen=True, slots=True)
class Draw:
    """Latents of a batch of states.

    Attributes:
        latent: ``[B, Z]``, differentiable (SAC eq. 8).
        price: what the temperature multiplies, nats per chunk ``[B]``: the divergence from the
            prior of a residual actor, log pi(z|s) of a squashed one.
        entropy: differential entropy or its estimate -log pi, nats per chunk ``[B]``.
    """

    latent: Tensor
    price: Tensor
    entropy: Tensor


class Mlp(Network):
    """Linear, LayerNorm, activation; then a linear head.

    Args:
        config: widths and activation.
        input_dim: of the first layer.
        output_dim: of the head.
        rng: source of the first weights.
        zero_head: start with an output of 0.
    """

    def __init__(
        self,
        config: DsrlConfig,
        input_dim: int,
        output_dim: int,
        rng: torch.Generator,
        *,
        zero_head: bool,
    ) -> None:
        super().__init__()
        self._activate = ACTIVATIONS[config.activation]
        sizes = [input_dim, *config.hidden]
        pairs = list(pairwise(sizes))
        self.weight = nn.ParameterList([uniform((i, o), i, rng) for i, o in pairs])
        self.bias = nn.ParameterList([uniform((o,), i, rng) for i, o in pairs])
        self.gain = nn.ParameterList([nn.Parameter(torch.ones(o)) for _, o in pairs])
        self.shift = nn.ParameterList([nn.Parameter(torch.zeros(o)) for _, o in pairs])
        self._layers = tuple(zip(self.weight, self.bias, self.gain, self.shift, strict=True))
        width = sizes[-1]
        if zero_head:
            self.head_weight = nn.Parameter(torch.zeros(width, output_dim))
            self.head_bias = nn.Parameter(torch.zeros(output_dim))
        else:
            self.head_weight = uniform((width, output_dim), width, rng)
            self.head_bias = uniform((output_dim,), width, rng)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, output_dim]`` of ``x [B, input_dim]``."""
        x = x.to(self._layers[0][0].dtype)
        for weight, bias, gain, shift in self._layers:
            x = torch.addmm(bias, x, weight)
            x = self._activate(functional.layer_norm(x, x.shape[-1:], gain, shift))
        return torch.addmm(self.head_bias, x.to(self.head_weight.dtype), self.head_weight)


class ActorNetwork(Mlp):
    """State -> mean and log standard deviation of the latent.

    A residual actor starts at N(0, I) exactly, a squashed one as linear layers do.

    Args:
        config: form, widths and bounds.
        state_dim: features and remaining time.
        latent_dim: Z.
        rng: source of the first weights.
    """

    def __init__(
        self, config: DsrlConfig, state_dim: int, latent_dim: int, rng: torch.Generator
    ) -> None:
        residual = config.actor is ActorForm.RESIDUAL
        super().__init__(config, state_dim, 2 * latent_dim, rng, zero_head=residual)
        self._config = config
        self._residual = residual

    def distribution(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log sigma before squashing, both ``[B, Z]``, of ``state [B, F + 1]``."""
        mean, spread = super().forward(state).chunk(2, dim=-1)
        if not self._residual:
            return mean, spread.clamp(*SQUASHED_LOG_STD)
        mean_bound, log_std_bound = self._config.mean_bound, self._config.log_std_bound
        mean = mean_bound * torch.tanh(mean / mean_bound)
        return mean, log_std_bound * torch.tanh(spread / log_std_bound)

    def draw(self, state: Tensor, rng: torch.Generator) -> Draw:
        """One latent per row by reparameterisation (SAC eq. 8) with its price."""
        mean, log_std = self.distribution(state)
        z0 = torch.randn(mean.shape, generator=rng)
        u = mean + torch.exp(log_std) * z0
        bound = self._config.latent_bound
        if self._residual:
            entropy = (log_std + _HALF_LOG_2PI + 0.5).sum(dim=-1)
            return Draw(u.clamp(-bound, bound), kl_to_prior(mean, log_std), entropy)
        # SAC appendix C, eq. 21, with log(1 - tanh(u)^2) written without cancellation.
        stretch = 2.0 * (math.log(2.0) - u - functional.softplus(-2.0 * u))
        if self._config.magnitude_in_entropy:
            stretch = stretch + math.log(bound)
        log_pi = (-0.5 * z0.square() - log_std - _HALF_LOG_2PI - stretch).sum(dim=-1)
        return Draw(bound * torch.tanh(u), log_pi, -log_pi)


def arrays(network: nn.Module, prefix: str = "") -> dict[str, Float32Array]:
    """Weights as an actor file names them; also of a critic ensemble."""
    out: dict[str, Float32Array] = {}
    for name, value in network.state_dict().items():
        kind, _, layer = name.partition(".")
        key = f"hidden.{layer}.{kind}" if layer else name.replace("_", ".")
        out[prefix + key] = value.detach().numpy().copy()
    return out
