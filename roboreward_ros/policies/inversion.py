# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which noise decodes to a given chunk: the deterministic sampler, run backwards.

DDIM with eta = 0 is a composition of smooth maps x_k -> x_{k+1}; each is solved for x_k
numerically, from the chunk back to the noise (the idea of flow reversal steering, arXiv 2606.13675,
for a discrete sampler). The clamp on the clean chunk is off inside the solve, since it has no
inverse; the answer is then judged by the policy's own decode, clamp included. A chunk that the
policy would never make has no good noise: its residual is large, or |w| is far from the prior's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from roboreward_ros.policies.normalise import Statistics
from roboreward_ros.policies.sampler import DdimSampler, Predictor
from roboreward_ros.protocols import Policy
from roboreward_ros.types import ACTION_DIM, Float32Array, require_shape

Step = Callable[[Tensor, npt.NDArray[np.int64]], Tensor]
"""(x ``[B, D]``, its rows) -> the next x of these rows."""

Rows = npt.NDArray[np.int64] | None

_TOLERANCE = 2e-6  # of a solved step, normalised units; float32 gives little more
_SWEEPS = 40
_NEWTON = 30
_STIFFEST = 1e3  # a row whose damping has grown to this has come as close as it will
_NEAR = 0.5  # a step moves a draw of the prior by less, root mean square
_NEARLY, _LONGEST = 0.05, 4.0  # residual and norm of a chunk beyond a fold stay below
_ATTEMPTS = 24
_SPREADS = (0.2, 0.4, 0.8)  # normalised units
EXACT = 1e-4
"""Residual in spreads of the actions from which on a noise says the very chunk."""
FAR = 1.8
"""Largest ``|w| / sqrt(P * 7)`` of the prior: 28 latents exceed it once in 1e12 draws."""


@runtime_checkable
class Invertible(Policy, Protocol):
    """A policy whose sampler can be taken apart: the package's own."""

    def predictor(self, features: Tensor) -> Callable[[Rows], Predictor]:
        """The denoiser at features ``[B, F]``, for some of their rows or (None) for all."""

    @property
    def sampler(self) -> DdimSampler:
        """Noise to chunk, normalised units."""

    @property
    def actions(self) -> Statistics:
        """Mean and spread that normalise actions."""


@dataclass(frozen=True, slots=True)
class Inversion:
    """What was found for B chunks.

    Attributes:
        noise: ``[B, P, 7]`` float32.
        residual: root mean square of ``pi(s, w) - a`` in spreads of the policy's actions ``[B]``.
        norm: ``|w| / sqrt(P * 7)`` ``[B]``; about 1 for a draw of the prior.
    """

    noise: Float32Array
    residual: Float32Array
    norm: Float32Array

    def usable(self, residual: float = 0.05, norm: float = FAR) -> npt.NDArray[np.bool_]:
        """Whether the noise says what the chunk did ``[B]``.

        Args:
            residual: largest; 0.05 spreads is far below what a millimetre is worth.
            norm: largest.
        """
        finite = np.isfinite(self.noise).all(axis=(1, 2))
        return np.asarray(finite & (self.residual <= residual) & (self.norm <= norm))


def invert(policy: Invertible, features: Float32Array, chunks: Float32Array) -> Inversion:
    """Noise for each chunk.

    Args:
        policy: frozen policy with a deterministic sampler.
        features: of the states, ``[B, F]`` float32.
        chunks: what was done there, ``[B, P, 7]`` float32, physical units.
    """
    require_shape("chunks", chunks, (len(features), policy.spec.prediction_horizon, ACTION_DIM))
    last, *before = _steps(policy, features)
    goal = torch.from_numpy(policy.actions.normalise(chunks)).flatten(1)
    found = _judge(policy, features, chunks, _back(before, solve(last, goal)))
    missed = (found.residual > EXACT) | (found.norm > FAR)
    rows = np.flatnonzero(missed & (found.residual < _NEARLY) & (found.norm < _LONGEST))
    return _over_the_fold(policy, features, chunks, found, rows) if len(rows) else found


def _steps(policy: Invertible, features: Float32Array) -> list[Step]:
    """The sampler's steps at features ``[B, F]``, the last first."""
    predict = policy.predictor(torch.from_numpy(np.ascontiguousarray(features)))

    def at(index: int) -> Step:
        return lambda x, rows: policy.sampler.step(predict(rows), x, index, clip=False)

    return [at(index) for index in reversed(range(len(policy.sampler.steps)))]


def _back(steps: Sequence[Step], x: Tensor) -> Tensor:
    for step in steps:
        x = solve(step, x)
    return x


def _judge(
    policy: Invertible, features: Float32Array, chunks: Float32Array, x: Tensor
) -> Inversion:
    """What noise ``[B, D]`` is worth by the policy's own decode."""
    noise = x.numpy().reshape(chunks.shape)
    residual = np.full(len(chunks), np.inf, dtype=np.float32)
    good = np.isfinite(noise).all(axis=(1, 2))
    if good.any():
        made = policy.actions.normalise(policy.decode(features[good], noise[good]))
        off = (made - policy.actions.normalise(chunks[good])).reshape(int(good.sum()), -1)
        residual[good] = np.sqrt(np.square(off).mean(axis=1))
    with np.errstate(invalid="ignore"):
        norm = np.sqrt(np.square(noise.reshape(len(chunks), -1)).mean(axis=1))
    return Inversion(noise, residual, norm)


