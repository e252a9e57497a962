# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""DSRL-SAC: the whole update, top to bottom.

DSRL (arXiv 2506.15799): the noise w of a frozen diffusion policy is the action of an ordinary
continuous MDP; the environment answers w by decoding and executing one chunk. DSRL-SAC runs SAC
(arXiv 1812.05905, equation numbers below) on it. The profiles ``reference_*`` run it as published
(squashed actor, soft backup, minimum of two critics). Ours differs in three things, each because
an episodic score arrives once in a dozen decisions and the budget is about a hundred episodes:

1. The reference of the regulariser is the prior N(0, I), not the uniform density: entropy is
   replaced by -KL(pi(.|s) || N(0, I)), which is closed for a diagonal Gaussian. An untrained actor
   is at its optimum, and noise stays where the frozen policy decodes it well. The temperature is
   the multiplier of a trust region E[KL] <= budget (as SAC's is of an entropy floor, eq. 17-18).
2. Targets are mixed with the known Monte-Carlo return and clipped to the range of possible values.
3. Critics are an ensemble; the actor climbs its mean minus a multiple of its spread.

With ``acting: best_of_prior`` there is no actor: a decision takes the best of N prior draws by the
critic, and so does the target.
"""

from __future__ import annotations

import torch
from torch import Tensor

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.actor_network import ActorNetwork
from roboreward_ros.dsrl.agent import Agent, Batch
from roboreward_ros.dsrl.config import Acting, DsrlConfig
from roboreward_ros.dsrl.critic import CriticEnsemble
from roboreward_ros.dsrl.replay import ReplayView


class Sac(Agent):
    """See the module's text; arguments as of ``Agent``."""

    actor: ActorNetwork

    def __init__(self, config: DsrlConfig, feature_dim: int, noise_dim: int, seed: int) -> None:
        super().__init__(config, feature_dim, noise_dim, seed)
        state_dim, latent_dim = feature_dim + 1, self.noise_map.latent_dim
        self.actor = ActorNetwork(config, state_dim, latent_dim, self.rng)
        self.critic = CriticEnsemble(config, state_dim + latent_dim, self.rng)
        self.target = CriticEnsemble(config, state_dim + latent_dim, self.rng)
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

    def next_value(self, batch: Batch) -> Tensor:
        """V(s') ``[B]``: the target critics on the latent that would run there, SAC eq. 3."""
        config = self.config
        if config.acting is Acting.BEST_OF_PRIOR:
            z = self.best_of_prior(batch.following, self.critic, config.actor_combine)
            values = self.values(self.target(torch.cat([batch.following, z], dim=1)))
            return self.combined(values, config.target_combine)
        draw = self.actor.draw(batch.following, self.rng)
        values = self.values(self.target(torch.cat([batch.following, draw.latent], dim=1)))
        return self.combined(values, config.target_combine) - self.price(draw)

    def targets(self, batch: Batch) -> Tensor:
        """Regression targets ``[B]``."""
        with torch.no_grad():
            return self.regression_target(batch, self.next_value(batch))

    def step(self, batch: Batch, replay: ReplayView, measure: bool) -> Tensor | None:
        del replay
        config = self.config
        y = self.targets(batch)

        # Critics: J_Q (SAC eq. 5).
        raw = self.critic(torch.cat([batch.state, self.latents(batch.noise)], dim=1))
        critic_loss = self.critic_loss(raw, y, batch.taught)
        self.critic_optimizer.zero_grad()
        critic_loss.sum().backward()  # type: ignore[no-untyped-call]
        self.critic_optimizer.step()

        # Actor: J_pi (SAC eq. 9), by default with the divergence in place of -entropy.
        self.steps += 1
        alpha = self.log_alpha.detach().exp()
        train_actor = self.actor_turn() and config.acting is Acting.ACTOR
        seen: Tensor | None = None
        if train_actor or measure:
            draw = self.actor.draw(batch.state, self.rng)
            x = torch.cat([batch.state, draw.latent], dim=1)
            values = self.values(self.critic(x, frozen=True))
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

    def snapshot(self, version: int, policy_id: str) -> SteeringActor:
        return self.latent_actor_file(version, policy_id, self.actor, self.critic)
