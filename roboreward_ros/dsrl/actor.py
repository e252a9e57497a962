# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The steering actor as the policy node uses it: immutable, numpy only, one decision at a time.

``w = mu(s) + sigma(s) * w0`` with ``w0 ~ N(0, I)``: a diagonal Gaussian, not squashed. With the
last layer at zero mu = 0 and sigma = 1, so an untrained actor *is* the prior (w = w0 exactly);
steering is the difference ``delta(s, w0) = mu(s) + (sigma(s) - 1) * w0``. What it may spend on
leaving the prior is a divergence budget (see ``dsrl.sac``), not a squashing function.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from roboreward_ros.errors import CheckpointError
from roboreward_ros.policies.noise import actor_rng
from roboreward_ros.types import ACTION_DIM, Float32Array, require_shape

ACTOR_FORMAT = 1
_LAYER_NORM_EPS = 1e-5


@dataclass(frozen=True, slots=True)
class SteeringActor:
    """Weights of one published version.

    Attributes:
        version: counts published actors of a run; 0 is the prior.
        policy_id: sha256 of the frozen policy that it steers.
        horizon: prediction horizon P; latents are ``[P, 7]``.
        mean_bound: largest |mu|.
        log_std_bound: largest |log sigma|.
        noise_bound: last clip of |w|; beyond the prior's reach in practice.
        feature_clip: bound of a normalised feature.
        weights: arrays by name; ``hidden.<i>.{weight,bias,gain,shift}``, ``head.{weight,bias}``,
            ``features.{mean,scale}``. Without ``head.weight`` the actor is the prior.
    """

    version: int
    policy_id: str
    horizon: int
    mean_bound: float
    log_std_bound: float
    noise_bound: float
    feature_clip: float
    weights: Mapping[str, Float32Array]

    @classmethod
    def prior(cls, policy_id: str, horizon: int) -> SteeringActor:
        """Version 0: answers w = w0."""
        return cls(0, policy_id, horizon, 2.0, 2.0, 5.0, 5.0, {})

    def distribution(
        self, features: Float32Array, remaining: float
    ) -> tuple[Float32Array, Float32Array]:
        """Mean and standard deviation ``[P * 7]`` of the latent at one decision.

        Args:
            features: frozen conditioning ``[F]`` float32.
            remaining: fraction of the time limit left, 0..1.
        """
        weights = self.weights
        size = self.horizon * ACTION_DIM
        if "head.weight" not in weights:
            return np.zeros(size, np.float32), np.ones(size, np.float32)
        require_shape("features", features, (len(weights["features.mean"]),))
        x = (features - weights["features.mean"]) * weights["features.scale"]
        x = np.clip(x, -self.feature_clip, self.feature_clip)
        x = np.append(x, np.float32(2.0 * remaining - 1.0)).astype(np.float32)
        layer = 0
        while f"hidden.{layer}.weight" in weights:
            name = f"hidden.{layer}"
            x = x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]
            x = (x - x.mean()) / np.sqrt(x.var() + np.float32(_LAYER_NORM_EPS))
            x = x * weights[f"{name}.gain"] + weights[f"{name}.shift"]
            x = x / (1.0 + np.exp(-x))
            layer += 1
        raw = x @ weights["head.weight"] + weights["head.bias"]
        mean = self.mean_bound * np.tanh(raw[:size] / self.mean_bound)
        log_std = self.log_std_bound * np.tanh(raw[size:] / self.log_std_bound)
        return mean.astype(np.float32), np.exp(log_std).astype(np.float32)

    def choose(
        self,
        features: Float32Array,
        remaining: float,
        w0: Float32Array,
        deterministic: bool = False,
    ) -> Float32Array:
        """The latent ``[P, 7]`` float32 of one decision.

        Args:
            features: frozen conditioning ``[F]`` float32.
            remaining: fraction of the time limit left, 0..1.
            w0: a draw of the prior ``[P, 7]``.
            deterministic: take the mean; for an untrained actor that is w = 0, another policy
                than the prior.
        """
        require_shape("w0", w0, (self.horizon, ACTION_DIM))
        mean, std = self.distribution(features, remaining)
        w = mean if deterministic else mean + std * w0.reshape(-1)
        w = np.clip(w, -self.noise_bound, self.noise_bound)
        return w.reshape(self.horizon, ACTION_DIM).astype(np.float32)

    def steer(
        self,
        features: Float32Array,
        remaining: float,
        seed: int,
        chunk: int,
        deterministic: bool = False,
    ) -> Float32Array:
        """``choose`` with w0 as a pure function of the episode's seed and the decision's number."""
        w0 = actor_rng(seed, chunk).standard_normal((self.horizon, ACTION_DIM))
        return self.choose(features, remaining, w0.astype(np.float32), deterministic)

    def to_bytes(self) -> bytes:
        """The safetensors file; equal actors give equal bytes."""
        header = {
            "format": ACTOR_FORMAT,
            "version": self.version,
            "policy_id": self.policy_id,
            "horizon": self.horizon,
            "mean_bound": self.mean_bound,
            "log_std_bound": self.log_std_bound,
            "noise_bound": self.noise_bound,
            "feature_clip": self.feature_clip,
        }
        tensors = {name: np.ascontiguousarray(self.weights[name]) for name in sorted(self.weights)}
        data: bytes = save(tensors, {"actor": json.dumps(header, sort_keys=True)})
        return data

    def save(self, path: Path) -> str:
        """Write atomically (temporary file, sync, rename); returns the file's sha256."""
        data = self.to_bytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        return hashlib.sha256(data).hexdigest()


def load_actor(
    path: Path, sha256: str | None = None, policy_id: str | None = None
) -> SteeringActor:
    """Read a published actor.

    Args:
        path: safetensors file.
        sha256: of the file, if it was announced.
        policy_id: of the frozen policy it must steer, if that is known.

    Raises:
        CheckpointError: missing or damaged file, newer format, or another policy's actor.
    """
    if not path.is_file():
        raise CheckpointError("no such actor file", got=str(path))
    if sha256 is not None:
        have = hashlib.sha256(path.read_bytes()).hexdigest()
        if have != sha256:
            raise CheckpointError(
                f"actor file {path} was changed after it was announced", got=have, allowed=sha256
            )
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["actor"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise CheckpointError("not an actor file", got=f"{path}: {error}") from error
    if header.pop("format", None) != ACTOR_FORMAT:
        raise CheckpointError(
            "actor file has another format", got=str(path), allowed=f"format {ACTOR_FORMAT}"
        )
    actor = SteeringActor(**header, weights=weights)
    if policy_id is not None and actor.policy_id != policy_id:
        raise CheckpointError(
            f"actor {path} steers another policy", got=actor.policy_id, allowed=policy_id
        )
    return actor
