# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""DSRL-NA, noise aliasing (arXiv 2506.15799, Algorithm 1): the whole update, top to bottom.

Many latents decode to the same chunk. So the critic that learns from transitions judges the chunk
that ran, Q_A(s, a), and knows what every latent with that chunk is worth; a latent critic
Q_W(s, w) is distilled from it, and the actor climbs Q_W without a gradient through the policy:

1. y = r + gamma mask [Qbar_A(s', pi_dp(s', w')) - price],  w' ~ pi_W(.|s')
2. Q_A <- min (Q_A(s, a) - y)^2 over stored chunks a, whoever chose them
3. pi_W <- min alpha * price - Q_W(s, w),  w ~ pi_W(.|s)
4. every few steps, Q_W <- min (Q_W(s, w) - Q_A(s, pi_dp(s, w)))^2,  w ~ half N(0, I), half pi_W

Demonstrations need no latents here: they teach Q_A. The paper distils on N(0, I) alone
(``distil_actor_share: 0``); then Q_W is a guess where the actor has moved to. Algorithm 1 has no
entropy in step 1, the released code has: ``backup``. The policy decodes inside the update, from
stored features.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.actor_network import ActorNetwork, Draw
from roboreward_ros.dsrl.agent import Agent, Batch, States
from roboreward_ros.dsrl.chunk_decoder import ChunkDecoder
from roboreward_ros.dsrl.config import Acting, DsrlConfig
from roboreward_ros.dsrl.critic import CriticEnsemble
from roboreward_ros.dsrl.replay import ReplayView


class NoiseAliased(Agent):
    """See the module's text.

    Args:
        config, feature_dim, noise_dim, seed: as of ``Agent``.
        chunks: the frozen policy.
    """

    actor: ActorNetwork

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
        state_dim, latent_dim = feature_dim + 1, self.noise_map.latent_dim
        self.actor = ActorNetwork(config, state_dim, latent_dim, self.rng)
        self.critic = CriticEnsemble(config, state_dim + chunks.dim, self.rng)  # Q_A
        self.target = CriticEnsemble(config, state_dim + chunks.dim, self.rng)
        self.target.load_state_dict(self.critic.state_dict())
        self.target.requires_grad_(False)
        self.latent_critic = CriticEnsemble(config, state_dim + latent_dim, self.rng)  # Q_W
        self.actor_optimizer = torch.optim.Adam(
            self.actor.parameters(), lr=config.actor_lr, fused=True
        )
        self.critic_optimizer, self.latent_optimizer = (
            torch.optim.AdamW(
                critic.parameters(), lr=config.critic_lr, weight_decay=config.weight_decay,
                fused=True,
            )
            for critic in (self.critic, self.latent_critic)
        )  # fmt: skip
        self._target_tensors: list[Tensor] = list(self.target.parameters())
        self._critic_tensors: list[Tensor] = list(self.critic.parameters())

    def modules(self) -> dict[str, torch.nn.Module]:
        return {**super().modules(), "latent_critic": self.latent_critic}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "actor": self.actor_optimizer,
            "critic": self.critic_optimizer,
            "latent_critic": self.latent_optimizer,
            "alpha": self.alpha_optimizer,
        }

    def vectors(self) -> dict[str, Tensor]:
        chunks = {"action_mean": self.chunks.mean, "action_scale": self.chunks.scale}
        return {**super().vectors(), **chunks}

    def fit(self, replay: ReplayView) -> None:
        super().fit(replay)
        self.chunks.fit(replay)

    def targets(self, batch: Batch, replay: ReplayView) -> Tensor:
        """Step 1: regression targets ``[B]``."""
        config = self.config
        with torch.no_grad():
            draw = self._choose(batch.following)
            a = self.chunks.decode(replay, batch.next_rows, self.noise(draw.latent))
            values = self.values(self.target(torch.cat([batch.following, a], dim=1)))
            value = self.combined(values, config.target_combine) - self.price(draw)
            return self.regression_target(batch, value)

    def _choose(self, state: Tensor) -> Draw:
        """The latents that would run at ``state``."""
        config = self.config
        if config.acting is Acting.ACTOR:
            return self.actor.draw(state, self.rng)
        best = self.best_of_prior(state, self.latent_critic, config.actor_combine)
        zeros = torch.zeros(len(state))
        return Draw(best, zeros, zeros)

    def step(self, batch: Batch, replay: ReplayView, measure: bool) -> Tensor | None:
        config = self.config
        y = self.targets(batch, replay)

        # Step 2: the action critic, from every stored chunk.
        a = self.chunks.chunks(replay, batch.rows)
        raw = self.critic(torch.cat([batch.state, a], dim=1))
        critic_loss = self.critic_loss(raw, y, batch.taught)
        self.critic_optimizer.zero_grad()
        critic_loss.sum().backward()  # type: ignore[no-untyped-call]
        self.critic_optimizer.step()

        # Step 3: the actor, by the latent critic.
        self.steps += 1
        alpha = self.log_alpha.detach().exp()
        train_actor = self.actor_turn() and config.acting is Acting.ACTOR
        seen: Tensor | None = None
        if train_actor or measure:
            draw = self.actor.draw(batch.state, self.rng)
            x = torch.cat([batch.state, draw.latent], dim=1)
            values = self.values(self.latent_critic(x, frozen=True))
            q = self.combined(values, config.actor_combine)
            actor_loss = (alpha * draw.price - q).mean()
            if train_actor:
                self.actor_optimizer.zero_grad()
                actor_loss.backward()  # type: ignore[no-untyped-call]
                self.actor_optimizer.step()
                self.update_alpha(draw.price.detach().mean())
            if measure:
                spread = values.std(dim=0, correction=0).mean()
                q_mean = self.values(raw).mean()
                price, entropy = draw.price.mean(), draw.entropy.mean()
                parts = [critic_loss.mean(), actor_loss, alpha, price, entropy, q_mean, spread]
                seen = torch.stack(parts).detach()

        with torch.no_grad():
            torch._foreach_lerp_(self._target_tensors, self._critic_tensors, config.tau)
        return seen

    def between(self, replay: ReplayView, states: States, rng: np.random.Generator) -> None:
        """Step 4, when its turn has come."""
        config = self.config
        if self.steps % config.distil_every == 0:
            for _ in range(config.distil_updates):
                rows = replay.sample(rng, config.batch_size)
                self.distil(Batch.of(replay, states, rows), replay)

    def distil(self, batch: Batch, replay: ReplayView) -> None:
        """One step of Q_W towards Q_A, member by member, on fresh latents."""
        with torch.no_grad():
            size = len(batch.state)
            z = torch.randn(size, self.noise_map.latent_dim, generator=self.rng)
            own = round(self.config.distil_actor_share * size)
            if own:
                z[:own] = self.actor.draw(batch.state[:own], self.rng).latent
            a = self.chunks.decode(replay, batch.rows, self.noise(z))
            goal = self.values(self.critic(torch.cat([batch.state, a], dim=1)))
        raw = self.latent_critic(torch.cat([batch.state, z], dim=1))
        self.latent_optimizer.zero_grad()
        self.critic_loss(raw, goal, torch.ones_like(raw)).sum().backward()  # type: ignore[no-untyped-call]
        self.latent_optimizer.step()

    def snapshot(self, version: int, policy_id: str) -> SteeringActor:
        return self.latent_actor_file(version, policy_id, self.actor, self.latent_critic)
