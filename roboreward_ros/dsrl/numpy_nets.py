# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Forward passes in numpy of what an actor file holds; the policy node needs no torch for them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from roboreward_ros.dsrl.config import Activation, Combine
from roboreward_ros.types import Float32Array

_LAYER_NORM_EPS = np.float32(1e-5)


def activate(kind: Activation, x: Float32Array) -> Float32Array:
    """The activation of a hidden layer."""
    if kind is Activation.TANH:
        return np.tanh(x)
    if kind is Activation.RELU:
        return np.maximum(x, np.float32(0))
    return np.asarray(x / (1.0 + np.exp(-x)))


def forward(
    weights: Mapping[str, Float32Array], prefix: str, kind: Activation, x: Float32Array
) -> Float32Array:
    """Output of the network named ``prefix``.

    One network takes ``[D]`` or ``[B, D]``; an ensemble (weights ``[E, D, H]``) takes ``[B, D]``
    and gives ``[E, B, out]``.
    """
    layer = 0
    while f"{prefix}hidden.{layer}.weight" in weights:
        name = f"{prefix}hidden.{layer}"
        x = x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + _LAYER_NORM_EPS)
        x = activate(kind, x * weights[f"{name}.gain"] + weights[f"{name}.shift"])
        layer += 1
    out = x @ weights[f"{prefix}head.weight"] + weights[f"{prefix}head.bias"]
    return np.asarray(out, dtype=np.float32)


def combine(values: Float32Array, how: Combine, pessimism: float) -> Float32Array:
    """One value ``[B]`` from an ensemble's ``[E, B]``; every member counts for ``subset``."""
    if how in (Combine.MIN, Combine.SUBSET):
        return np.asarray(values.min(axis=0))
    mean = np.asarray(values.mean(axis=0))
    if how is Combine.MEAN or len(values) == 1:
        return mean
    return np.asarray(mean - pessimism * values.std(axis=0, ddof=1))
