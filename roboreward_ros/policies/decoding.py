# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Features and noise to a chunk, step by step, so that it can also be gone back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from roboreward_ros.policies.config import SamplerConfig
from roboreward_ros.policies.inversion import Rows
from roboreward_ros.policies.normalise import Statistics
from roboreward_ros.policies.sampler import DdimSampler, Predictor


class Denoiser(Protocol):
    """What the package's own networks have."""

    def condition(self, features: Tensor) -> Tensor:
        """What features ``[B, F]`` contribute to every step ``[B, D]``."""

    def predict(self, chunk: Tensor, times: Tensor, condition: Tensor) -> Tensor:
        """Prediction ``[B, P*7]`` for noisy chunks ``[B, P*7]`` at times ``[B]`` in [0, 1]."""


class Decoding:
    """The part of ``Invertible`` that every network of the package shares.

    Args:
        denoiser: frozen network.
        sampler: schedule and steps.
        actions: statistics that normalise actions.
        device: torch device of the network.
    """

    def __init__(
        self, denoiser: Denoiser, sampler: SamplerConfig, actions: Statistics, device: torch.device
    ) -> None:
        self._denoiser = denoiser
        self._on = device
        self.sampler = DdimSampler(sampler)
        """Noise to chunk, normalised units."""
        self.actions = actions
        """Mean and spread that normalise actions."""
        self._times = {
            step: torch.tensor([step / sampler.train_steps], device=device)
            for step in self.sampler.steps
        }

    def predictor(self, features: Tensor) -> Callable[[Rows], Predictor]:
        """The denoiser at features ``[B, F]``, for some of their rows or (None) for all."""
        condition = self._denoiser.condition(features.to(self._on))

        def of(rows: Rows) -> Predictor:
            mine = condition if rows is None else condition[rows]
            return lambda x, step: self._denoiser.predict(x, self._times[step], mine)

        return of

    def decode_unit(self, features: Tensor, noise: Tensor) -> Tensor:
        """Normalised chunks ``[B, P*7]`` of features ``[B, F]`` and noise ``[B, P*7]``.

        Differentiable in both unless the caller is in inference mode.
        """
        return self.sampler.sample(self.predictor(features)(None), noise)
