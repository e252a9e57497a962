# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""DSRL-SAC: the whole update, top to bottom.

DSRL (arXiv 2506.15799): the noise w of a frozen diffusion policy is the action of an ordinary
continuous MDP; the environment answers w by decoding and executing one chunk. DSRL-SAC runs SAC
(arXiv 1812.05905, equation numbers below) on it. Three things differ from plain SAC, each because
an episodic score arrives once in a dozen decisions and the budget is about a hundred episodes:

1. The reference of the regulariser is the prior N(0, I), not the uniform density: entropy is
   replaced by -KL(pi(.|s) || N(0, I)), which is closed for a diagonal Gaussian. An untrained actor
   is at its optimum, and noise stays where the frozen policy decodes it well. The temperature is
   the multiplier of a trust region E[KL] <= budget (as SAC's is of an entropy floor, eq. 17-18).
2. Targets are mixed with the known Monte-Carlo return and clipped to the range of possible values.
3. Critics are an ensemble; the actor climbs its mean minus a multiple of its spread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from roboreward_ros.dsrl.actor_network import ActorNetwork
from roboreward_ros.dsrl.config import Backup, DsrlConfig
from roboreward_ros.dsrl.critic import CriticEnsemble, combine
from roboreward_ros.dsrl.replay import ReplayView
from roboreward_ros.dsrl.shaping import value_bounds
from roboreward_ros.types import Float32Array

Rows = npt.NDArray[np.int64]
_MEASURE_EVERY = 8  # updates between two looks at the losses; looking costs a tenth of an update


@dataclass(frozen=True, slots=True)
class UpdateMetrics:
    """Means over every few updates of one call.

    Attributes:
        critic_loss: per critic.
        actor_loss: alpha * KL - Q.
        alpha: price of one nat.
        kl: divergence of the actor from N(0, I), nats per chunk.
        entropy: differential entropy of the actor, nats per chunk.
        q_mean: value of the stored transitions.
        q_spread: standard deviation between critics on the actor's latents.
    """

    critic_loss: float = 0.0
    actor_loss: float = 0.0
    alpha: float = 0.0
    kl: float = 0.0
    entropy: float = 0.0
    q_mean: float = 0.0
    q_spread: float = 0.0


def kl_to_prior(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(N(mean, sigma^2) || N(0, I)) ``[B]`` in nats of latents ``[B, D]``."""
    variance = torch.exp(2.0 * log_std)
    return 0.5 * (mean.square() + variance - 1.0 - 2.0 * log_std).sum(dim=-1)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of the replay as tensors; B rows.

    Attributes:
        state: normalised features and remaining time ``[B, F + 1]``.
        following: of the next decision; meaningless where ``mask`` is 0.
        noise: latents that ran ``[B, P * 7]``.
        reward, mask, returns: ``[B]``; returns are NaN where not known.
        taught: 1 where a critic learns from the row ``[E, B]``.
    """

    state: Tensor
    following: Tensor
    noise: Tensor
    reward: Tensor
    mask: Tensor
    returns: Tensor
    taught: Tensor

    @classmethod
    def of(cls, replay: ReplayView, states: Tensor, rows: Rows) -> Batch:
        """Gather ``rows``; ``states`` are those of all rows (``Sac.states``)."""
        following = np.minimum(replay.next_rows(rows), len(states) - 1)
        return cls(
            state=states[torch.from_numpy(rows)],
            following=states[torch.from_numpy(following)],
            noise=torch.from_numpy(replay.noise[rows]),
            reward=torch.from_numpy(replay.rewards[rows]),
            mask=torch.from_numpy(replay.masks[rows]),
            returns=torch.from_numpy(replay.returns[rows]),
            taught=torch.from_numpy(replay.members[rows]).T.float(),
        )


class Sac:
    """Networks, optimisers and one update.

    Args:
        config: every knob.
        feature_dim: F.
        noise_dim: P * 7.
        seed: of the first weights and of the sampling in the updates.
    """

    def __init__(self, config: DsrlConfig, feature_dim: int, noise_dim: int, seed: int) -> None:
        self.config = config
        self.rng = torch.Generator().manual_seed(seed)
        self.low, self.high = value_bounds(config)
        state_dim = feature_dim + 1
        self.actor = ActorNetwork(config, state_dim, noise_dim, self.rng)
        self.critic = CriticEnsemble(config, state_dim + noise_dim, self.rng)
        self.target = CriticEnsemble(config, state_dim + noise_dim, self.rng)
        self.target.load_state_dict(self.critic.state_dict())
        self.target.requires_grad_(False)
        self.log_alpha = torch.tensor(np.log(config.alpha_init), dtype=torch.float32)
        self.log_alpha.requires_grad_(True)
        self.feature_mean = torch.zeros(feature_dim)
        self.feature_scale = torch.ones(feature_dim)
        self.actor_optimizer = torch.optim.Adam(
            self.actor.parameters(), lr=config.actor_lr, fused=True
        )
        self.critic_optimizer = torch.optim.AdamW(
            self.critic.parameters(),
            lr=config.critic_lr,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.alpha_optimizer = torch.optim.Adam([self.log_alpha], lr=config.alpha_lr)
        self._target_tensors: list[Tensor] = list(self.target.parameters())
        self._critic_tensors: list[Tensor] = list(self.critic.parameters())
        self.steps = 0

    def fit_normaliser(self, features: Float32Array) -> None:
        """Fix the mean and scale of features ``[n, F]``; constant features are switched off."""
        x = torch.from_numpy(features)
        std = x.std(dim=0)
        self.feature_mean = x.mean(dim=0)
        alive = std > 1e-4 * (1.0 + self.feature_mean.abs())
        self.feature_scale = torch.where(alive, 1.0 / std.clamp_min(1e-12), torch.zeros(()))

    def states(self, replay: ReplayView) -> Tensor:
        """Normalised features and remaining time ``[rows, F + 1]``, as ``SteeringActor`` sees them.

        Of all rows ever written at once: normalising a batch at a time costs more.
        """
        used = replay.high_water
        x = torch.from_numpy(replay.features[:used])
        bound = self.config.feature_clip
        x = ((x - self.feature_mean) * self.feature_scale).clamp_(-bound, bound)
        time = torch.from_numpy(2.0 * replay.remaining[:used] - 1.0)
        return torch.cat([x, time.unsqueeze(1)], dim=1)

    def _sample(self, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Latent by reparameterisation (SAC eq. 8), its KL to the prior and its log sigma."""
        mean, log_std = self.actor(state)
        w0 = torch.randn(mean.shape, generator=self.rng)
        w = mean + torch.exp(log_std) * w0
        bound = self.config.noise_bound
        return w.clamp(-bound, bound), kl_to_prior(mean, log_std), log_std

    def _values(self, raw: Tensor) -> Tensor:
        """Critic outputs as values; with ``bounded`` inside the range of possible returns."""
        if self.config.bounded:
            return self.low + (self.high - self.low) * torch.sigmoid(raw)
        return raw

    def targets(self, batch: Batch) -> Tensor:
        """Regression targets ``[B]``, always within the range of possible returns.

        SAC eq. 3 and 5 for one chunk, with a hard backup by default, mixed with the return that
        was really obtained: y = (1 - m) (r + gamma mask V(s')) + m G.
        """
        config = self.config
        with torch.no_grad():
            w, kl, _ = self._sample(batch.following)
            values = self._values(self.target(torch.cat([batch.following, w], dim=1)))
            value = combine(values, config.target_combine, config.pessimism)
            if config.backup is Backup.SOFT:
                value = value - self.log_alpha.exp() * kl
            y = torch.addcmul(batch.reward, batch.mask, value, value=config.gamma)
            mixed = torch.lerp(y, batch.returns, config.monte_carlo)
            return torch.where(torch.isnan(batch.returns), y, mixed).clamp_(self.low, self.high)

    def update(self, replay: ReplayView, rng: np.random.Generator, n: int) -> UpdateMetrics | None:
        """Run ``n`` gradient steps on uniform batches of ``replay``.

        Nothing is read back from tensors before the end, so the steps run without a stop.

        Returns:
            What was measured; None when so few steps came between two measurements.
        """
        states = self.states(replay)
        total = torch.zeros(7)
        measured = 0
        for _ in range(n):
            rows = replay.sample(rng, self.config.batch_size)
            seen = self._step(Batch.of(replay, states, rows))
            if seen is not None:
                total += seen
                measured += 1
        return UpdateMetrics(*(total / measured).tolist()) if measured else None

    def _step(self, batch: Batch) -> Tensor | None:
        """One gradient step; every few steps the seven values of ``UpdateMetrics``."""
        config = self.config
        # By the step's own number: a run must draw the same however it is divided into calls.
        measure = self.steps % _MEASURE_EVERY == 0
        y = self.targets(batch)

        # Critics: J_Q (SAC eq. 5), each on its own share of the episodes.
        raw = self.critic(torch.cat([batch.state, batch.noise], dim=1))
        goal = y.expand_as(raw)
        if config.bounded:
            goal = (goal - self.low) / (self.high - self.low)
            losses = functional.binary_cross_entropy_with_logits(raw, goal, reduction="none")
        else:
            losses = functional.mse_loss(raw, goal, reduction="none")
        critic_loss = (losses * batch.taught).sum(dim=1) / batch.taught.sum(dim=1).clamp_min(1.0)
        self.critic_optimizer.zero_grad()
        critic_loss.sum().backward()  # type: ignore[no-untyped-call]
        self.critic_optimizer.step()

        # Actor: J_pi (SAC eq. 9) with the divergence from the prior in place of -entropy.
        self.steps += 1
        alpha = self.log_alpha.detach().exp()
        train_actor = (
            self.steps > config.critic_only_updates and self.steps % config.actor_period == 0
        )
        seen: Tensor | None = None
        if train_actor or measure:
            w, kl, log_std = self._sample(batch.state)
            values = self._values(self.critic(torch.cat([batch.state, w], dim=1), frozen=True))
            q = combine(values, config.actor_combine, config.pessimism)
            actor_loss = (alpha * kl - q).mean()
            if train_actor:
                self.actor_optimizer.zero_grad()
                actor_loss.backward()  # type: ignore[no-untyped-call]
                self.actor_optimizer.step()
                self._update_alpha(kl.detach().mean())
            if measure:
                entropy = (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(dim=-1).mean()
                spread = values.std(dim=0, correction=0).mean()
                q_mean = self._values(raw).mean()
                parts = [critic_loss.mean(), actor_loss, alpha, kl.mean(), entropy, q_mean, spread]
                seen = torch.stack(parts).detach()

        with torch.no_grad():
            torch._foreach_lerp_(self._target_tensors, self._critic_tensors, config.tau)
        return seen

    def _update_alpha(self, kl: Tensor) -> None:
        """Dual ascent on the trust region E[KL] <= budget (the shape of SAC eq. 18)."""
        if self.config.alpha_lr > 0:
            self.alpha_optimizer.zero_grad()
            loss = self.log_alpha * (self.config.kl_budget - kl)
            loss.backward()  # type: ignore[no-untyped-call]
            self.alpha_optimizer.step()
