# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The steering actor as the policy node uses it: immutable, numpy only, one decision at a time.

``w = mu(s) + sigma(s) * w0`` with ``w0 ~ N(0, I)``: a diagonal Gaussian, not squashed. With the
last layer at zero mu = 0 and sigma = 1, so an untrained actor *is* the prior (w = w0 exactly);
steering is the difference ``delta(s, w0) = mu(s) + (sigma(s) - 1) * w0``. What it may spend on
leaving the prior is a divergence budget (see ``dsrl.sac``), not a squashing function. The paper's
own form, ``w = m tanh(mu + sigma * w0)``, is there for its profiles.

With ``candidates`` several latents are drawn and the critic in the file takes the best; with
``edit_bound`` it chooses among chunks and their edits (``dsrl.edit_actor``).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from roboreward_ros.dsrl.config import Activation, Combine, NoiseForm
from roboreward_ros.dsrl.noise_forms import NoiseMap
from roboreward_ros.dsrl.numpy_nets import combine, forward
from roboreward_ros.errors import CheckpointError
from roboreward_ros.files import write_atomic
from roboreward_ros.policies.noise import actor_rng
from roboreward_ros.types import ACTION_DIM, Float32Array, require_shape

ACTOR_FORMAT = 2
"""1 knew the full noise form and residual actors only; such files are read as what they are."""
SQUASHED_LOG_STD = (-20.0, 2.0)
"""Range of log sigma of a squashed actor, as in SAC's own code."""
EDIT_LOG_STD = -2.0
"""Log sigma of an untrained edit before its tanh: an eighth of its bound."""


