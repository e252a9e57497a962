# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""E critics as one set of stacked tensors: a layer of the whole ensemble is one ``baddbmm``.

LayerNorm after every hidden layer keeps values from running away on unseen latents.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.dsrl.actor_network import ACTIVATIONS, uniform
from roboreward_ros.dsrl.compute import Network
from roboreward_ros.dsrl.config import Combine, DsrlConfig


class CriticEnsemble(Network):
    """Q_i(s, w) for i = 1..E, as logits or values ``[E, B]``.

    Args:
        config: ensemble size and widths.
        input_dim: state and latent together.
        rng: source of the first weights.
    """

    def __init__(self, config: DsrlConfig, input_dim: int, rng: torch.Generator) -> None:
        super().__init__()
        e = config.ensemble
        sizes = [input_dim, *config.hidden]
        pairs = list(pairwise(sizes))
        self.weight = nn.ParameterList([uniform((e, i, o), i, rng) for i, o in pairs])
        self.bias = nn.ParameterList([uniform((e, 1, o), i, rng) for i, o in pairs])
        self.gain = nn.ParameterList([nn.Parameter(torch.ones(e, 1, o)) for _, o in pairs])
        self.shift = nn.ParameterList([nn.Parameter(torch.zeros(e, 1, o)) for _, o in pairs])
        self.head_weight = uniform((e, sizes[-1], 1), sizes[-1], rng)
        self.head_bias = nn.Parameter(torch.zeros(e, 1, 1))
        self._ensemble = e
        self._activate = ACTIVATIONS[config.activation]
        self._layers = tuple(zip(self.weight, self.bias, self.gain, self.shift, strict=True))

    def forward(self, x: Tensor, *, frozen: bool = False) -> Tensor:
        """Raw outputs ``[E, B]`` of ``x [B, input_dim]``.

        Args:
            x: state and latent, concatenated.
            frozen: differentiate by the input only; saves the weights' gradients in the actor's
                step.
        """

        def fixed(parameter: Tensor) -> Tensor:
            return parameter.detach() if frozen else parameter

        h = x.to(self._layers[0][0].dtype).expand(self._ensemble, *x.shape)
        for weight, bias, gain, shift in self._layers:
            h = torch.baddbmm(fixed(bias), h, fixed(weight))
            h = functional.layer_norm(h, h.shape[-1:])
            h = self._activate(torch.addcmul(fixed(shift), h, fixed(gain)))
        h = h.to(self.head_weight.dtype)
        return torch.baddbmm(fixed(self.head_bias), h, fixed(self.head_weight)).squeeze(-1)


def combine(values: Tensor, how: Combine, pessimism: float) -> Tensor:
    """One value ``[B]`` from the ensemble's ``[E, B]``."""
    if how is Combine.MIN:
        return values.amin(dim=0)
    if how is Combine.MEAN or values.shape[0] == 1:
        return values.mean(dim=0)
    return values.mean(dim=0) - pessimism * values.std(dim=0)
