# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Edits of the frozen policy's chunks, for tasks that no noise solves.

The shape of EXPO (arXiv 2507.07986). The policy stays frozen and proposes: N prior draws of w give
N chunks a. A small network edits each, a + e with e = beta tanh(u), u ~ N(mu(s, a), sigma(s, a)).
A critic Q(s, a) takes the best of all 2 N, when acting and in the target alike:

1. y = r + gamma mask max_n Qbar(s', {a'_n, a'_n + e'_n})
2. Q <- min (Q(s, a) - y)^2 over stored chunks, as they ran
3. edit <- min alpha KL(u || N(0, sigma0)) - Q(s, a + e),  a = pi_dp(s, w),  w ~ N(0, I)

An edit never exceeds beta spreads of the executed actions (``edit_bound``) and an unedited chunk is
always among the choices, so an untrained edit costs little. Edited chunks pass the same limits of
the arm as any other. Ours for EXPO's entropy: the divergence of the edit from its own small start,
under the same budget that the latent actors have.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from roboreward_ros.dsrl.actor import EDIT_LOG_STD, SteeringActor
from roboreward_ros.dsrl.actor_network import Mlp, arrays, kl_to_prior
from roboreward_ros.dsrl.agent import Agent, Batch, Rows
from roboreward_ros.dsrl.chunk_decoder import ChunkDecoder
from roboreward_ros.dsrl.config import Combine, DsrlConfig
from roboreward_ros.dsrl.critic import CriticEnsemble
from roboreward_ros.dsrl.replay import ReplayView


class Edit(Agent):
    """See the module's text.

    Args:
        config, feature_dim, noise_dim, seed: as of ``Agent``.
        chunks: the frozen policy.
    """

    actor: Mlp

    def __init__(
        self,
        config: DsrlConfig,
        feature_dim: int,
        noise_dim: int,
        seed: int,
        chunks: ChunkDecoder,
    ) -> None:
        super().__init__(config, feature_dim, noise_dim, seed)
        self.chunks = chunks
        input_dim = feature_dim + 1 + chunks.dim
        self.actor = Mlp(config, input_dim, 2 * chunks.dim, self.rng, zero_head=True)
        self.critic = CriticEnsemble(config, input_dim, self.rng)
        self.target = CriticEnsemble(config, input_dim, self.rng)
        self.target.load_state_dict(self.critic.state_dict())
        self.target.requires_grad_(False)
        self.actor_optimizer = torch.optim.Adam(
            self.actor.parameters(), lr=config.actor_lr, fused=True
        )
        self.critic_optimizer = torch.optim.AdamW(
            self.critic.parameters(),
            lr=config.critic_lr,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self._target_tensors: list[Tensor] = list(self.target.parameters())
        self._critic_tensors: list[Tensor] = list(self.critic.parameters())

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "actor": self.actor_optimizer,
            "critic": self.critic_optimizer,
            "alpha": self.alpha_optimizer,
        }

    def vectors(self) -> dict[str, Tensor]:
        chunks = {"action_mean": self.chunks.mean, "action_scale": self.chunks.scale}
        return {**super().vectors(), **chunks}

    def fit(self, replay: ReplayView) -> None:
        super().fit(replay)
        self.chunks.fit(replay)

    def edited(self, state: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        """Chunks ``[B, C * 7]`` with their edit, and its divergence from the start ``[B]``."""
        config = self.config
        mean, log_std = self.actor(torch.cat([state, a], dim=1)).chunk(2, dim=-1)
        mean = config.mean_bound * torch.tanh(mean / config.mean_bound)
        log_std = config.log_std_bound * torch.tanh(log_std / config.log_std_bound)
        std = torch.exp(log_std + EDIT_LOG_STD)
        u = mean + std * torch.randn(mean.shape, generator=self.rng)
        alive = self.chunks.scale > 0  # what never moves is not edited
        e = config.edit_bound * torch.tanh(u) * alive
        start = torch.exp(torch.tensor(EDIT_LOG_STD))
        return a + e, kl_to_prior(mean / start, log_std)

    def propose(self, replay: ReplayView, rows: Rows, draws: int) -> Tensor:
        """The policy's own chunks ``[B * draws, C * 7]`` from the prior."""
        size = len(rows) * draws
        w = torch.randn(size, self.noise_map.horizon * 7, generator=self.rng)
        return self.chunks.decode(replay, rows, self.noise(self.latents(w)))

    def targets(self, batch: Batch, replay: ReplayView) -> Tensor:
        """Step 1: regression targets ``[B]``."""
        config = self.config
        n = config.candidates
        with torch.no_grad():
            state = batch.following.repeat_interleave(n, dim=0)
            plain = self.propose(replay, batch.next_rows, n)
            changed, _ = self.edited(state, plain)
            x = torch.cat([torch.cat([state, plain], dim=1), torch.cat([state, changed], dim=1)])
            values = self.combined(self.values(self.target(x)), config.target_combine)
            best = values.view(2, -1, n).amax(dim=(0, 2))
            return self.regression_target(batch, best)

    def step(self, batch: Batch, replay: ReplayView, measure: bool) -> Tensor | None:
        config = self.config
        y = self.targets(batch, replay)

        # Step 2: the critic, from every stored chunk as it ran.
        a = self.chunks.chunks(replay, batch.rows)
        raw = self.critic(torch.cat([batch.state, a], dim=1))
        critic_loss = self.critic_loss(raw, y, batch.taught)
        self.critic_optimizer.zero_grad()
        critic_loss.sum().backward()  # type: ignore[no-untyped-call]
        self.critic_optimizer.step()

        # Step 3: the edit.
        self.steps += 1
        alpha = self.log_alpha.detach().exp()
        train_actor = self.actor_turn()
        seen: Tensor | None = None
        if train_actor or measure:
            changed, kl = self.edited(batch.state, self.propose(replay, batch.rows, 1))
            x = torch.cat([batch.state, changed], dim=1)
            values = self.values(self.critic(x, frozen=True))
            actor_loss = (alpha * kl - self.combined(values, config.actor_combine)).mean()
            if train_actor:
                self.actor_optimizer.zero_grad()
                actor_loss.backward()  # type: ignore[no-untyped-call]
                self.actor_optimizer.step()
                self.update_alpha(kl.detach().mean())
            if measure:
                spread = values.std(dim=0, correction=0).mean()
                q_mean = self.values(raw).mean()
                parts = [
                    critic_loss.mean(), actor_loss, alpha, kl.mean(), torch.zeros(()), q_mean,
                    spread,
                ]  # fmt: skip
                seen = torch.stack(parts).detach()

        with torch.no_grad():
            torch._foreach_lerp_(self._target_tensors, self._critic_tensors, config.tau)
        return seen

    def snapshot(self, version: int, policy_id: str) -> SteeringActor:
        weights = arrays(self.critic, "critic.") | arrays(self.actor, "edit.")
        weights["actions.mean"] = self.chunks.mean.numpy().copy()
        weights["actions.scale"] = self.chunks.scale.numpy().copy()
        config = self.config
        how = Combine.MIN if config.actor_combine is Combine.SUBSET else config.actor_combine
        return dataclasses.replace(
            self.actor_file(version, policy_id, weights),
            candidates=config.candidates,
            combine=how,
            pessimism=config.pessimism,
            edit_bound=config.edit_bound,
        )