@dataclass(frozen=True, slots=True)
class SteeringActor:
    """Weights of one published version.

    Attributes:
        version: counts published actors of a run; 0 is the prior.
        policy_id: sha256 of the frozen policy that it steers.
        horizon: prediction horizon P; latents are ``[P, 7]``.
        mean_bound: largest |mu|.
        log_std_bound: largest |log sigma|.
        noise_bound: last clip of |w|; for a residual actor beyond the prior's reach in practice.
        feature_clip: bound of a normalised feature.
        weights: arrays by name; ``hidden.<i>.{weight,bias,gain,shift}``, ``head.{weight,bias}``,
            ``features.{mean,scale}``. Without ``head.weight`` the actor is the prior. An ensemble
            of critics under ``critic.``, an edit network under ``edit.`` and
            ``actions.{mean,scale}`` where they are used.
        form: of the noise.
        basis: K of ``NoiseForm.BASIS``.
        squash: m of a squashed actor; 0 is a residual one.
        activation: of all networks.
        candidates: latents among which the critic chooses; 1 asks no critic.
        combine: critics -> value that is compared.
        pessimism: weight of the critics' spread in it.
        edit_bound: largest edit of an action in units of ``actions.scale``; 0 edits nothing.
    """

    version: int
    policy_id: str
    horizon: int
    mean_bound: float
    log_std_bound: float
    noise_bound: float
    feature_clip: float
    weights: Mapping[str, Float32Array]
    form: NoiseForm = NoiseForm.FULL
    basis: int = 1
    squash: float = 0.0
    activation: Activation = Activation.SILU
    candidates: int = 1
    combine: Combine = Combine.MEAN
    pessimism: float = 0.0
    edit_bound: float = 0.0

    @classmethod
    def prior(cls, policy_id: str, horizon: int) -> SteeringActor:
        """Version 0: answers w = w0."""
        return cls(0, policy_id, horizon, 2.0, 2.0, 5.0, 5.0, {})

    @property
    def noise_map(self) -> NoiseMap:
        """Latent to noise."""
        return NoiseMap(self.form, self.horizon, self.basis)

    def state(self, features: Float32Array, remaining: float) -> Float32Array:
        """What the networks see ``[F + 1]``: normalised features and the time that is left."""
        weights = self.weights
        require_shape("features", features, (len(weights["features.mean"]),))
        x = (features - weights["features.mean"]) * weights["features.scale"]
        x = np.clip(x, -self.feature_clip, self.feature_clip)
        return np.append(x, np.float32(2.0 * remaining - 1.0)).astype(np.float32)

    def distribution(
        self, features: Float32Array, remaining: float
    ) -> tuple[Float32Array, Float32Array]:
        """Mean and standard deviation ``[Z]`` of the latent at one decision, before squashing.

        Args:
            features: frozen conditioning ``[F]`` float32.
            remaining: fraction of the time limit left, 0..1.
        """
        size = self.noise_map.latent_dim
        if "head.weight" not in self.weights:
            return np.zeros(size, np.float32), np.ones(size, np.float32)
        raw = forward(self.weights, "", self.activation, self.state(features, remaining))
        if self.squash > 0:
            return raw[:size], np.exp(np.clip(raw[size:], *SQUASHED_LOG_STD))
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
        _, w = self._latents(features, remaining, w0.reshape(1, -1), deterministic)
        return w.reshape(self.horizon, ACTION_DIM)

    def _latents(
        self, features: Float32Array, remaining: float, w0: Float32Array, deterministic: bool
    ) -> tuple[Float32Array, Float32Array]:
        """Latents ``[N, Z]`` and noise ``[N, P * 7]`` from prior draws ``[N, P * 7]``."""
        noise_map = self.noise_map
        mean, std = self.distribution(features, remaining)
        z = noise_map.latents(w0)
        z = mean + (np.float32(0) if deterministic else std) * z
        if self.squash > 0 and "head.weight" in self.weights:
            z = np.float32(self.squash) * np.tanh(z)
        w = noise_map.noise(z, None if deterministic else w0)
        w = np.clip(w, -self.noise_bound, self.noise_bound)
        return z.astype(np.float32), w.astype(np.float32)

    def values(
        self, features: Float32Array, remaining: float, choices: Float32Array
    ) -> Float32Array:
        """Value ``[N]`` of latents ``[N, Z]`` (or of unit chunks, for an edit actor)."""
        state = np.repeat(self.state(features, remaining)[None], len(choices), axis=0)
        x = np.concatenate([state, choices], axis=1)
        raw = forward(self.weights, "critic.", self.activation, x)[..., 0]
        return combine(raw, self.combine, self.pessimism)

    def steer(
        self,
        features: Float32Array,
        remaining: float,
        seed: int,
        chunk: int,
        deterministic: bool = False,
    ) -> Float32Array:
        """``choose`` with w0 as a pure function of the episode's seed and the decision's number.

        With ``candidates`` above 1 the critic's favourite of so many.
        """
        if self.candidates > 1 and self.edit_bound == 0:
            z, w = self.draw(features, remaining, seed, chunk)
            best = int(np.argmax(self.values(features, remaining, z)))
            return np.asarray(w[best].reshape(self.horizon, ACTION_DIM))
        w0 = actor_rng(seed, chunk).standard_normal((self.horizon, ACTION_DIM))
        return self.choose(features, remaining, w0.astype(np.float32), deterministic)

    def draw(
        self, features: Float32Array, remaining: float, seed: int, chunk: int
    ) -> tuple[Float32Array, Float32Array]:
        """``candidates`` latents ``[N, Z]`` and their noise ``[N, P * 7]`` for one decision."""
        size = (self.candidates, self.horizon * ACTION_DIM)
        w0 = actor_rng(seed, chunk).standard_normal(size).astype(np.float32)
        return self._latents(features, remaining, w0, False)

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
            "form": str(self.form),
            "basis": self.basis,
            "squash": self.squash,
            "activation": str(self.activation),
            "candidates": self.candidates,
            "combine": str(self.combine),
            "pessimism": self.pessimism,
            "edit_bound": self.edit_bound,
        }
        tensors = {name: np.ascontiguousarray(self.weights[name]) for name in sorted(self.weights)}
        data: bytes = save(tensors, {"actor": json.dumps(header, sort_keys=True)})
        return data

    def save(self, path: Path) -> str:
        """Write atomically (temporary file, sync, rename); returns the file's sha256."""
        data = self.to_bytes()
        write_atomic(path, data)
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
        CheckpointError: missing or damaged file, weights that are not finite, newer format, or
            another policy's actor.
    """
    try:
        have = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError) as error:  # an announced name may be none of this machine
        raise CheckpointError("no such actor file", got=f"{path}: {error}") from None
    if sha256 is not None and have != sha256:
        raise CheckpointError(
            f"actor file {path} was changed after it was announced", got=have, allowed=sha256
        )
    try:
        with safe_open(path, framework="numpy") as file:
            header = dict(json.loads((file.metadata() or {})["actor"]))
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError, OSError) as error:
        raise CheckpointError("not an actor file", got=f"{path}: {error}") from error
    if header.pop("format", None) not in range(1, ACTOR_FORMAT + 1):
        raise CheckpointError(
            "actor file has another format", got=str(path), allowed=f"format 1..{ACTOR_FORMAT}"
        )
    kinds = {"form": NoiseForm, "activation": Activation, "combine": Combine}
    try:
        header |= {name: kind(header[name]) for name, kind in kinds.items() if name in header}
        actor = SteeringActor(**header, weights=weights)
        _check(actor)
    except (TypeError, ValueError, OverflowError) as error:
        raise CheckpointError("not an actor file", got=f"{path}: {error}") from error
    if policy_id is not None and actor.policy_id != policy_id:
        raise CheckpointError(
            f"actor {path} steers another policy", got=actor.policy_id, allowed=policy_id
        )
    return actor


def _check(actor: SteeringActor) -> None:
    """Raises ValueError for values that no such actor has: files come from elsewhere."""
    counts = (actor.version, actor.horizon, actor.basis, actor.candidates)
    bounds = (
        actor.mean_bound, actor.log_std_bound, actor.noise_bound, actor.feature_clip,
        actor.squash, actor.pessimism, actor.edit_bound,
    )  # fmt: skip
    if not all(type(count) is int and 0 <= count < 2**63 for count in counts):
        raise ValueError(f"version, horizon, basis, candidates are {counts}")
    if not all(type(bound) in (int, float) and math.isfinite(bound) for bound in bounds):
        raise ValueError(f"bounds are {bounds}")
    bad = [name for name, array in actor.weights.items() if not np.isfinite(array).all()]
    if bad:
        raise ValueError(f"not finite: {', '.join(sorted(bad))}")
    if not isinstance(actor.policy_id, str):
        raise ValueError(f"policy_id is {actor.policy_id!r}")