def _over_the_fold(
    policy: Invertible,
    features: Float32Array,
    chunks: Float32Array,
    found: Inversion,
    rows: npt.NDArray[np.int64],
) -> Inversion:
    """Look for a better noise of ``rows``, from other starts of the last step's solve.

    A policy holds the gripper at one of two values: there its last step is almost flat and folds,
    and what is asked for lies beyond the fold. The starts differ in the directions that the step
    feels least, as many as the chunk has grippers. A noise like the prior's comes before an exact
    one, and that before a shorter one.
    """
    noise, residual, norm = found.noise.copy(), found.residual.copy(), found.norm.copy()
    goal = torch.from_numpy(policy.actions.normalise(chunks[rows])).flatten(1)
    slopes = _jacobian(_steps(policy, features[rows])[0], goal, np.arange(len(rows)))
    flat = torch.linalg.svd(slopes)[2][:, -chunks.shape[1] :]
    rng = torch.Generator().manual_seed(0)
    for attempt in range(_ATTEMPTS):
        spread = _SPREADS[attempt % len(_SPREADS)]
        aside = spread * torch.randn(flat.shape[1], generator=rng)
        left = np.flatnonzero((residual[rows] > EXACT) | (norm[rows] > FAR))
        if not len(left):
            break
        own = rows[left]
        last, *before = _steps(policy, features[own])
        start = goal[left] + aside @ flat[left]
        x = _damped_newton(last, goal[left], np.arange(len(own)), start)
        other = _judge(policy, features[own], chunks[own], _back(before, x))
        for k, row in enumerate(own):
            if _rank(other.residual[k], other.norm[k]) < _rank(residual[row], norm[row]):
                noise[row], residual[row] = other.noise[k], other.residual[k]
                norm[row] = other.norm[k]
    return Inversion(noise, residual, norm)


def _rank(residual: np.float32, norm: np.float32) -> tuple[bool, bool, float]:
    """Order of two noises for one chunk; the smaller is better."""
    exact = bool(residual <= EXACT)
    return not norm <= FAR, not exact, float(norm if exact else residual)


def solve(step: Step, goal: Tensor) -> Tensor:
    """The x with ``step(x) = goal``, both ``[B, D]``, near the goal; rows are independent.

    A step moves x little, so x <- x + (goal - step(x)) converges mostly. Where it does not, or runs
    off to a preimage far away (a policy maps much noise to almost one chunk), Levenberg and
    Marquardt's method goes from the goal in damped steps, which prefer what is near. Rows that
    nothing solves stay where they came closest.
    """
    x = _sweep(step, goal)
    with torch.no_grad():
        rows = np.arange(len(x))
        open_ = (goal - step(x, rows)).abs().amax(dim=1) > _TOLERANCE
        far = (x - goal).square().mean(dim=1).sqrt() > _NEAR
    rows = rows[(open_ | far).numpy()]
    if len(rows):
        x[rows] = _damped_newton(step, goal[rows], rows, goal[rows])
    return x


def _sweep(step: Step, goal: Tensor) -> Tensor:
    x, rows = goal.clone(), np.arange(len(goal))
    with torch.no_grad():
        for _ in range(_SWEEPS):
            rest = goal[rows] - step(x[rows], rows)
            x[rows] += rest
            error = rest.abs().amax(dim=1)
            rows = rows[((error > 0.1 * _TOLERANCE) & (error < 1e3)).numpy()]
            if not len(rows):
                break
    return torch.where(x.isfinite(), x, goal)


def _damped_newton(step: Step, goal: Tensor, rows: npt.NDArray[np.int64], start: Tensor) -> Tensor:
    """Least squares of ``goal - step(x)`` of ``rows``, both ``[R, D]``, from ``start`` on."""
    x = start.clone()
    damping = torch.full((len(x), 1, 1), 1e-2)
    eye = torch.eye(x.shape[1])
    with torch.no_grad():
        rest = goal - step(x, rows)
    for _ in range(_NEWTON):
        error = rest.abs().amax(dim=1)
        live = torch.nonzero((error > _TOLERANCE) & (damping.flatten() < _STIFFEST)).squeeze(1)
        if not len(live):
            break
        own = rows[live.numpy()]
        jacobian = _jacobian(step, x[live], own)
        with torch.no_grad():
            normal = jacobian.mT @ jacobian + damping[live] * eye
            move = torch.linalg.solve(normal, jacobian.mT @ rest[live].unsqueeze(-1)).squeeze(-1)
            there = x[live] + move
            after = goal[live] - step(there, own)
            better = after.square().sum(dim=1) < rest[live].square().sum(dim=1)
            x[live[better]], rest[live[better]] = there[better], after[better]
            scale = torch.where(better, 0.1, 10.0).view(-1, 1, 1)
            damping[live] = (damping[live] * scale).clamp(1e-9, _STIFFEST)
    return x


def _jacobian(step: Step, x: Tensor, rows: npt.NDArray[np.int64]) -> Tensor:
    """D step / d x ``[B, D, D]``, all outputs at once."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        out = step(x, rows)
        size = out.shape[1]
        each = torch.eye(size).unsqueeze(1).expand(size, *out.shape)
        (columns,) = torch.autograd.grad(out, x, each, is_grads_batched=True)
    return columns.transpose(0, 1).detach()
