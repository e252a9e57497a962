# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several DSRL-SAC learners whose updates run as one: their weights are windows of shared stacks.

Most of a small update is the cost of calling some hundred operations; R learners in one stack pay
it once. Every learner keeps its own replay, generators, quota and versions, and takes the steps
that ``dsrl.sac`` would have taken alone, to rounding (a test holds the two together).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.dsrl.actor_network import ACTIVATIONS, ActorNetwork, kl_to_prior
from roboreward_ros.dsrl.config import (
    Acting,
    ActorForm,
    Backup,
    Combine,
    CriticForm,
    DsrlConfig,
    NoiseForm,
)
from roboreward_ros.dsrl.critic import CriticEnsemble
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.dsrl.sac import Sac
from roboreward_ros.errors import ConfigError, LearnerError

_MEASURED = 8  # a lone learner also draws when it looks at its losses (dsrl.agent)


def fits_fleet(config: DsrlConfig) -> bool:
    """Whether the fleet knows how to do these updates."""
    return (
        config.critic is CriticForm.LATENT
        and config.actor is ActorForm.RESIDUAL
        and config.acting is Acting.ACTOR
        and config.backup is Backup.HARD
        and config.noise is NoiseForm.FULL
        and config.bounded
        and config.bootstrap == 1
        and Combine.SUBSET not in (config.target_combine, config.actor_combine)
    )


@dataclass(frozen=True, slots=True)
class _Stack:
    """Weights of K networks of one shape, a layer in one tensor each.

    Attributes:
        layers: (weight ``[K, i, o]``, bias, gain, shift ``[K, 1, o]``).
        head: weight ``[K, i, out]`` and bias ``[K, 1, out]``.
    """

    layers: tuple[tuple[Tensor, Tensor, Tensor, Tensor], ...]
    head: tuple[Tensor, Tensor]

    def tensors(self) -> list[Tensor]:
        """All of them, what an optimiser steps."""
        return [*(tensor for layer in self.layers for tensor in layer), *self.head]

    def frozen(self) -> _Stack:
        """The same numbers, without gradients of their own."""
        return _Stack(
            tuple((w.detach(), b.detach(), g.detach(), s.detach()) for w, b, g, s in self.layers),
            (self.head[0].detach(), self.head[1].detach()),
        )


def _stack(networks: Sequence[ActorNetwork] | Sequence[CriticEnsemble], trained: bool) -> _Stack:
    """Move the networks' parameters into stacks; the networks go on as windows of them."""

    def joined(parameters: list[nn.Parameter]) -> Tensor:
        whole = torch.stack([p.data for p in parameters])
        for window, parameter in zip(whole, parameters, strict=True):
            parameter.data = window
        if whole.ndim == 2:  # one vector a network
            whole = whole.unsqueeze(1)
        elif whole.ndim == 4:  # an ensemble a network
            whole = whole.flatten(0, 1)
        return whole.requires_grad_(trained)

    layers = tuple(
        (
            joined([n.weight[k] for n in networks]),
            joined([n.bias[k] for n in networks]),
            joined([n.gain[k] for n in networks]),
            joined([n.shift[k] for n in networks]),
        )
        for k in range(len(networks[0].weight))
    )
    heads = [n.head_weight for n in networks], [n.head_bias for n in networks]
    return _Stack(layers, (joined(heads[0]), joined(heads[1])))


class Fleet:
    """R learners of one configuration for one policy, updated together.

    Args:
        learners: fresh ones; do not call their ``update`` any more.

    Raises:
        ConfigError: a configuration that the fleet does not know, or different ones.
    """

    def __init__(self, learners: Sequence[Learner]) -> None:
        config = learners[0].config
        if not fits_fleet(config) or any(other.config != config for other in learners):
            raise ConfigError(
                "these learners cannot be updated as one",
                got=f"critic {config.critic}, actor {config.actor}, backup {config.backup}",
                allowed="equal latent, residual, hard, bounded ones without bootstrap",
                next_step="Update them one by one.",
            )
        self.learners = list(learners)
        self._config = config
        self._sacs = [learner.sac for learner in learners if isinstance(learner.sac, Sac)]
        self._activate = ACTIVATIONS[config.activation]
        self._actor = _stack([sac.actor for sac in self._sacs], trained=True)
        self._critic = _stack([sac.critic for sac in self._sacs], trained=True)
        self._target = _stack([sac.target for sac in self._sacs], trained=False)
        self._log_alpha = torch.stack([sac.log_alpha.data for sac in self._sacs])
        self._log_alpha.requires_grad_(True)
        self._actor_optimizer = torch.optim.Adam(
            self._actor.tensors(), lr=config.actor_lr, fused=True
        )
        self._critic_optimizer = torch.optim.AdamW(
            self._critic.tensors(),
            lr=config.critic_lr,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self._alpha_optimizer = torch.optim.Adam([self._log_alpha], lr=config.alpha_lr)

    def update(self) -> int:
        """Do all updates that the learners owe; returns how many each did.

        Raises:
            LearnerError: they owe different numbers: an episode of one has no label.
        """
        owed = {learner.owed for learner in self.learners}
        if len(owed) != 1:
            raise LearnerError("the learners of a fleet owe different quotas", got=sorted(owed))
        (n,) = owed
        if n == 0:
            return 0
        data = _Data(self.learners)
        for _ in range(n):
            self._step(data.draw(self.learners))
        for learner in self.learners:
            learner.owed = 0
        return n

    def _forward(self, stack: _Stack, x: Tensor) -> Tensor:
        """``[K, B, out]`` of ``x [K, B, in]``."""
        for weight, bias, gain, shift in stack.layers:
            x = torch.baddbmm(bias, x, weight)
            x = functional.layer_norm(x, x.shape[-1:])
            x = self._activate(torch.addcmul(shift, x, gain))
        return torch.baddbmm(stack.head[1], x, stack.head[0])

    def _values(self, stack: _Stack, state: Tensor, latent: Tensor) -> Tensor:
        """Logits ``[R, E, B]`` of critics on ``[R, B, .]``."""
        x = torch.cat([state, latent], dim=2)
        runs, batch, width = x.shape
        members = self._config.ensemble
        x = x.unsqueeze(1).expand(runs, members, batch, width).reshape(-1, batch, width)
        return self._forward(stack, x).view(runs, members, batch)

    def _unit(self, raw: Tensor) -> Tensor:
        low, high = self._sacs[0].low, self._sacs[0].high
        return low + (high - low) * torch.sigmoid(raw)

    def _combined(self, values: Tensor, how: Combine) -> Tensor:
        """``[R, B]`` from ``[R, E, B]``."""
        if how is Combine.MIN:
            return values.amin(dim=1)
        if how is Combine.MEAN or values.shape[1] == 1:
            return values.mean(dim=1)
        return values.mean(dim=1) - self._config.pessimism * values.std(dim=1)

    def _draw(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Latents ``[R, B, Z]`` and their divergence from the prior ``[R, B]``."""
        config = self._config
        mean, spread = self._forward(self._actor, state).chunk(2, dim=-1)
        mean = config.mean_bound * torch.tanh(mean / config.mean_bound)
        log_std = config.log_std_bound * torch.tanh(spread / config.log_std_bound)
        z0 = torch.stack([torch.randn(mean.shape[1:], generator=sac.rng) for sac in self._sacs])
        latent = (mean + torch.exp(log_std) * z0).clamp(-config.latent_bound, config.latent_bound)
        return latent, kl_to_prior(mean, log_std)

    def _step(self, batch: _Batch) -> None:
        """One gradient step of every learner, as ``dsrl.sac.Sac.step``."""
        config, sac = self._config, self._sacs[0]
        low, high = sac.low, sac.high
        with torch.no_grad():
            z, _ = self._draw(batch.following)
            values = self._unit(self._values(self._target, batch.following, z))
            value = self._combined(values, config.target_combine)
            y = torch.addcmul(batch.reward, batch.mask, value, value=config.chunk_gamma)
            if config.monte_carlo > 0:
                mixed = torch.lerp(y, batch.returns, config.monte_carlo)
                y = torch.where(torch.isnan(batch.returns), y, mixed)
            y = y.clamp(low, high)
        raw = self._values(self._critic, batch.state, batch.noise)
        goal = ((y - low) / (high - low)).unsqueeze(1).expand_as(raw)
        losses = functional.binary_cross_entropy_with_logits(raw, goal, reduction="none")
        self._critic_optimizer.zero_grad()
        losses.mean(dim=2).sum().backward()  # type: ignore[no-untyped-call]
        self._critic_optimizer.step()

        measured = sac.steps % _MEASURED == 0
        for mine in self._sacs:
            mine.steps += 1
        if sac.actor_turn():
            z, price = self._draw(batch.state)
            values = self._unit(self._values(self._critic.frozen(), batch.state, z))
            q = self._combined(values, config.actor_combine)
            alpha = self._log_alpha.detach().exp().unsqueeze(1)
            self._actor_optimizer.zero_grad()
            (alpha * price - q).mean(dim=1).sum().backward()  # type: ignore[no-untyped-call]
            self._actor_optimizer.step()
            self._spend(price.detach().mean(dim=1))
        elif measured:
            for mine in self._sacs:
                torch.randn(batch.noise.shape[1:], generator=mine.rng)
        with torch.no_grad():
            torch._foreach_lerp_(self._target.tensors(), self._critic.tensors(), config.tau)

    def _spend(self, price: Tensor) -> None:
        """Dual ascent of the temperatures on E[KL] <= budget."""
        if self._config.alpha_lr > 0:
            self._alpha_optimizer.zero_grad()
            loss = (self._log_alpha * (self._config.kl_budget - price)).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            self._alpha_optimizer.step()


@dataclass(frozen=True, slots=True)
class _Batch:
    """As ``dsrl.agent.Batch``, one row more in front: ``[R, B, ...]``."""

    state: Tensor
    following: Tensor
    noise: Tensor
    reward: Tensor
    mask: Tensor
    returns: Tensor


class _Data:
    """All replays in one table, as of now.

    Args:
        learners: whose replays.
    """

    def __init__(self, learners: Sequence[Learner]) -> None:
        replays = [learner.replay for learner in learners]
        self._rows = max(replay.high_water for replay in replays)
        self._last = np.array([replay.high_water - 1 for replay in replays])[:, None]
        self._start = (np.arange(len(replays)) * self._rows)[:, None]
        rows = torch.arange(self._rows)
        self._state = torch.cat([li.sac.states(li.replay)[rows] for li in learners])
        self._noise, self._reward, self._mask, self._returns = (
            torch.from_numpy(np.concatenate(parts))
            for parts in zip(
                *(
                    (
                        replay.noise[: self._rows],
                        replay.rewards[: self._rows],
                        replay.masks[: self._rows],
                        replay.returns[: self._rows],
                    )
                    for replay in replays
                ),
                strict=True,
            )
        )

    def draw(self, learners: Sequence[Learner]) -> _Batch:
        """A batch of every learner, drawn by its own generator."""
        size = learners[0].config.batch_size
        rows = np.stack([learner.replay.sample(learner.rng, size) for learner in learners])
        ahead = np.stack([li.replay.next_rows(r) for li, r in zip(learners, rows, strict=True)])
        here = torch.from_numpy(rows + self._start)
        following = torch.from_numpy(np.minimum(ahead, self._last) + self._start)
        return _Batch(
            state=self._state[here],
            following=self._state[following],
            noise=self._noise[here],
            reward=self._reward[here],
            mask=self._mask[here],
            returns=self._returns[here],
        )
